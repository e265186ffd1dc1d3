"""What the winner got wrong on the test part: confusion, scores a class, calibration, the worst rows.

Pure NumPy on targets and predictions; drawing and wording are left to others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.leaderboard.calibration import expected_calibration_error
from autotl.report import words
from autotl.report.recorded import LARGEST, plain
from autotl.task import THRESHOLD, TaskKind

Array = NDArray[Any]
#: Classes that a confusion matrix shows at most.
MOST_CLASSES = 20
_BINS = 10
_ROUNDING = 1e-4


@dataclass(frozen=True)
class ClassScore:
    """Precision, recall and F1 of one class or label, each None where it is undefined; n true rows."""

    name: str
    precision: float | None
    recall: float | None
    f1: float | None
    n: int


@dataclass(frozen=True)
class Confusion:
    """Counts (C, C) int64, true class by row, of the classes shown; `left_out` classes are not."""

    names: tuple[str, ...]
    counts: Array
    row_totals: Array
    left_out: int


@dataclass(frozen=True)
class Pair:
    """`count` rows of class `true` were called `predicted`; `share` of all rows of `true`."""

    true: str
    predicted: str
    count: int
    share: float


@dataclass(frozen=True)
class Reliability:
    """Mean confidence, observed frequency and rows by bin of equal width; empty bins are left out.

    `error` is the expected calibration error (`leaderboard.calibration`, with finer bins).
    """

    confidence: Array
    frequency: Array
    counts: Array
    error: float


@dataclass(frozen=True)
class Miss:
    """One row that went wrong. `weight` sorts them: confidence in the wrong class, or absolute residual."""

    name: str
    true: str
    predicted: str
    weight: float


@dataclass(frozen=True)
class Mistakes:
    """Everything known of the predictions of N test rows; parts that do not apply are empty or None."""

    kind: TaskKind
    rows: int
    wrong: int | None = None
    classes: tuple[ClassScore, ...] = ()
    confusion: Confusion | None = None
    pairs: tuple[Pair, ...] = ()
    reliability: Reliability | None = None
    misses: tuple[Miss, ...] = ()
    targets: Array | None = None
    values: Array | None = None


def mistakes(
    kind: TaskKind, classes: Sequence[str], targets: Array, predictions: Array, names: Array | None = None
) -> Mistakes | None:
    """Look at test predictions.

    Args:
        kind: Kind of task.
        classes: Class or label names in the order of the outputs; made up where too few are given.
        targets: Class indices (N,), indicators (N, K) or values (N,).
        predictions: Probabilities (N, K) or values (N,).
        names: (N,) names of the rows, or None.

    Returns:
        None where the arrays do not fit each other or the task, are no probabilities, or have no finite row.
    """
    if not (_numeric(targets) and _numeric(predictions)) or len(targets) != len(predictions):
        return None
    if targets.ndim != (2 if kind is TaskKind.MULTILABEL else 1):
        return None
    if predictions.ndim != (1 if kind is TaskKind.REGRESSION else 2):
        return None
    finite = _usable(targets) & _usable(predictions)
    if not finite.any():
        return None
    if names is None or len(names) != len(targets):
        names = np.array([f"row {i}" for i in range(len(targets))])
    rows = [plain(name) for name in names[finite]]
    targets, predictions = targets[finite], predictions[finite]
    if kind is TaskKind.REGRESSION:
        return _regression(targets.astype(float), predictions.astype(float), rows)
    if predictions.min() < -_ROUNDING or predictions.max() > 1 + _ROUNDING:
        return None
    outputs = predictions.shape[1]
    labels = [plain(classes[k]) if k < len(classes) else f"class {k}" for k in range(outputs)]
    if kind is TaskKind.MULTILABEL:
        return _multilabel(targets, predictions, labels) if targets.shape == predictions.shape else None
    targets = targets.astype(np.int64)
    if targets.min() < 0 or targets.max() >= outputs:
        return None
    return _classes(kind, targets, predictions, labels, rows)


def _numeric(values: Array) -> bool:
    return values.ndim in (1, 2) and values.size > 0 and values.dtype.kind in "biuf"


def _usable(values: Array) -> Array:
    """(N,) whether every value of a row is a number that can be shown."""
    return np.asarray((np.abs(values.reshape(len(values), -1).astype(float)) <= LARGEST).all(axis=1))


def _regression(targets: Array, values: Array, rows: Sequence[str]) -> Mistakes:
    residuals = np.abs(values - targets)
    worst = np.argsort(-residuals, kind="stable")[:10]
    misses = tuple(
        Miss(rows[i], words.score(targets[i]), words.score(values[i]), float(residuals[i])) for i in worst
    )
    return Mistakes(TaskKind.REGRESSION, len(rows), misses=misses, targets=targets, values=values)


def _multilabel(targets: Array, predictions: Array, labels: Sequence[str]) -> Mistakes:
    truth, predicted = targets > 0, predictions >= THRESHOLD
    scores = _scores((truth & predicted).sum(axis=0), truth.sum(axis=0), predicted.sum(axis=0), labels)
    wrong = int((truth != predicted).any(axis=1).sum())
    error = expected_calibration_error(predictions, truth)
    reliability = _reliability(predictions.ravel(), truth.ravel(), error)
    return Mistakes(TaskKind.MULTILABEL, len(truth), wrong, scores, reliability=reliability)


def _classes(
    kind: TaskKind, targets: Array, predictions: Array, labels: Sequence[str], rows: Sequence[str]
) -> Mistakes:
    predicted, k = predictions.argmax(axis=1), len(labels)
    counts = np.bincount(targets * k + predicted, minlength=k * k).reshape(k, k)
    confidence = predictions.max(axis=1)
    wrong = np.flatnonzero(predicted != targets)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:10]
    misses = tuple(
        Miss(rows[i], labels[targets[i]], labels[predicted[i]], float(confidence[i])) for i in worst.tolist()
    )
    return Mistakes(
        kind,
        len(rows),
        len(wrong),
        _scores(np.diag(counts), counts.sum(axis=1), counts.sum(axis=0), labels),
        _confusion(counts, labels),
        _pairs(counts, labels),
        _reliability(confidence, predicted == targets, expected_calibration_error(predictions, targets)),
        misses,
    )


def _scores(hits: Array, true: Array, called: Array, labels: Sequence[str]) -> tuple[ClassScore, ...]:
    def ratio(over: float, under: float) -> float | None:
        return float(over / under) if under else None

    return tuple(
        ClassScore(name, ratio(h, c), ratio(h, t), ratio(2 * h, t + c), int(t))
        for name, h, t, c in zip(labels, hits, true, called, strict=True)
    )


def _confusion(counts: Array, labels: Sequence[str]) -> Confusion:
    off = counts - np.diag(np.diag(counts))
    involved = off.sum(axis=0) + off.sum(axis=1)
    shown = np.arange(len(labels))
    if len(labels) > MOST_CLASSES:
        shown = np.sort(np.argsort(-involved, kind="stable")[:MOST_CLASSES])
    names = tuple(labels[i] for i in shown.tolist())
    return Confusion(names, counts[np.ix_(shown, shown)], counts.sum(axis=1)[shown], len(labels) - len(shown))


def _pairs(counts: Array, labels: Sequence[str], most: int = 10) -> tuple[Pair, ...]:
    off = (counts - np.diag(np.diag(counts))).ravel()
    totals = counts.sum(axis=1)
    order = np.argsort(-off, kind="stable")[:most]
    found = [(int(i) // len(labels), int(i) % len(labels), int(off[i])) for i in order if off[i] > 0]
    return tuple(Pair(labels[t], labels[p], n, n / int(totals[t])) for t, p, n in found)


def _reliability(confidence: Array, hit: Array, error: float) -> Reliability:
    bins = np.clip((confidence * _BINS).astype(int), 0, _BINS - 1)
    counts = np.bincount(bins, minlength=_BINS)
    kept = counts > 0
    mean = np.bincount(bins, confidence, _BINS)[kept] / counts[kept]
    frequency = np.bincount(bins, hit, _BINS)[kept] / counts[kept]
    return Reliability(mean, frequency, counts[kept], error)
