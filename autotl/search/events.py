"""What a search tells whoever watches it: one event type a kind of news, handed to a `Listener`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from autotl.config import EpochResult, TrialConfig, TrialResult
from autotl.task import Task


@dataclass(frozen=True)
class StageStarted:
    """A stage begins.

    One of "read", "profile", "first model", "probe", "search", "choose", "distill", "refit", "export",
    "control", "test", "report", in this order.
    """

    name: str
    detail: str = ""


@dataclass(frozen=True)
class DataRead:
    """The data set is known; scores of later events are turned so that more is better."""

    rows: int
    task: Task


@dataclass(frozen=True)
class Advanced:
    """Part of a stage is done, for instance rows of features."""

    done: int
    total: int
    unit: str = "rows"


@dataclass(frozen=True)
class TrialStarted:
    """A trial begins."""

    number: int
    config: TrialConfig


@dataclass(frozen=True)
class EpochDone:
    """A trial finished an epoch."""

    number: int
    epoch: EpochResult


@dataclass(frozen=True)
class TrialFinished:
    """A trial ended; `best` is the best score so far, None where no trial has one."""

    result: TrialResult
    best: float | None


@dataclass(frozen=True)
class Note:
    """Something a person should know: a repair, a backbone left out, a budget cut short."""

    message: str
    warning: bool = False


Event = StageStarted | DataRead | Advanced | TrialStarted | EpochDone | TrialFinished | Note
Listener = Callable[[Event], None]


def silent(event: Event) -> None:
    """A listener that ignores all."""
