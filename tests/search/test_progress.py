"""Where a run stands, folded from its events: stages, trials, the best over time, when it should end."""

from __future__ import annotations

import pytest

from autotl.config import EpochResult, TrialConfig, TrialResult, TrialState
from autotl.search.events import (
    DataRead,
    EpochDone,
    RunEnded,
    RunStarted,
    StageStarted,
    TrialFinished,
    TrialPaused,
    TrialResumed,
    TrialStarted,
)
from autotl.search.progress import Progress, best_over_time
from autotl.task import Task, TaskKind

CONFIG = TrialConfig("lite0", "full", {"epochs": 5})


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tell(clock):
    """Progress without limits, and a function that tells it something at a second."""
    progress = Progress(None, None, clock)

    def at(second, *events):
        clock.now = second
        for event in events:
            progress.update(event)
        return progress

    return at


def result(number: int, score: float | None) -> TrialResult:
    return TrialResult(number, CONFIG, TrialState.COMPLETE, score, seconds=2.0)


def epoch(number: int, score: float) -> EpochResult:
    return EpochResult(number, score, 0.5, 1.0)


def test_stages_have_the_time_they_took(tell):
    tell(1, StageStarted("read"))
    tell(4, StageStarted("search"))
    progress = tell(9, RunEnded("finished"))
    assert [(stage.name, stage.begun, stage.ended) for stage in progress.stages] == [
        ("read", 1, 4),
        ("search", 4, 9),
    ]


def test_trials_under_way_come_before_the_best_ones(tell):
    for number, score in enumerate((0.5, 0.75, None, 0.25)):
        tell(number, TrialFinished(result(number, score), 0.75))
    progress = tell(5, TrialStarted(7, CONFIG), EpochDone(7, epoch(1, 0.1)))
    assert [(line.rank, line.number, line.score) for line in progress.lines(3)] == [
        (None, 7, 0.1),
        (1, 1, 0.75),
        (2, 0, 0.5),
    ]


def test_a_paused_trial_takes_no_time_and_is_not_under_way(tell):
    tell(0, TrialStarted(1, CONFIG))
    progress = tell(10, TrialPaused(1))
    assert progress.lines(5) == []
    tell(100, TrialResumed(1))
    (line,) = tell(105, EpochDone(1, epoch(1, 0.5))).lines(5)
    assert line.seconds == 15


def test_losses_are_best_where_they_are_low_and_shown_as_they_are(tell):
    tell(0, DataRead(10, Task(TaskKind.REGRESSION, (), "rmse")))
    progress = tell(1, TrialFinished(result(0, -2.0), -2.0), TrialFinished(result(1, -1.0), -1.0))
    assert [(line.rank, line.score) for line in progress.lines(5)] == [(1, 1.0), (2, 2.0)]


def test_the_best_score_over_time_is_a_staircase(tell):
    tell(10, TrialFinished(result(0, 0.5), 0.5))
    tell(15, TrialFinished(result(1, 0.25), 0.5))
    tell(20, TrialFinished(result(2, 0.75), 0.75))
    assert best_over_time(tell(30), 5) == [0.5, 0.5, 0.75, 0.75, 0.75]


def test_the_end_follows_from_the_budget_of_time(tell):
    tell(0, RunStarted("", 100.0))
    assert tell(40).expected_left == 60


def test_without_a_limit_of_time_the_end_follows_from_what_trials_took(tell):
    tell(0, RunStarted("", None, 6))
    assert tell(10, StageStarted("search")).expected_left is None
    for number in range(2):
        tell(20, TrialFinished(result(number, 0.5), 0.5))
    assert tell(20).expected_left == 20
    assert tell(20, RunEnded("interrupted")).expected_left is None


def test_a_resumed_run_keeps_its_trials_and_begins_its_clock_anew(tell):
    tell(0, RunStarted("", None, 3), StageStarted("search"), TrialStarted(0, CONFIG), TrialStarted(1, CONFIG))
    tell(50, TrialPaused(1), TrialFinished(result(0, 0.5), 0.5), RunEnded("interrupted"))
    tell(0, RunStarted("", None, 3, resumed=True), StageStarted("search"))
    progress = tell(10, TrialResumed(1), TrialFinished(result(2, 0.75), 0.75))
    assert (progress.done, progress.ended, progress.total_elapsed) == (2, None, 60)
    assert progress.history == [(50, 0.5), (60, 0.75)]
    assert [stage.name for stage in progress.stages] == ["search"]
    assert list(progress.running) == [1]
    assert progress.expected_left == 10
