"""What a search tells whoever watches it: one event type a kind of news, handed to a `Listener`.

Events go to JSON and back, so that a run can be followed from another process (`autotl.search.event_log`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, get_args

from autotl.config import EpochResult, TrialConfig, TrialResult
from autotl.task import Task, metric


@dataclass(frozen=True)
class RunStarted:
    """A run begins, or goes on after a break.

    Attributes:
        started: When, as ISO 8601 with a time zone.
        time_seconds: The budget of time; None for no limit.
        trials: The budget of trials; None for no limit.
        resumed: Whether an earlier process began it.
    """

    started: str
    time_seconds: float | None = None
    trials: int | None = None
    resumed: bool = False


@dataclass(frozen=True)
class StageStarted:
    """A stage begins.

    One of "read", "profile", "first model", "probe", "search", "choose", "distill", "refit", "export",
    "control", "test", "audit", "explain", "report", in this order.
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
class TrialPaused:
    """A trial waits on disk, for others to go first."""

    number: int


@dataclass(frozen=True)
class TrialResumed:
    """A paused trial goes on."""

    number: int


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


@dataclass(frozen=True)
class RunEnded:
    """A run is over.

    Attributes:
        state: "finished", with a model and a report; "failed"; "interrupted", by a person.
        error: What failed.
    """

    state: str
    error: str | None = None


Event = (
    RunStarted
    | StageStarted
    | DataRead
    | Advanced
    | TrialStarted
    | EpochDone
    | TrialPaused
    | TrialResumed
    | TrialFinished
    | Note
    | RunEnded
)
Listener = Callable[[Event], None]


def silent(event: Event) -> None:
    """A listener that ignores all."""


_KINDS: dict[str, type[Event]] = {kind.__name__: kind for kind in get_args(Event)}
#: Fields that are objects with a JSON form of their own.
_FORMS: dict[str, Any] = {"task": Task, "config": TrialConfig, "epoch": EpochResult, "result": TrialResult}
#: What a plain field may hold, by its annotation; bool is no number here.
_TYPES: dict[str, tuple[type, ...]] = {"str": (str,), "bool": (bool,), "int": (int,), "float": (int, float)}


def to_json(event: Event) -> dict[str, Any]:
    """A JSON-ready dictionary: the event's type under "event", then its fields; `from_json` inverts it."""
    values = {field.name: getattr(event, field.name) for field in fields(event)}
    plain = {name: value.to_json() if name in _FORMS else value for name, value in values.items()}
    return {"event": type(event).__name__, **plain}


def from_json(value: Mapping[str, Any]) -> Event:
    """Rebuild what `to_json` wrote; fields that came with a later version are left out.

    Raises:
        ValueError, TypeError, KeyError, AttributeError, OverflowError: It is no event, or has values of other
            types.
    """
    kind = _KINDS[value["event"]]
    given = {field.name: field for field in fields(kind) if field.name in value}
    event = kind(**{name: _field(name, str(field.type), value[name]) for name, field in given.items()})
    _check_parts(event)
    return event


def _field(name: str, annotation: str, value: Any) -> Any:
    """The value of one field."""
    if name in _FORMS:
        return _FORMS[name].from_json(value)
    wanted, _, optional = annotation.partition(" | ")
    if value is None and optional:
        return None
    if not isinstance(value, _TYPES[wanted]) or (isinstance(value, bool) and wanted != "bool"):
        raise TypeError(f"{name} is {type(value).__name__}, not {annotation}")
    return _finite(value) if wanted in ("int", "float") else value


def _check_parts(event: Event) -> None:
    """Refuse an event of which a part would mislead or fail those who show it.

    Raises:
        ValueError, TypeError: A part is of another type, not finite, or names no metric.
    """
    if isinstance(event, DataRead):
        metric(event.task.metric, event.task.kind)
    elif isinstance(event, EpochDone):
        for number in (event.epoch.epoch, event.epoch.score, event.epoch.seconds):
            _finite(number)
    elif isinstance(event, TrialStarted):
        _check_config(event.config)
    elif isinstance(event, TrialFinished):
        result = event.result
        _check_config(result.config)
        for number in (result.number, result.seconds, *(epoch.score for epoch in result.curve)):
            _finite(number)
        if result.score is not None:
            _finite(result.score)


def _check_config(config: TrialConfig) -> None:
    if not (isinstance(config.backbone, str) and isinstance(config.strategy, str)):
        raise TypeError("names of backbone and strategy are no text")
    _finite(config.epochs)


def _finite(value: Any) -> Any:
    if not math.isfinite(value):
        raise ValueError(f"{value} is not finite")
    return value
