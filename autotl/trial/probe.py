"""`Prober`: what the frozen features of a backbone score on a few training rows, before training."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from autotl.config import TrialConfig
from autotl.data.stratify import spread
from autotl.features.transferability import (
    h_score,
    indicators,
    knn_accuracy,
    logme,
    ridge_accuracy,
    spectrum,
)
from autotl.strategies.linear_probe import depth_sets
from autotl.trial.runner import TrialRunner

Array = NDArray[Any]
Depths = tuple[int, ...]


@dataclass(frozen=True)
class ProbeScores:
    """What features score; see `autotl.features.transferability`.

    Attributes:
        ridge, knn: Accuracy without the row itself (multilabel: mean average precision; values: R2).
        logme, h_score: Without a natural scale.
    """

    ridge: float
    knn: float
    logme: float
    h_score: float


class Prober:
    """Scores features of training rows; they stay in the cache that trials read.

    Args:
        runner: Has the data, the backbones and their features.
        seed: Of the choice of rows. Fewer rows are a part of more.
    """

    def __init__(self, runner: TrialRunner, seed: int) -> None:
        self._runner, self._seed = runner, seed

    @property
    def rows(self) -> int:
        """Training rows there are."""
        return len(self._runner.splits.train)

    @property
    def classes(self) -> int:
        """Outputs of the task, K."""
        return self._runner.dataset.task.outputs

    def seconds(self, config: TrialConfig, rows: int) -> float | None:
        """Predicted seconds of `scores`; None before any pass was timed."""
        return self._runner.pace.pass_seconds(config, self._chosen(rows))

    def scores(
        self, config: TrialConfig, rows: int, names: Sequence[str], only: Container[Depths] | None = None
    ) -> dict[Depths, ProbeScores]:
        """Scores by depths.

        Args:
            config: Names the backbone and its preprocessing.
            rows: How many training rows, spread over the classes.
            names: Sets of depths as `linear_probe` names them.
            only: Depths to score; all unless given.
        """
        bench = self._runner.bench(config)
        dataset = self._runner.dataset
        chosen = self._chosen(rows)
        columns = indicators(dataset.targets[chosen], dataset.task.kind)
        found: dict[Depths, ProbeScores] = {}
        for depths in (d for name in names for d in depth_sets(name, bench.backbone.depth)):
            if depths in found or (only is not None and depths not in only):
                continue
            features = spectrum(bench.frozen.pooled(chosen, depths))
            found[depths] = ProbeScores(
                ridge_accuracy(features, columns, dataset.task.kind),
                knn_accuracy(features, columns, dataset.task.kind),
                logme(features, columns),
                h_score(features, columns),
            )
        return found

    def _chosen(self, rows: int) -> Array:
        return spread(self._runner.dataset.targets, self._runner.splits.train, rows, self._seed)
