"""What is to be predicted (`Task`) and how a prediction is judged (`Metric`).

Torch-free and data-free: it knows label semantics and metric names, nothing of files or networks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.errors import TargetError
from autotl.rank_metrics import OF_RANKS

Array = NDArray[Any]


#: Probability from which on a label of a multilabel task is given.
THRESHOLD = 0.5


class TaskKind(StrEnum):
    """The kinds of supervised task."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    MULTILABEL = "multilabel"
    REGRESSION = "regression"


@dataclass(frozen=True)
class Metric:
    """A score of predictions.

    Attributes:
        name: The field's standard name, in snake case.
        greater_is_better: False for losses and errors.
        function: `(targets, predictions) -> float`. Targets are class indices (N,) int64, label
            indicators (N, K) or values (N,) float; predictions are probabilities (N, K) or values (N,).
        kinds: The task kinds it is defined for.
        of_probabilities: Whether it judges probabilities of classes themselves, not the likeliest class.
    """

    name: str
    greater_is_better: bool
    function: Callable[[Array, Array], float]
    kinds: frozenset[TaskKind]
    of_probabilities: bool = False

    def __call__(self, targets: Array, predictions: Array) -> float:
        """The plain value of the metric, in its own direction."""
        return float(self.function(targets, predictions))

    def score(self, targets: Array, predictions: Array) -> float:
        """The value turned so that greater is better; what the search maximises."""
        return self.own(self(targets, predictions))

    def own(self, score: float) -> float:
        """A value turned so that greater is better, turned back; and the other way round."""
        return score if self.greater_is_better else -score


@dataclass(frozen=True)
class Task:
    """What is to be predicted.

    Attributes:
        kind: The kind of task. Binary is a choice between two classes (two probabilities).
        classes: Class or label names in the order of the model's outputs; empty for regression.
        metric: Name of the metric that selects models.
        target: The name of the target column, or "label".
    """

    kind: TaskKind
    classes: tuple[str, ...]
    metric: str
    target: str = "label"

    @property
    def outputs(self) -> int:
        """Number of network outputs, K (1 for regression)."""
        return 1 if self.kind is TaskKind.REGRESSION else len(self.classes)

    @property
    def is_classification(self) -> bool:
        """Whether each row has exactly one class."""
        return self.kind in (TaskKind.BINARY, TaskKind.MULTICLASS)

    def decide(self, outputs: Array) -> Array:
        """Predictions as targets are given: classes (N,), indicators of labels (N, K), or values (N,).

        Args:
            outputs: Probabilities (N, K), or values (N,).
        """
        if self.kind is TaskKind.REGRESSION:
            return outputs
        return np.asarray(
            outputs >= THRESHOLD if self.kind is TaskKind.MULTILABEL else outputs.argmax(axis=1)
        )

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary; `from_json` inverts it."""
        return {
            "kind": self.kind.value,
            "classes": list(self.classes),
            "metric": self.metric,
            "target": self.target,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Task:
        """Rebuild a task that `to_json` wrote."""
        kind = TaskKind(value["kind"])
        return cls(kind, tuple(value["classes"]), value["metric"], value.get("target", "label"))


def metric(name: str, kind: TaskKind) -> Metric:
    """Look a metric up by name for a kind of task.

    Raises:
        TargetError: No such metric, or it is not defined for this kind.
    """
    known = metrics(kind)
    if name not in known:
        others = [other.value for other in TaskKind if name in metrics(other)]
        close = get_close_matches(name, known, 1)
        raise TargetError(
            f"no metric of a {kind.value} task" if others else f"unknown metric for a {kind.value} task",
            found=f"{name!r}, of {' and '.join(others)} tasks" if others else repr(name),
            expected=", ".join(known),
            hint=f"Did you mean {close[0]}?" if close else None,
        )
    return known[name]


def metrics(kind: TaskKind) -> dict[str, Metric]:
    """All metrics defined for a kind of task, by name; the default is the first."""
    return {m.name: m for m in _METRICS if kind in m.kinds}


def default_metric(kind: TaskKind) -> str:
    """The metric used where the user names none."""
    return next(iter(metrics(kind)))


def trivial_prediction(task: Task, train_targets: Array, rows: int) -> Array:
    """Predictions that ignore the input: class frequencies, label frequencies or the mean.

    Returns:
        Probabilities (rows, K), or values (rows,) for regression.
    """
    if task.kind is TaskKind.REGRESSION:
        return np.full(rows, float(np.mean(train_targets)))
    if task.kind is TaskKind.MULTILABEL:
        return np.tile(np.mean(train_targets, axis=0), (rows, 1))
    counts = np.bincount(train_targets, minlength=len(task.classes))
    return np.tile(counts / counts.sum(), (rows, 1))


# --- the metrics; scikit-learn is imported where it is needed, because serving does without it ----------


def _accuracy(y: Array, p: Array) -> float:
    return float(np.mean(p.argmax(axis=1) == y))


def _balanced_accuracy(y: Array, p: Array) -> float:
    hit = p.argmax(axis=1) == y
    return float(np.mean([hit[y == c].mean() for c in np.unique(y)]))


def _f1(y: Array, predicted: Array, classes: Array) -> Array:
    """F1 a class, (K,); 0 where a class is neither present nor predicted."""
    tp = np.array([np.sum((y == c) & (predicted == c)) for c in classes], dtype=float)
    wrong = np.array([np.sum((y == c) != (predicted == c)) for c in classes], dtype=float)
    return np.asarray(2 * tp / np.maximum(2 * tp + wrong, 1.0))


def _macro_f1(y: Array, p: Array) -> float:
    predicted = p.argmax(axis=1)
    return float(_f1(y, predicted, np.union1d(y, predicted)).mean())


def _binary_f1(y: Array, p: Array) -> float:
    return float(_f1(y, p.argmax(axis=1), np.array([1]))[0])


def _log_loss(y: Array, p: Array) -> float:
    picked = p[np.arange(len(y)), y]
    return float(-np.log(np.clip(picked, 1e-12, 1.0)).mean())


def _mcc(y: Array, p: Array) -> float:
    from sklearn.metrics import matthews_corrcoef

    predicted = p.argmax(axis=1)
    return float(matthews_corrcoef(y, predicted)) if len(np.union1d(y, predicted)) > 1 else 0.0


def _multilabel_f1(average: str) -> Callable[[Array, Array], float]:
    def score(y: Array, p: Array) -> float:
        predicted, truth = p >= THRESHOLD, y.astype(bool)
        axis = None if average == "micro" else 0
        tp = np.sum(predicted & truth, axis=axis)
        wrong = np.sum(predicted ^ truth, axis=axis)
        return float(np.mean(2 * tp / np.maximum(2 * tp + wrong, 1)))

    return score


def _of_ranks(name: str) -> Callable[[Array, Array], float]:
    """NaN where rows show too few classes or labels to tell apart."""
    return lambda y, p: float(OF_RANKS[name](y, p, np.ones((1, len(y))))[0])


def _subset_accuracy(y: Array, p: Array) -> float:
    return float(np.mean(np.all((p >= THRESHOLD) == y.astype(bool), axis=1)))


def _r2(y: Array, p: Array) -> float:
    return float(1 - np.sum((y - p) ** 2) / max(float(np.sum((y - y.mean()) ** 2)), 1e-12))


def _pearson(y: Array, p: Array) -> float:
    if np.std(p) < 1e-12 or np.std(y) < 1e-12:
        return 0.0
    return float(np.corrcoef(y, p)[0, 1])


def _spearman(y: Array, p: Array) -> float:
    from scipy.stats import rankdata

    return _pearson(rankdata(y), rankdata(p))


_CLASSES = frozenset({TaskKind.BINARY, TaskKind.MULTICLASS})
_BINARY = frozenset({TaskKind.BINARY})
_LABELS = frozenset({TaskKind.MULTILABEL})
_VALUES = frozenset({TaskKind.REGRESSION})

_METRICS = (
    Metric("accuracy", True, _accuracy, _CLASSES),
    Metric("balanced_accuracy", True, _balanced_accuracy, _CLASSES),
    Metric("macro_f1", True, _macro_f1, _CLASSES),
    Metric("f1", True, _binary_f1, _BINARY),
    Metric("auroc", True, _of_ranks("auroc"), _CLASSES, of_probabilities=True),
    Metric("mcc", True, _mcc, _CLASSES),
    Metric("log_loss", False, _log_loss, _CLASSES, of_probabilities=True),
    Metric("macro_f1", True, _multilabel_f1("macro"), _LABELS),
    Metric("micro_f1", True, _multilabel_f1("micro"), _LABELS),
    Metric("mean_average_precision", True, _of_ranks("mean_average_precision"), _LABELS),
    Metric("subset_accuracy", True, _subset_accuracy, _LABELS),
    Metric("r2", True, _r2, _VALUES),
    Metric("rmse", False, lambda y, p: float(np.sqrt(np.mean((y - p) ** 2))), _VALUES),
    Metric("mae", False, lambda y, p: float(np.mean(np.abs(y - p))), _VALUES),
    Metric("pearson", True, _pearson, _VALUES),
    Metric("spearman", True, _spearman, _VALUES),
)
