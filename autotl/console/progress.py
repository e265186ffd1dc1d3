"""`Progress`: where a search stands, folded from its events. Knows nothing of how it is shown."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from autotl.config import TrialConfig, TrialState
from autotl.search.events import (
    Advanced,
    DataRead,
    EpochDone,
    Event,
    Note,
    StageStarted,
    TrialFinished,
    TrialStarted,
)
from autotl.task import Metric, metric

#: How many notes are kept for the display.
_NOTES = 4


@dataclass
class Running:
    """A trial under way."""

    number: int
    config: TrialConfig
    curve: list[float] = field(default_factory=list)


class Progress:
    """Where a search stands.

    Args:
        time_seconds: The budget of time; None for no limit.
        trials: The budget of trials; None for no limit.
        clock: A monotonic clock in seconds.
    """

    def __init__(
        self,
        time_seconds: float | None,
        trials: int | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.time_seconds, self.trials = time_seconds, trials
        self._clock, self._start = clock, clock()
        self.stage, self.detail = "start", ""
        self.advanced: Advanced | None = None
        self.metric: Metric | None = None
        self.running: dict[int, Running] = {}
        self.done = self.failed = 0
        self.best: float | None = None
        self.best_trial: tuple[int, TrialConfig] | None = None
        self.notes: deque[Note] = deque(maxlen=_NOTES)

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start

    @property
    def left(self) -> float | None:
        """Seconds left of the budget, at least 0; None without a limit."""
        return None if self.time_seconds is None else max(self.time_seconds - self.elapsed, 0.0)

    def shown(self, score: float) -> str:
        """A score as a person reads it: in the metric's own direction."""
        return f"{score if self.metric is None else self.metric.own(score):.4f}"

    def update(self, event: Event) -> None:
        """Take in one event."""
        match event:
            case StageStarted():
                self.stage, self.detail, self.advanced = event.name, event.detail, None
            case DataRead():
                self.metric = metric(event.task.metric, event.task.kind)
            case Advanced():
                self.advanced = event
            case TrialStarted():
                self.running[event.number] = Running(event.number, event.config)
            case EpochDone():
                if event.number in self.running:
                    self.running[event.number].curve.append(event.epoch.score)
            case TrialFinished():
                self._finish(event)
            case Note():
                self.notes.append(event)

    def _finish(self, event: TrialFinished) -> None:
        result = event.result
        self.running.pop(result.number, None)
        self.done += 1
        self.failed += result.state is TrialState.FAILED
        self.advanced = None
        if event.best is not None and result.score is not None and result.score == event.best != self.best:
            self.best_trial = (result.number, result.config)
        self.best = event.best


def clock_time(seconds: float) -> str:
    """A duration as on a clock: 0:07, 12:34, 1:02:03."""
    whole = int(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"
