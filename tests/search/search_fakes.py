"""Small made-up spaces and trials: learning curves by formula, no training."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from autotl.config import EpochResult, TrialConfig, TrialResult, TrialState
from autotl.errors import TrialError
from autotl.trial.run_folder import RunFolder
from autotl.trial.trial import Price


class CurveSpace:
    """Strategies "slow" and "fast", the latter with a condition; the best learning rate is 0.1."""

    def __init__(self, portfolio: int = 3, epochs: int = 3) -> None:
        self.epochs = epochs
        self._portfolio = [
            TrialConfig("net", "slow", {"epochs": epochs, "learning_rate": 0.01 * (i + 1)})
            for i in range(portfolio)
        ]

    def suggest(self, trial: Any) -> TrialConfig:
        strategy = trial.suggest_categorical("strategy", ["slow", "fast"])
        params: dict[str, Any] = {"epochs": self.epochs}
        params["learning_rate"] = trial.suggest_float("learning_rate", 1e-4, 1.0, log=True)
        if strategy == "fast":
            params["decay"] = trial.suggest_float("fast.decay", 0.0, 0.5)
        return TrialConfig("net", strategy, params)

    def portfolio(self) -> list[TrialConfig]:
        return list(self._portfolio)

    def to_optuna(self, config: TrialConfig) -> dict[str, Any]:
        values = {"strategy": config.strategy, "learning_rate": config.get("learning_rate")}
        if config.strategy == "fast":
            values["fast.decay"] = config.get("decay")
        return values


class TinySpace:
    """Four configurations in all."""

    def suggest(self, trial: Any) -> TrialConfig:
        return TrialConfig("net", "probe", {"k": trial.suggest_int("k", 1, 4)})

    def portfolio(self) -> list[TrialConfig]:
        return [TrialConfig("net", "probe", {"k": 2})]

    def to_optuna(self, config: TrialConfig) -> dict[str, Any]:
        return {"k": config.get("k")}


def curve_score(config: TrialConfig, epoch: int) -> float:
    """Rises with the epochs to a height that the distance of the learning rate from 0.1 lowers."""
    rate = float(config.get("learning_rate", 0.1))
    height = 0.9 / (1.0 + abs(rate - 0.1) * 5) - 0.2 * float(config.get("decay", 0.0))
    return height * (1 - 0.5**epoch)


@dataclass
class FakeTrial:
    keeps_deadline = False
    number: int
    config: TrialConfig
    folder: RunFolder
    score: Callable[[TrialConfig, int], float] = curve_score
    step_seconds: float = 0.0
    sleep: Callable[[float], None] = time.sleep
    fail: Callable[[int, int], BaseException | None] = lambda number, epoch: None
    curve: list[EpochResult] = field(default_factory=list)
    finishes: int = 0
    checkpoints: dict[int, list[EpochResult]] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        return len(self.curve) >= self.config.epochs

    def step(self) -> EpochResult:
        epoch = len(self.curve) + 1
        if error := self.fail(self.number, epoch):
            raise error
        if self.step_seconds:
            self.sleep(self.step_seconds)
        result = EpochResult(epoch, self.score(self.config, epoch), 1.0 / epoch, self.step_seconds)
        self.curve.append(result)
        return result

    def pause(self) -> TrialResult:
        self.checkpoints[self.number] = list(self.curve)
        return self.finish(TrialState.PAUSED)

    def finish(self, state: TrialState, error: str | None = None) -> TrialResult:
        self.finishes += 1
        if self.finishes > 1:
            raise TrialError("finished twice")
        failed = state is TrialState.FAILED
        if not failed:
            weights = self.folder.trial(self.number) / "model.safetensors"
            weights.parent.mkdir(parents=True, exist_ok=True)
            weights.write_bytes(b"weights")
        sound = [epoch for epoch in self.curve if math.isfinite(epoch.score)]
        best = max(sound, key=lambda e: e.score, default=None)
        return TrialResult(
            self.number,
            self.config,
            state,
            score=None if failed or best is None else best.score,
            curve=tuple(self.curve),
            error=error,
            best_epoch=0 if best is None else best.epoch,
        )


@dataclass
class FakeFactory:
    folder: RunFolder
    score: Callable[[TrialConfig, int], float] = curve_score
    step_seconds: float = 0.0
    sleep: Callable[[float], None] = time.sleep
    fail: Callable[[int, int], BaseException | None] = lambda number, epoch: None
    predict: Callable[[TrialConfig], float | None] = lambda config: None
    started: list[TrialConfig] = field(default_factory=list)
    trials: list[FakeTrial] = field(default_factory=list)
    resumed: list[int] = field(default_factory=list)
    checkpoints: dict[int, list[EpochResult]] = field(default_factory=dict)
    closed: bool = False

    def start(self, number: int, config: TrialConfig) -> FakeTrial:
        self.started.append(config)
        if error := self.fail(number, 0):
            raise error
        return self._trial(number, config, [])

    def resume(self, result: TrialResult) -> FakeTrial:
        self.resumed.append(result.number)
        if error := self.fail(result.number, 0):
            raise error
        return self._trial(result.number, result.config, self.checkpoints.pop(result.number))

    def _trial(self, number: int, config: TrialConfig, curve: list[EpochResult]) -> FakeTrial:
        trial = FakeTrial(
            number,
            config,
            self.folder,
            self.score,
            self.step_seconds,
            self.sleep,
            self.fail,
            curve,
            checkpoints=self.checkpoints,
        )
        self.trials.append(trial)
        return trial

    def price(self, config: TrialConfig) -> Price | None:
        first = self.predict(config)
        return None if first is None else Price(first)

    def close(self) -> None:
        self.closed = True


class FakeClock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
