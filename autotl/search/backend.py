"""The protocol between the search loop and whatever executes trials: here, elsewhere, or simulated.

A backend runs what it is told and reports; which trial runs next and until when is the loop's decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from autotl.config import EpochResult, TrialConfig, TrialResult, TrialState


@dataclass(frozen=True)
class Stepped:
    """A trial finished an epoch.

    Attributes:
        number: The trial.
        epoch: What the epoch measured.
        seconds: Wall-clock time that the step took, all included; the first contains the trial's start.
        done: The strategy has nothing left to do; `Ended` follows without being asked for.
        keeps_deadline: Whether the trial's steps end at the deadline by themselves.
    """

    number: int
    epoch: EpochResult
    seconds: float
    done: bool
    keeps_deadline: bool = False


@dataclass(frozen=True)
class Ended:
    """A trial is over: its weights are on disk, or `result` says why there are none."""

    result: TrialResult


@dataclass(frozen=True)
class Paused:
    """A trial waits on disk; `result` is what it has reached."""

    result: TrialResult


BackendEvent = Stepped | Paused | Ended


class SearchBackend(Protocol):
    """Runs trials."""

    @property
    def slots(self) -> int:
        """How many trials may be under way at once."""

    def start(self, number: int, config: TrialConfig) -> None:
        """Begin a trial. Its errors come out as an `Ended` with a failed result, never from here."""

    def pause(self, number: int) -> None:
        """Put a trial to disk after its epoch; `Paused` follows, or `Ended` where that fails."""

    def resume(self, result: TrialResult) -> None:
        """Go on with a paused trial, from the result that came with `Paused`."""

    def poll(self) -> Sequence[BackendEvent]:
        """What has happened since the last call; waits for the next event while a trial is under way."""

    def stop(self, number: int, state: TrialState, error: str | None = None) -> None:
        """End a trial in `state`, keeping its best epoch; `Ended` follows. Not needed after `done`."""

    def now(self) -> float:
        """The backend's clock in seconds (simulated ones run ahead of the wall)."""
