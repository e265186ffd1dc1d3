"""A follower reads along, and tells a run that goes on from one that ended or died."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime

import pytest

from autotl.search.event_log import EVENTS, EventLog
from autotl.search.events import Note, RunEnded, RunStarted, StageStarted
from autotl.search.following import Follower, RunState, resume_command


@pytest.fixture
def log(tmp_path):
    made = EventLog(time.monotonic())
    made(RunStarted(datetime.now(UTC).isoformat(), 600.0))
    made.open(tmp_path)
    yield made
    made.close()


class Clock:
    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now


def from_elsewhere(path, age):
    """A log that another machine wrote, touched so many seconds ago."""
    started = datetime.fromtimestamp(time.time() - age - 30, UTC).isoformat()
    lines = (
        {"seconds": 0.0, "event": "RunStarted", "started": started, "time_seconds": None, "trials": 5},
        {"seconds": 0.5, "event": "Process", "host": "another machine", "pid": 7, "locked": True},
        {"seconds": 9.0, "event": "StageStarted", "name": "search"},
    )
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    os.utime(path, (time.time() - age,) * 2)


def test_a_run_is_live_while_its_process_holds_the_log_and_interrupted_without_a_word(log, tmp_path):
    follower = Follower(tmp_path)
    assert [type(event) for event in follower.events()] == [RunStarted]
    assert follower.state is RunState.LIVE
    log(Note("more"))
    assert list(follower.events()) == [Note("more")]
    log.close()
    assert list(follower.events()) == []
    assert follower.state is RunState.INTERRUPTED


@pytest.mark.parametrize("state", ["finished", "failed", "interrupted"])
def test_a_run_that_says_how_it_ended_has_ended_so(log, tmp_path, state):
    log(RunEnded(state))
    follower = Follower(tmp_path)
    list(follower.events())
    assert follower.state is RunState(state)


def test_a_run_that_was_resumed_is_live_again(log, tmp_path):
    log(RunEnded("interrupted"))
    log(RunStarted(datetime.now(UTC).isoformat(), 600.0, resumed=True))
    follower = Follower(tmp_path)
    list(follower.events())
    assert follower.state is RunState.LIVE


def test_time_stands_at_each_event_while_it_is_told_and_goes_on_after(tmp_path):
    wall = Clock(time.time())
    from_elsewhere(tmp_path / EVENTS, age=2)
    follower = Follower(tmp_path, wall=wall)
    assert [follower.elapsed() for _ in follower.events()] == [0.0, 9.0]
    assert follower.elapsed() == pytest.approx(32, abs=0.5)
    wall.now += 5
    assert follower.elapsed() == pytest.approx(37, abs=0.5)


def test_elsewhere_a_run_is_live_while_its_log_is_touched(tmp_path):
    path, clock, wall = tmp_path / EVENTS, Clock(0.0), Clock(time.time())
    from_elsewhere(path, age=2)
    follower = Follower(tmp_path, clock=clock, wall=wall)
    assert list(follower.events())[-1] == StageStarted("search")
    for _ in range(30):
        clock.now, wall.now = clock.now + 5, wall.now + 5
        os.utime(path, (wall.now, wall.now))
        list(follower.events())
        assert follower.state is RunState.LIVE
    clock.now, wall.now = clock.now + 70, wall.now + 70
    list(follower.events())
    assert follower.state is RunState.INTERRUPTED


def test_a_clock_that_goes_wrong_does_not_make_a_live_run_dead(tmp_path):
    path, clock = tmp_path / EVENTS, Clock(0.0)
    from_elsewhere(path, age=600)
    follower = Follower(tmp_path, clock=clock)
    list(follower.events())
    assert follower.state is RunState.LIVE, "nothing is known before a beat should have come"
    clock.now += 5
    os.utime(path, (time.time() - 595,) * 2)
    clock.now += 20
    list(follower.events())
    assert follower.state is RunState.LIVE


def test_elsewhere_a_run_without_a_sign_of_life_is_interrupted_after_some_seconds(tmp_path):
    clock = Clock(0.0)
    from_elsewhere(tmp_path / EVENTS, age=600)
    follower = Follower(tmp_path, clock=clock)
    list(follower.events())
    clock.now += 15
    list(follower.events())
    assert follower.state is RunState.INTERRUPTED


def test_a_run_that_died_days_ago_is_interrupted_at_once(tmp_path):
    from_elsewhere(tmp_path / EVENTS, age=3 * 24 * 3600)
    follower = Follower(tmp_path)
    list(follower.events())
    assert follower.state is RunState.INTERRUPTED


@pytest.mark.parametrize(
    ("record", "state"),
    [({"test": {}, "winner": {}}, RunState.FINISHED), ({"task": {}}, RunState.INTERRUPTED)],
)
def test_of_a_run_without_events_the_record_says_how_it_stands(tmp_path, record, state):
    (tmp_path / "run.json").write_text(json.dumps(record))
    follower = Follower(tmp_path)
    assert list(follower.events()) == []
    assert follower.state is state


@pytest.mark.parametrize(
    ("record", "command"),
    [
        (
            {"command": ["/bin/autotl", "fit", "my photos", "--target", "x", "--out", "a", "--resume"]},
            "autotl fit 'my photos' --target x --out runs/a --resume",
        ),
        ({"command": ["autotl", "fit", "d", "--out=a"]}, "autotl fit d --out runs/a --resume"),
        ({"command": ["notebook.py"], "data": {"source": "d"}}, "autotl fit d --out runs/a --resume"),
        ({}, "autotl fit DATA --out runs/a --resume"),
    ],
)
def test_the_command_that_goes_on_is_the_one_that_began(tmp_path, record, command):
    from pathlib import Path

    assert resume_command(Path("runs/a"), record) == command
