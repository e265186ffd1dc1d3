"""`Board`: how all trials of a search stand; all that a scheduler may look at.

Schedulers are functions of the board, so that a resumed search decides as the one that was broken off.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from autotl.config import EpochResult, TrialConfig, TrialResult, TrialState
from autotl.search.candidates import Probed
from autotl.search.lessons import Lesson
from autotl.trial.trial import Price


@dataclass
class Standing:
    """A trial that is not over.

    Attributes:
        number: The trial.
        config: What it tries.
        curve: Its epochs so far.
        step_seconds: Wall-clock time of its steps, one an epoch; the first holds what it took to begin.
        paused: Whether it waits on disk.
    """

    number: int
    config: TrialConfig
    curve: list[EpochResult] = field(default_factory=list)
    step_seconds: list[float] = field(default_factory=list)
    paused: bool = False

    @property
    def score(self) -> float:
        """Its best score so far, minus infinity before the first epoch."""
        return max((epoch.score for epoch in self.curve), default=-math.inf)

    @property
    def epochs_left(self) -> int:
        """Epochs until its schedule ends."""
        return max(0, self.config.epochs - len(self.curve))

    @property
    def epoch_seconds(self) -> float:
        """Expected seconds of its next epoch: those of the last; 0 before the first."""
        return self.step_seconds[-1] if self.step_seconds else 0.0


@dataclass(frozen=True)
class Prospect:
    """A trial that may be begun.

    Attributes:
        config: What it would try.
        price: What it is expected to take, None where nothing is known.
    """

    config: TrialConfig
    price: Price | None = None


@dataclass(eq=False)
class Board:
    """All trials of a search; a scheduler is shown a new one whenever something has happened.

    Attributes:
        open: Trials under way or paused, by number.
        finished: Results of the others, in the order in which they ended.
        left_out: Results of an earlier sitting that may not be delivered now: nothing is measured by them.
        seconds_left: Time left to search, infinite without a limit.
        may_begin: Whether the budget admits another trial.
        offers: What it may be, in the sampler's order; empty where the sampler is still to be asked.
        noise: Standard error of a validation score.
        lessons: What other data sets teach.
        probes: What probes of backbones have found on this one.
    """

    open: dict[int, Standing] = field(default_factory=dict)
    finished: list[TrialResult] = field(default_factory=list)
    left_out: list[TrialResult] = field(default_factory=list)
    seconds_left: float = math.inf
    may_begin: bool = True
    offers: Sequence[Prospect] = ()
    noise: float = 0.0
    lessons: Sequence[Lesson] = ()
    probes: Sequence[Probed] = ()

    @property
    def paused(self) -> list[Standing]:
        """Paused trials by number."""
        return [self.open[number] for number in sorted(self.open) if self.open[number].paused]

    @property
    def best(self) -> float:
        """The best score of all trials so far, minus infinity where there is none."""
        scores = [result.score for result in self.finished if result.score is not None]
        return max([*scores, *(trial.score for trial in self.open.values())], default=-math.inf)

    @property
    def started(self) -> int:
        """How many trials were begun."""
        return len(self.open) + len(self.finished) + len(self.left_out)

    def curves(self) -> Mapping[int, Sequence[EpochResult]]:
        """Learning curves of all trials that did not fail, by number."""
        sound = [result for result in self.finished if result.state is not TrialState.FAILED]
        found: dict[int, Sequence[EpochResult]] = {result.number: result.curve for result in sound}
        return found | {number: trial.curve for number, trial in self.open.items()}


def score_at(curve: Sequence[EpochResult], epoch: int) -> float | None:
    """The best score within the first `epoch` epochs; None for a curve that did not get so far."""
    if len(curve) < epoch:
        return None
    return max(point.score for point in curve[:epoch])
