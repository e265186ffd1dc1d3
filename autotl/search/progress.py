"""`Progress`: where a run stands, folded from its events. Knows nothing of how it is shown."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from autotl.config import TrialConfig, TrialResult, TrialState
from autotl.search.events import (
    Advanced,
    DataRead,
    EpochDone,
    Event,
    Note,
    RunEnded,
    RunStarted,
    StageStarted,
    TrialFinished,
    TrialPaused,
    TrialResumed,
    TrialStarted,
)
from autotl.task import Metric, metric

#: How many notes are kept for the display.
_NOTES = 4


@dataclass
class Stage:
    """A stage, and when it began and ended; `ended` is None while it goes on."""

    name: str
    begun: float
    ended: float | None = None


@dataclass
class Running:
    """A trial under way.

    Attributes:
        number, config: Of the trial.
        since: When it began or went on, in seconds of the run.
        spent: Seconds that it took before.
        curve: Scores by epoch; greater is better.
        paused: Whether it waits on disk.
    """

    number: int
    config: TrialConfig
    since: float
    spent: float = 0.0
    curve: list[float] = field(default_factory=list)
    paused: bool = False

    def seconds(self, now: float) -> float:
        """What it has taken by a second of the run."""
        return self.spent if self.paused else self.spent + max(now - self.since, 0.0)


@dataclass(frozen=True)
class TrialLine:
    """A trial as a table shows it.

    Attributes:
        rank: From 1; None for a trial under way.
        number, backbone, strategy: Of the trial.
        epoch, epochs: Epochs done, and at most.
        score: The last one under way, the best one at the end, in the metric's own direction; None for none.
        seconds: What it took.
        curve: Scores by epoch; greater is better.
    """

    rank: int | None
    number: int
    backbone: str
    strategy: str
    epoch: int
    epochs: int
    score: float | None
    seconds: float
    curve: tuple[float, ...]


class Progress:
    """Where a run stands.

    Args:
        time_seconds: The budget of time; None for no limit.
        trials: The budget of trials; None for no limit.
        clock: Seconds that only grow; of a run that is followed, those of the run.

    Attributes:
        stage, detail: The stage under way.
        stages: All stages of this process, in order.
        advanced: How far the stage is, where it says so.
        metric: What judges; None before the data are read.
        running: Trials under way by number, paused ones included.
        done, failed: How many trials ended, and failed.
        best: The best score, greater being better; None where there is none.
        best_trial: Its trial.
        history: The best score over time: (seconds, score), whenever it rose.
        notes: The last few.
        ended: How the run ended; None while it goes on.
    """

    def __init__(
        self,
        time_seconds: float | None,
        trials: int | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.time_seconds, self.trials = time_seconds, trials
        self._clock, self._start = clock, clock()
        self._before = self._latest = 0.0
        self._done_before = 0
        self.stage, self.detail = "start", ""
        self.stages: list[Stage] = []
        self.advanced: Advanced | None = None
        self.metric: Metric | None = None
        self.running: dict[int, Running] = {}
        self.done = self.failed = 0
        self.best: float | None = None
        self.best_trial: tuple[int, TrialConfig] | None = None
        self.history: list[tuple[float, float]] = []
        self.notes: deque[Note] = deque(maxlen=_NOTES)
        self.ended: RunEnded | None = None
        self._results: dict[int, TrialResult] = {}

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start

    @property
    def total_elapsed(self) -> float:
        """The same, with those of earlier processes of the run."""
        return self._before + self.elapsed

    @property
    def left(self) -> float | None:
        """Seconds left of the budget, at least 0; None without a limit."""
        return None if self.time_seconds is None else max(self.time_seconds - self.elapsed, 0.0)

    @property
    def expected_left(self) -> float | None:
        """Seconds until the end as it looks now: by the budget, or by what trials took; None for unknown."""
        known = [seconds for seconds in (self.left, self._trials_left()) if seconds is not None]
        return None if self.ended is not None or not known else min(known)

    def own(self, score: float) -> float:
        """A score in the metric's own direction."""
        return score if self.metric is None else self.metric.own(score)

    def shown(self, score: float) -> str:
        """A score as a person reads it: in the metric's own direction."""
        return f"{self.own(score):.4f}"

    def lines(self, most: int) -> list[TrialLine]:
        """The trials to show, at most so many: those under way, then the best."""
        under_way = [self._under_way(trial) for trial in self.running.values() if not trial.paused][-most:]
        scored = [(result.score, result) for result in self._results.values() if result.score is not None]
        scored.sort(key=lambda pair: (-pair[0], pair[1].number))
        best = scored[: max(most - len(under_way), 0)]
        return under_way + [self._ended(rank, result) for rank, (_, result) in enumerate(best, start=1)]

    def update(self, event: Event) -> None:
        """Take in one event."""
        match event:
            case RunStarted():
                self._begin(event)
            case StageStarted():
                self._end_stage()
                self.stage, self.detail, self.advanced = event.name, event.detail, None
                self.stages.append(Stage(event.name, self.elapsed))
            case DataRead():
                self.metric = metric(event.task.metric, event.task.kind)
            case Advanced():
                self.advanced = event
            case TrialFinished():
                self._finish(event)
            case Note():
                self.notes.append(event)
            case RunEnded():
                self._end_stage()
                self.ended, self.advanced = event, None
                self._drop_running()
            case TrialStarted() | EpochDone() | TrialPaused() | TrialResumed():
                self._follow(event)
        self._latest = self.elapsed

    def _begin(self, event: RunStarted) -> None:
        """Begin, or go on after what an earlier process has told."""
        if self.stages:
            self._before += self._latest
        self.time_seconds, self.trials = event.time_seconds, event.trials
        self._done_before = self.done
        self.stage, self.detail, self.advanced, self.ended = "start", "", None, None
        self.stages = []
        self._drop_running()

    def _drop_running(self) -> None:
        """Forget the trials that a process takes along when it ends; paused ones wait on disk."""
        self.running = {number: trial for number, trial in self.running.items() if trial.paused}

    def _end_stage(self) -> None:
        if self.stages and self.stages[-1].ended is None:
            self.stages[-1].ended = self.elapsed

    def _follow(self, event: TrialStarted | EpochDone | TrialPaused | TrialResumed) -> None:
        """Take in what became of a trial under way."""
        now = self.elapsed
        if isinstance(event, TrialStarted):
            self.running[event.number] = Running(event.number, event.config, now)
            return
        trial = self.running.get(event.number)
        if trial is None:
            return
        if isinstance(event, EpochDone):
            trial.curve.append(event.epoch.score)
        elif isinstance(event, TrialPaused):
            trial.spent, trial.paused = trial.seconds(now), True
        else:
            trial.since, trial.paused = now, False

    def _finish(self, event: TrialFinished) -> None:
        result = event.result
        self.running.pop(result.number, None)
        self._results[result.number] = result
        self.done += 1
        self.failed += result.state is TrialState.FAILED
        self.advanced = None
        if event.best is not None and event.best != self.best:
            self.history.append((self.total_elapsed, event.best))
            if result.score == event.best:
                self.best_trial = (result.number, result.config)
        self.best = event.best

    def _trials_left(self) -> float | None:
        """Seconds that the trials still to come take, if they take what those before took."""
        done = self.done - self._done_before
        search = next((stage for stage in self.stages if stage.name == "search"), None)
        if self.trials is None or search is None or not done or self.done >= self.trials:
            return None
        return (self.elapsed - search.begun) / done * (self.trials - self.done)

    def _under_way(self, trial: Running) -> TrialLine:
        score = self.own(trial.curve[-1]) if trial.curve else None
        seconds = trial.seconds(self.elapsed)
        return _line(None, trial.number, trial.config, score, seconds, trial.curve)

    def _ended(self, rank: int, result: TrialResult) -> TrialLine:
        score = None if result.score is None else self.own(result.score)
        curve = [epoch.score for epoch in result.curve]
        return _line(rank, result.number, result.config, score, result.seconds, curve)


def best_over_time(progress: Progress, steps: int) -> list[float]:
    """The best score at so many moments, equally far apart, from the first score to now; empty before it.

    Returns:
        At most `steps` scores, greater being better.
    """
    if not progress.history or steps < 2:
        return []
    first, last = progress.history[0][0], progress.total_elapsed
    scores, at = [], 0
    for step in range(steps):
        moment = first + (last - first) * step / (steps - 1)
        while at + 1 < len(progress.history) and progress.history[at + 1][0] <= moment:
            at += 1
        scores.append(progress.history[at][1])
    return scores


def clock_time(seconds: float) -> str:
    """A duration as on a clock: 0:07, 12:34, 1:02:03."""
    whole = int(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


def _line(
    rank: int | None,
    number: int,
    config: TrialConfig,
    score: float | None,
    seconds: float,
    curve: Sequence[float],
) -> TrialLine:
    names = config.backbone, config.strategy
    return TrialLine(rank, number, *names, len(curve), config.epochs, score, seconds, tuple(curve))
