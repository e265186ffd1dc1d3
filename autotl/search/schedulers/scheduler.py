"""The protocol of a scheduler, and how one is found: the files beside this one, and entry points."""

from __future__ import annotations

from enum import Enum
from typing import Protocol, runtime_checkable

from autotl.errors import SettingsError
from autotl.registry import discover, named
from autotl.search.board import Board, Standing


class Verdict(Enum):
    """What becomes of a trial after an epoch."""

    GO_ON = "go on"
    PAUSE = "pause"
    STOP = "stop"


class Scheduler(Protocol):
    """Decides who gets the next epoch. A stateless object, exported as `SCHEDULER` by its file.

    Every method is a function of the board, and cheap: milliseconds at hundreds of trials.
    """

    name: str

    def judge(self, trial: Standing, board: Board) -> Verdict:
        """What becomes of a trial that has just finished an epoch, and has more to do."""

    def pick(self, board: Board, *, fresh: bool) -> int | None:
        """The paused trial that goes on in a free slot; None begins a new trial.

        Args:
            board: How all stand.
            fresh: Whether a new trial may be begun; where not, None ends the search.
        """

    def enough(self, board: Board) -> str | None:
        """Why the search may end although time is left; None where it should go on."""


@runtime_checkable
class Chooser(Scheduler, Protocol):
    """A scheduler that also chooses what is tried next; others take the sampler's first offer.

    Attributes:
        choice: Among how many offers.
    """

    choice: int

    def choose(self, board: Board) -> int:
        """Which of the board's offers, at least one, is begun."""


def schedulers() -> dict[str, Scheduler]:
    """All schedulers by name."""
    return discover("autotl.search.schedulers", "SCHEDULER")


def scheduler(name: str) -> Scheduler:
    """The scheduler called `name`.

    Raises:
        SettingsError: There is none.
    """
    return named(name, schedulers(), "scheduler", SettingsError)
