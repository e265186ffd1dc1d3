"""The protocol between the search and whatever runs trials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from autotl.config import EpochResult, TrialConfig, TrialResult, TrialState


class Trial(Protocol):
    """One configuration under way."""

    number: int
    config: TrialConfig

    @property
    def done(self) -> bool:
        """Whether the strategy has nothing left to do."""

    @property
    def keeps_deadline(self) -> bool:
        """Whether `step` ends at the deadline by itself, however long an epoch is."""

    def step(self) -> EpochResult:
        """One epoch, scored on validation. Errors of training come out as they are."""

    def pause(self) -> TrialResult:
        """Write what `finish` writes, and what `TrialFactory.resume` needs; gives the result so far, PAUSED.

        The trial may be dropped after, or go on: then it was a checkpoint.
        """

    def finish(self, state: TrialState, error: str | None = None) -> TrialResult:
        """Write the best weights and validation outputs to the run folder, then give the result.

        `error` is what ended it, if anything did; where it had done epochs before, these count. A FAILED
        trial writes no weights and has no score. Frees memory; the trial is unusable after.
        """


@dataclass(frozen=True)
class Price:
    """What a trial is expected to take.

    Attributes:
        first: Least seconds until a first score worth having; loading and missing features are included.
        whole: Seconds of the whole trial, None where unknown.
    """

    first: float
    whole: float | None = None


class TrialFactory(Protocol):
    """Starts trials on a data set; the only thing that a search backend knows of training."""

    def start(self, number: int, config: TrialConfig) -> Trial:
        """Prepare a trial: load the backbone, open the feature cache. May raise `TrialError`."""

    def resume(self, result: TrialResult) -> Trial:
        """Go on with a paused trial, from what `Trial.pause` wrote and gave."""

    def price(self, config: TrialConfig) -> Price | None:
        """What `config` is expected to take, None where nothing is known. Cheap: every offer is asked."""

    def close(self) -> None:
        """Let go of what trials share."""
