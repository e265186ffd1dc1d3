"""The log of events: complete, cheap, and readable whatever a kill or another version left in it."""

from __future__ import annotations

import json
import math
import time

import pytest

from autotl.config import EpochResult, TrialConfig, TrialResult, TrialState
from autotl.errors import RunError
from autotl.search.event_log import EVENTS, EventLog, Process, is_locked, last_event, read_events
from autotl.search.events import (
    Advanced,
    DataRead,
    EpochDone,
    Note,
    RunEnded,
    RunStarted,
    StageStarted,
    TrialFinished,
    TrialPaused,
    TrialResumed,
    TrialStarted,
    from_json,
    to_json,
)
from autotl.task import Task, TaskKind

CONFIG = TrialConfig("lite0", "full", {"epochs": 5, "learning_rate": 1e-3, "augment": None})
EPOCH = EpochResult(1, 0.5, math.inf, 1.0)
RESULT = TrialResult(3, CONFIG, TrialState.COMPLETE, 0.75, (EpochResult(1, 0.75, 0.5, 1.0),), 2.0)
EVERY_KIND = (
    RunStarted("2026-03-02T09:14:07+00:00", 600.0, None, resumed=True),
    StageStarted("probe", "ü"),
    DataRead(1200, Task(TaskKind.MULTICLASS, ("a", "b", "c"), "accuracy")),
    Advanced(1, 2),
    TrialStarted(3, CONFIG),
    EpochDone(3, EpochResult(1, 0.5, 0.25, 1.0)),
    TrialPaused(3),
    TrialResumed(3),
    TrialFinished(RESULT, 0.75),
    TrialFinished(TrialResult(4, CONFIG, TrialState.FAILED, error="out of memory"), None),
    Note("3 files skipped", warning=True),
    RunEnded("failed", "no trial could be finished"),
)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log(clock):
    made = EventLog(100.0, clock)
    yield made
    made.close()


def told(path, start=0):
    entries, end = read_events(path, start)
    return [entry.told for entry in entries if not isinstance(entry.told, Process)], end


@pytest.mark.parametrize("event", EVERY_KIND, ids=lambda event: type(event).__name__)
def test_events_survive_json(event):
    assert from_json(json.loads(json.dumps(to_json(event)))) == event


def test_what_was_told_before_there_is_a_folder_comes_first(log, clock, tmp_path):
    log(EVERY_KIND[0])
    clock.now += 2
    log(StageStarted("read"))
    clock.now += 3
    log.open(tmp_path)
    log(StageStarted("profile"))
    entries, _ = read_events(tmp_path / EVENTS)
    assert [(entry.seconds, type(entry.told).__name__) for entry in entries] == [
        (0.0, "RunStarted"),
        (5.0, "Process"),
        (2.0, "StageStarted"),
        (5.0, "StageStarted"),
    ]


def test_of_many_advances_two_a_second_are_written_and_the_last_one(log, clock, tmp_path):
    log.open(tmp_path)
    for done in range(1, 101):
        clock.now += 0.03
        log(Advanced(done, 100))
    found, _ = told(tmp_path / EVENTS)
    assert 5 <= len(found) <= 8
    assert found[-1] == Advanced(100, 100)


def test_a_reader_goes_on_from_where_it_was_and_waits_for_whole_lines(log, tmp_path):
    path = tmp_path / EVENTS
    log.open(tmp_path)
    log(Note("one"))
    found, end = told(path)
    assert found == [Note("one")]
    log(Note("two"))
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    assert told(path, end) == ([], end)
    path.write_bytes(whole)
    assert told(path, end) == ([Note("two")], len(whole))


def test_a_torn_line_is_passed_over_by_those_who_resume_and_read(log, clock, tmp_path):
    path = tmp_path / EVENTS
    log.open(tmp_path)
    log(Note("one"))
    log.close()
    with path.open("ab") as file:
        file.write(b'{"seconds":3.0,"event":"No')
    again = EventLog(100.0, clock)
    again(RunStarted("2026-03-02T09:14:07+00:00", resumed=True))
    again.open(tmp_path)
    again.close()
    assert told(path)[0] == [Note("one"), RunStarted("2026-03-02T09:14:07+00:00", resumed=True)]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"seconds": 1, "event": "OfALaterVersion", "x": 1}',
        b'{"seconds": -1, "event": "Note", "message": "x"}',
        b'{"seconds": 1e999, "event": "Note", "message": "x"}',
        b'{"seconds": NaN, "event": "Note", "message": "x"}',
        b'{"seconds": 1, "event": "Note", "message": 5}',
        b'{"seconds": 1, "event": "Advanced", "done": true, "total": 2}',
        b'{"seconds": 1, "event": "Advanced", "done": 1, "total": 1e999}',
        b'{"seconds": 1, "event": "EpochDone", "number": 1, "epoch": {"epoch": 1, "score": "x", '
        b'"train_loss": null, "seconds": 1}}',
        b'{"seconds": 1, "event": "TrialStarted", "number": 1, "config": {"backbone": 1, "strategy": "x", '
        b'"params": {}}}',
        b'{"seconds": 1, "event": "DataRead", "rows": 1, "task": {"kind": "binary", "classes": [], '
        b'"metric": "none", "target": "x"}}',
    ],
)
def test_lines_that_mean_nothing_are_passed_over(tmp_path, line):
    path = tmp_path / EVENTS
    path.write_bytes(line + b"\n" + b'{"seconds": 1, "event": "Note", "message": "x", "of_later": 1}\n')
    assert told(path)[0] == [Note("x")]


def test_a_second_process_is_refused(log, clock, tmp_path):
    log.open(tmp_path)
    assert is_locked(tmp_path / EVENTS)
    with pytest.raises(RunError, match="another process is at work in this run folder"):
        EventLog(100.0, clock).open(tmp_path)
    log.close()
    assert not is_locked(tmp_path / EVENTS)


def test_a_folder_that_was_claimed_is_locked_and_not_written(log, clock, tmp_path):
    path = tmp_path / EVENTS
    path.write_text("of an earlier process\n")
    log.claim(tmp_path)
    log(Note("kept"))
    assert is_locked(path)
    with pytest.raises(RunError, match="another process is at work in this run folder"):
        EventLog(100.0, clock).claim(tmp_path)
    log.release()
    assert not is_locked(path)
    assert path.read_text() == "of an earlier process\n"


def test_a_claim_that_comes_to_nothing_leaves_no_file_and_one_that_wrote_stays(clock, tmp_path):
    given_up = EventLog(100.0, clock)
    given_up.claim(tmp_path)
    given_up.release()
    assert not (tmp_path / EVENTS).exists()
    begun = EventLog(100.0, clock)
    begun.claim(tmp_path)
    begun.open(tmp_path)
    begun.release()
    begun(Note("still told"))
    begun.close()
    assert told(tmp_path / EVENTS)[0] == [Note("still told")]


def test_a_disk_that_refuses_costs_the_log_and_not_the_run(log, tmp_path, caplog):
    log.open(tmp_path / "missing")
    log(Note("lost"))
    assert "is not written any further" in caplog.text


def test_the_last_event_is_found_at_the_end_of_a_long_log(log, tmp_path):
    path = tmp_path / EVENTS
    assert last_event(path) is None
    log.open(tmp_path)
    assert last_event(path) is None
    for number in range(2000):
        log(Note(f"note {number} of many, long enough to fill the tail that is read"))
    log(RunEnded("finished"))
    assert path.stat().st_size > 100_000
    assert last_event(path) == RunEnded("finished")


def test_an_event_costs_less_than_a_tenth_of_a_millisecond(tmp_path):
    """Processor time, the best of five, because it does not depend on what else runs."""
    log = EventLog(time.monotonic())
    log.open(tmp_path)
    found = []
    for _ in range(5):
        begun = time.process_time()
        for _ in range(200):
            log(EpochDone(1, EPOCH))
        found.append((time.process_time() - begun) / 200)
    log.close()
    assert min(found) < 1e-4
