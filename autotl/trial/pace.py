"""How fast this machine is, and so what a trial or a pass over rows is expected to take."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from autotl.config import TrialConfig, TrialResult
from autotl.strategies.registry import strategy
from autotl.trial.benches import Benches
from autotl.trial.plan import RunnerPlan
from autotl.trial.trial import Price

Array = NDArray[Any]
#: Share of an epoch below which a trial is not worth beginning.
_LEAST_PART = 0.3


class Pace:
    """Rates learnt from finished trials, and those that earlier runs measured.

    Args:
        plan: Rows and backbones.
        benches: Tell what is loaded, and what passes over rows took.
    """

    def __init__(self, plan: RunnerPlan, benches: Benches) -> None:
        self._infos, self._benches = plan.infos, benches
        self._all = plan.splits.train_and_val
        self._rows = len(self._all)
        self._heads: list[float] = []
        self._seen: dict[str, list[float]] = {}
        self._expected: dict[str, float] = {}

    @property
    def rates(self) -> dict[str, float]:
        """Multiply-accumulates a second of this machine, by strategy, "all" for any."""
        return {kind: statistics.median(rates) for kind, rates in self._seen.items()}

    def expect(self, rates: Mapping[str, float]) -> None:
        """Take over what earlier runs measured, until trials of this one tell better."""
        self._expected = dict(rates)

    def learn(self, result: TrialResult) -> None:
        """Learn from a finished trial.

        A frozen pass counts as if the trial had found no features there; loading the backbone and choosing an
        engine, which no second trial has to do, do not count.
        """
        if result.config.fits_in_one_step:
            self._heads.append(sum(epoch.seconds for epoch in result.curve))
        done = max(1, len(result.curve)) / max(1, result.config.epochs)
        row = self._benches.of(result.config).frozen.seconds_a_row
        seconds = self._rows * row + sum(epoch.seconds for epoch in result.curve)
        rate = self._cost(result.config) * done / max(seconds, 1e-3)
        for kind in ("all", result.config.strategy):
            self._seen.setdefault(kind, []).append(rate)

    def price(self, config: TrialConfig) -> Price | None:
        """Predicted seconds until a first score, and of the whole trial; None before any rate is known.

        A head on frozen features takes the time of missing features, and that of heads before it. A strategy
        with epochs fits its schedule to the time that is left: for a first score a part of one is enough.
        """
        frozen_pass = self.pass_seconds(config, self._all) if config.fits_in_one_step else None
        if frozen_pass is not None:
            seconds = frozen_pass + self._head_seconds()
            return Price(seconds, seconds)
        rates = self.rates
        rate = rates.get(config.strategy) or self._expected.get(config.strategy) or rates.get("all")
        if rate is None:
            return None
        part = 1.0 if config.fits_in_one_step else _LEAST_PART / config.epochs
        load = 0.0 if self._benches.is_loaded(config.backbone) else self._benches.load_seconds
        seconds = self._cost(config) / rate
        return Price(load + part * seconds, load + seconds)

    def pass_seconds(self, config: TrialConfig, rows: Array) -> float | None:
        """Predicted seconds to load a backbone and compute what features of some rows are missing.

        None before any pass was timed. A smaller input takes less time by its area.
        """
        paces = [bench.frozen.seconds_a_row / bench.backbone.info.macs for bench in self._benches]
        info = self._infos[config.backbone]
        row = max(paces, default=0.0) * info.macs_at(config.get("input_size"))
        if not self._benches.is_loaded(config.backbone):
            return self._benches.load_seconds + row * len(rows) if row else None
        frozen = self._benches.of(config).frozen
        row = frozen.seconds_a_row or row
        return row * frozen.missing(rows) if row else None

    def row_seconds(self) -> float:
        """Predicted seconds to decode one row and run the whole network on it."""
        return max((bench.frozen.seconds_a_row for bench in self._benches), default=0.0)

    def _head_seconds(self) -> float:
        """Seconds that fitting heads has taken so far, the median; 0 where none was fitted."""
        return statistics.median(self._heads) if self._heads else 0.0

    def _cost(self, config: TrialConfig) -> float:
        macs = self._infos[config.backbone].macs_at(config.get("input_size"))
        return strategy(config.strategy).cost(config, macs, self._rows)
