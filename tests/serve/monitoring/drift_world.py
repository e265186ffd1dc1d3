"""A world of four classes in twenty dimensions, a classifier that knows it, and ways in which it changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.serve.monitoring.reference import Reference
from autotl.task import Task, TaskKind

Array = NDArray[Any]
CLASSES = ("ant", "bee", "<cat>", "dog & co")
TASKS = {
    kind: Task(
        kind, () if kind is TaskKind.REGRESSION else CLASSES[: 2 if kind is TaskKind.BINARY else 4], "any"
    )
    for kind in TaskKind
}


@dataclass(frozen=True)
class Rows:
    """Rows as a bundle gives them, with the truth."""

    outputs: Array
    features: Array
    targets: Array


class World:
    """Draws rows.

    Args:
        kind: What is predicted.
        seed: Of the rows.
        width: Of the features.
    """

    def __init__(self, kind: TaskKind = TaskKind.MULTICLASS, seed: int = 0, width: int = 20) -> None:
        self.task = TASKS[kind]
        self.rng = np.random.default_rng(seed)
        fixed = np.random.default_rng(99)
        self._centres = fixed.normal(0, 1.1, (4, width))
        self._moved = fixed.normal(0, 1, width) / np.sqrt(width)

    def rows(
        self, count: int, *, shares: tuple[float, ...] | None = None, shift: float = 0.0, outside: float = 0.0
    ) -> Rows:
        """Rows; with other shares of classes, all inputs moved, or some of them far outside."""
        classes = 2 if self.task.kind is TaskKind.BINARY else 4
        targets = self.rng.choice(classes, count, p=shares or [1 / classes] * classes)
        features = self._centres[targets] + self.rng.normal(0, 1, (count, len(self._moved)))
        features += shift * self._moved
        far = self.rng.random(count) < outside
        features[far] += self.rng.normal(0, 5, (int(far.sum()), len(self._moved)))
        return Rows(*self._seen(features.astype(np.float32), targets, classes))

    def _seen(self, features: Array, targets: Array, classes: int) -> tuple[Array, Array, Array]:
        scores = features @ self._centres[:classes].T - (self._centres[:classes] ** 2).sum(axis=1) / 2
        if self.task.kind is TaskKind.REGRESSION:
            return features[:, 0], features, features[:, 0].astype(np.float64)
        if self.task.kind is TaskKind.MULTILABEL:
            truth = np.eye(4)[targets]
            return (1 / (1 + np.exp(-scores))).astype(np.float32), features, truth
        odds = np.exp(scores / 2 - (scores / 2).max(axis=1, keepdims=True))
        return (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32), features, targets

    def reference(self, count: int = 600) -> Reference:
        """The reference of fresh rows."""
        rows = self.rows(count)
        return Reference.of(self.task, rows.outputs, rows.features, rows.targets)
