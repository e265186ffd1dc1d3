"""What may be chosen (`Float`, `Int`, `Choice`), what a trial is given and what it leaves.

Plain frozen values that go to JSON and back; nothing here trains, stores or ranks.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import Any

Value = str | int | float | bool | None


@dataclass(frozen=True)
class Float:
    """A real parameter in [low, high]; `log` searches its logarithm."""

    low: float
    high: float
    default: float
    log: bool = False

    def contains(self, value: Value) -> bool:
        """Whether `value` lies in the domain."""
        return isinstance(value, (int, float)) and self.low <= value <= self.high


@dataclass(frozen=True)
class Int:
    """A whole-number parameter in [low, high]."""

    low: int
    high: int
    default: int
    log: bool = False

    def contains(self, value: Value) -> bool:
        """Whether `value` lies in the domain."""
        return isinstance(value, int) and self.low <= value <= self.high


@dataclass(frozen=True)
class Choice:
    """One of a few values."""

    options: tuple[Value, ...]
    default: Value

    def contains(self, value: Value) -> bool:
        """Whether `value` is one of the options."""
        return value in self.options


Domain = Float | Int | Choice


@dataclass(frozen=True)
class TrialConfig:
    """One point of the search space.

    Attributes:
        backbone: Name of a backbone in the catalogue.
        strategy: Name of a strategy.
        params: Every other choice, by name: those of the space (`learning_rate`, `epochs`,
            `batch_size`, `augment`, `input_size`, ...) that the strategy reads.
    """

    backbone: str
    strategy: str
    params: Mapping[str, Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "params", MappingProxyType(dict(sorted(self.params.items()))))

    def __reduce__(self) -> tuple[Any, ...]:
        return TrialConfig, (self.backbone, self.strategy, dict(self.params))

    def get(self, name: str, default: Value = None) -> Any:
        """The parameter `name`, or `default` where the space does not set it."""
        return self.params.get(name, default)

    @property
    def epochs(self) -> int:
        """Whole epochs the trial may take; 1 for strategies that fit in one step."""
        return int(self.get("epochs", 1))

    @property
    def fits_in_one_step(self) -> bool:
        """Whether it is fitted at once, without epochs of training."""
        return "epochs" not in self.params

    def __hash__(self) -> int:
        return hash(self.key)

    @cached_property
    def key(self) -> str:
        """A short stable hash of the configuration."""
        text = json.dumps(self.to_json(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary; `from_json` inverts it."""
        return {"backbone": self.backbone, "strategy": self.strategy, "params": dict(self.params)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> TrialConfig:
        """Rebuild a configuration that `to_json` wrote."""
        return cls(value["backbone"], value["strategy"], value["params"])


@dataclass(frozen=True)
class EpochResult:
    """What one step of a trial measured on the validation part.

    Attributes:
        epoch: Epochs done so far, from 1.
        score: Validation score, greater is better.
        train_loss: Mean training loss of the epoch, NaN where there is none.
        seconds: Time this step took.
    """

    epoch: int
    score: float
    train_loss: float
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary; `from_json` inverts it. JSON has no NaN."""
        return {**vars(self), "train_loss": None if math.isnan(self.train_loss) else self.train_loss}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> EpochResult:
        """Rebuild what `to_json` wrote."""
        loss = value["train_loss"]
        return cls(**{**value, "train_loss": math.nan if loss is None else loss})


class TrialState(StrEnum):
    """How a trial stands."""

    RUNNING = "running"
    PAUSED = "paused"
    COMPLETE = "complete"
    PRUNED = "pruned"
    FAILED = "failed"


#: The fact that tells why a finished trial may not be delivered in this run, in words.
LEFT_OUT = "left_out"


@dataclass(frozen=True)
class TrialResult:
    """What a trial has left. A failed trial has an error and no score, never a fake one.

    One that failed after it had done epochs is PRUNED with its error: the best of them counts.

    Attributes:
        number: The trial's number in the study; trial 0 is the ten-line baseline.
        config: What was tried.
        state: How it ended.
        score: Best validation score (greater is better), None where none was reached.
        curve: One entry an epoch.
        seconds: Wall-clock time of the trial, features that it had to compute included.
        peak_bytes: Highest anonymous memory of the process seen during the trial.
        error: Message of what failed.
        best_epoch: The epoch (from 1) whose weights were kept.
        facts: Measured beside the score: `parameters`, `size_bytes`, `latency_ms`, `licence`, ...
    """

    number: int
    config: TrialConfig
    state: TrialState
    score: float | None = None
    curve: tuple[EpochResult, ...] = ()
    seconds: float = 0.0
    peak_bytes: int = 0
    error: str | None = None
    best_epoch: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def left_out(self) -> str | None:
        """Why it may not be delivered, although it has a score; None where it may.

        A run that goes on may allow less than it did when the trial was run.
        """
        reason: str | None = self.facts.get(LEFT_OUT)
        return reason

    def with_facts(self, **facts: Any) -> TrialResult:
        """A copy with more measured facts."""
        return replace(self, facts={**self.facts, **facts})

    def without_fact(self, name: str) -> TrialResult:
        """A copy that does not know a fact."""
        return replace(self, facts={known: value for known, value in self.facts.items() if known != name})

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary; `from_json` inverts it."""
        return {
            "number": self.number,
            "config": self.config.to_json(),
            "state": self.state.value,
            "score": self.score,
            "curve": [epoch.to_json() for epoch in self.curve],
            "seconds": self.seconds,
            "peak_bytes": self.peak_bytes,
            "error": self.error,
            "best_epoch": self.best_epoch,
            "facts": dict(self.facts),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> TrialResult:
        """Rebuild a result that `to_json` wrote."""
        fields = dict(value)
        fields["config"] = TrialConfig.from_json(fields["config"])
        fields["state"] = TrialState(fields["state"])
        fields["curve"] = tuple(EpochResult.from_json(epoch) for epoch in fields["curve"])
        return cls(**fields)
