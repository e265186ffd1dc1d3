"""Many runs that died: their logs are read once, and what was found dead is not called live again."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime

import pytest

from autotl.search import following
from autotl.search.event_log import EVENTS
from autotl.search.following import RunState
from autotl.trial.run_folder import RunFolder
from autotl.ui import watching
from autotl.ui.watching import Watcher

HOURS = 3600.0


@pytest.fixture
def silent(tmp_path) -> list[RunFolder]:
    """Six runs on another machine, none of which said that it ended, last touched two hours ago."""
    found = []
    for number in range(6):
        run = RunFolder(tmp_path / f"run-{number}")
        run.create()
        started = datetime.fromtimestamp(time.time() - 3 * HOURS, UTC).isoformat()
        lines = (
            {"seconds": 0.0, "event": "RunStarted", "started": started, "time_seconds": None, "trials": 5},
            {"seconds": 0.5, "event": "Process", "host": "another machine", "pid": 7, "locked": True},
            {"seconds": 9.0, "event": "StageStarted", "name": "search"},
        )
        log = run.path / EVENTS
        log.write_text("".join(json.dumps(line) + "\n" for line in lines))
        os.utime(log, (time.time() - 2 * HOURS,) * 2)
        found.append(run)
    return found


@pytest.fixture
def reads(monkeypatch) -> list[str]:
    """Names of the runs whose logs were read from the beginning."""
    seen, read_on = [], following.read_on

    def read(path, start=0):
        if start == 0:
            seen.append(path.parent.name)
        return read_on(path, start)

    monkeypatch.setattr(following, "read_on", read)
    return seen


@pytest.fixture
def dead(silent, reads, monkeypatch) -> Watcher:
    """A watcher that keeps two runs in memory, and has found all six dead."""
    monkeypatch.setattr(watching, "_MOST", 2)
    monkeypatch.setattr(following, "BEAT_SECONDS", 0.1)  # a quarter of a second without a sign of life
    watcher = Watcher()
    assert {watcher.state(run) for run in silent} == {RunState.LIVE}
    time.sleep(0.3)
    assert {watcher.state(run) for run in silent} == {RunState.INTERRUPTED}
    monkeypatch.setattr(following, "BEAT_SECONDS", 5.0)
    return watcher


def test_logs_of_dead_runs_are_read_once_however_many_there_are(dead, silent, reads):
    assert sorted(set(reads)) == sorted(run.path.name for run in silent)
    before = len(reads)
    for _ in range(3):
        assert {dead.state(run) for run in silent} == {RunState.INTERRUPTED}
    assert len(reads) == before
    assert len(dead._watched) <= 2


def test_a_dead_run_that_is_looked_at_again_is_still_dead_and_its_time_stands(dead, silent):
    for run in silent:
        found = dead.look(run)
        assert (found["state"], found["elapsed"], found["stage"]) == ("interrupted", 9.0, "search")


def test_a_run_that_was_dead_and_shows_life_is_live(dead, silent):
    os.utime(silent[0].path / EVENTS)
    assert dead.state(silent[0]) is RunState.LIVE
    assert dead.state(silent[1]) is RunState.INTERRUPTED
