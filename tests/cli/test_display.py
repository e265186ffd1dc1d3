"""The display says where a search stands, as lines or as a panel."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from autotl.config import EpochResult, TrialConfig, TrialResult, TrialState
from autotl.console.live import LineDisplay, LiveDisplay, display
from autotl.console.panel import panel
from autotl.search.events import (
    Advanced,
    DataRead,
    EpochDone,
    Note,
    StageStarted,
    TrialFinished,
    TrialStarted,
)
from autotl.search.in_words import sparkline
from autotl.search.progress import Progress, clock_time
from autotl.task import Task, TaskKind

CONFIG = TrialConfig("lite0", "full", {"epochs": 5})


def epoch(number: int, score: float) -> EpochResult:
    return EpochResult(number, score, 0.5, 1.0)


def finished(
    number: int, score: float | None, state: TrialState = TrialState.COMPLETE, **more
) -> TrialResult:
    return TrialResult(number, CONFIG, state, score, seconds=2.0, **more)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def drawn(progress: Progress) -> str:
    console = Console(file=io.StringIO(), width=100)
    console.print(panel(progress))
    return console.file.getvalue()


def test_lines_tell_of_stages_trials_and_notes(clock):
    console = Console(file=io.StringIO(), width=80)
    with LineDisplay(Progress(60, None, clock), console) as shown:
        shown(StageStarted("read", "photos/"))
        clock.now += 65
        shown(TrialStarted(0, CONFIG))
        shown(EpochDone(0, epoch(1, 0.5)))
        shown(TrialFinished(finished(0, 0.75), 0.75))
        shown(TrialFinished(finished(1, None, TrialState.FAILED, error="out of memory"), 0.75))
        shown(TrialFinished(finished(2, 0.5, TrialState.PRUNED), 0.75))
        shown(Note("3 corrupt files skipped", warning=True))
    assert console.file.getvalue().splitlines() == [
        "[0:00] read: photos/",
        "[1:05] trial 0: lite0, full",
        "[1:05] trial 0: 0.7500 in 2.0 s; best so far 0.7500",
        "[1:05] trial 1 failed after 2.0 s: out of memory",
        "[1:05] trial 2: 0.5000 in 2.0 s (stopped early); best so far 0.7500",
        "[1:05] warning: 3 corrupt files skipped",
    ]


def test_losses_are_shown_without_the_sign_that_the_search_gives_them(clock):
    console = Console(file=io.StringIO(), width=80)
    progress = Progress(None, None, clock)
    shown = LineDisplay(progress, console)
    shown(DataRead(1200, Task(TaskKind.REGRESSION, (), "rmse")))
    shown(TrialFinished(finished(0, -0.75), -0.75))
    assert console.file.getvalue().splitlines() == [
        "[0:00] 1,200 rows, regression; judged by rmse",
        "[0:00] trial 0: 0.7500 in 2.0 s; best so far 0.7500",
    ]
    assert "0.7500 rmse" in drawn(progress)


def test_lines_are_not_taken_for_markup(clock):
    console = Console(file=io.StringIO(), width=80)
    LineDisplay(Progress(None, None, clock), console)(Note("column [red] is constant"))
    assert console.file.getvalue() == "[0:00] column [red] is constant\n"


def test_the_panel_shows_stage_trials_best_running_trial_and_time_left(clock):
    progress = Progress(600, None, clock)
    progress.update(StageStarted("search"))
    progress.update(TrialStarted(0, CONFIG))
    progress.update(TrialFinished(finished(0, 0.8), 0.8))
    progress.update(TrialFinished(finished(1, None, TrialState.FAILED), 0.8))
    progress.update(TrialStarted(2, CONFIG))
    progress.update(EpochDone(2, epoch(1, 0.5)))
    progress.update(EpochDone(2, epoch(2, 0.7)))
    progress.update(Advanced(50, 200))
    progress.update(Note("lite1 left out: no weights"))
    clock.now += 100
    text = drawn(progress)
    assert "search  50 of 200 rows" in text
    assert "2 done, 1 failed" in text
    assert "0.8000  trial 0, lite0, full" in text
    assert re.search(r"▸ +2 +lite0 +full +2 of 5 +0.7000 +1:40 +▁█", text)
    assert re.search(r" 1 +0 +lite0 +full +0 of 5 +0.8000 +0:02", text)
    assert "8:20 left, 1:40 passed" in text
    assert "lite1 left out: no weights" in text


def test_the_panel_counts_trials_against_their_budget(clock):
    text = drawn(Progress(None, 12, clock))
    assert "0 of 12 done" in text
    assert "left" not in text


def test_a_finished_trial_is_no_longer_shown_as_running(clock):
    progress = Progress(None, None, clock)
    progress.update(TrialStarted(3, CONFIG))
    progress.update(TrialFinished(finished(3, 0.5), 0.5))
    assert progress.running == {}


def test_the_time_left_is_never_negative(clock):
    progress = Progress(10, None, clock)
    clock.now += 11
    assert progress.left == 0.0


@pytest.mark.parametrize(("seconds", "text"), [(7.9, "0:07"), (754, "12:34"), (3723, "1:02:03")])
def test_durations_read_as_on_a_clock(seconds, text):
    assert clock_time(seconds) == text


@pytest.mark.parametrize(
    ("scores", "bars"),
    [([], ""), ([0.5], ""), ([0.1, 0.9, 0.5], "▁█▅"), ([0.4, 0.4], "▁▁")],
)
def test_a_curve_runs_from_lowest_to_highest(scores, bars):
    assert sparkline(scores) == bars


def test_a_terminal_gets_the_live_panel_and_a_pipe_gets_lines():
    terminal = Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "xterm"})
    assert isinstance(display(60, None, terminal), LiveDisplay)
    assert isinstance(display(60, None, Console(file=io.StringIO())), LineDisplay)


def test_the_live_panel_ends_with_the_last_state():
    terminal = Console(
        file=io.StringIO(), force_terminal=True, width=100, color_system=None, _environ={"TERM": "xterm"}
    )
    with display(60, None, terminal) as shown:
        shown(StageStarted("read"))
        shown(Note("two classes are rare", warning=True))
        shown(TrialFinished(finished(0, 0.25), 0.25))
    text = terminal.file.getvalue()
    assert "! two classes are rare" in text
    assert "0.2500" in text.rpartition("stage")[2]
