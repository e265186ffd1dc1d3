"""What the winner got wrong on the test part: confusion, scores a class, calibration, the worst rows.

Pure NumPy on targets and predictions; drawing and wording are left to others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.report import words
from autotl.report.recorded import LARGEST, plain
from autotl.report.reliability import Reliability, reliability, uncalibrated
from autotl.report.thresholds import Thresholds, label_thresholds, thresholds
from autotl.task import THRESHOLD, TaskKind

Array = NDArray[Any]
#: Classes that a confusion matrix shows at most.
MOST_CLASSES = 20
_ROUNDING = 1e-4
_MOST_MISSES = 10


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
class Misjudged:
    """The label of a row whose probability lies farthest from the truth.

    Attributes:
        index: Of the label among the outputs.
        name: Its name.
        missed: Whether it applies and was not given; else it was given wrongly.
    """

    index: int
    name: str
    missed: bool


@dataclass(frozen=True)
class Miss:
    """One row that went wrong.

    Attributes:
        name: Of the row.
        true, predicted: Class, labels or value.
        weight: What sorts them: confidence in the wrong class, how far the worst label is off, or the
            absolute residual.
        label: Of several labels, the one that is off so far.
    """

    name: str
    true: str
    predicted: str
    weight: float
    label: Misjudged | None = None


@dataclass(frozen=True)
class Mistakes:
    """Everything known of the predictions of N test rows; parts that do not apply are empty or None.

    `uncalibrated` is `reliability` as it was before the temperature; None where that changed nothing.
    `thresholds` are of the second of two classes, or of all labels together.
    """

    kind: TaskKind
    rows: int
    wrong: int | None = None
    classes: tuple[ClassScore, ...] = ()
    confusion: Confusion | None = None
    pairs: tuple[Pair, ...] = ()
    reliability: Reliability | None = None
    uncalibrated: Reliability | None = None
    thresholds: Thresholds | None = None
    label_thresholds: tuple[Thresholds, ...] = ()
    misses: tuple[Miss, ...] = ()
    wrong_names: tuple[str, ...] = ()
    targets: Array | None = None
    values: Array | None = None


def mistakes(
    kind: TaskKind,
    classes: Sequence[str],
    targets: Array,
    predictions: Array,
    names: Array | None = None,
    temperature: float | None = None,
) -> Mistakes | None:
    """Look at test predictions.

    Args:
        kind: Kind of task.
        classes: Class or label names in the order of the outputs; made up where too few are given.
        targets: Class indices (N,), indicators (N, K) or values (N,).
        predictions: Probabilities (N, K) or values (N,).
        names: (N,) names of the rows, or None.
        temperature: What calibration divided the logits by.

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
        if targets.shape != predictions.shape:
            return None
        targets = targets > 0
        found = _multilabel(targets, predictions, labels, rows)
    else:
        targets = targets.astype(np.int64)
        if targets.min() < 0 or targets.max() >= outputs:
            return None
        found = _classes(kind, targets, predictions, labels, rows)
    return replace(found, **_calibration(kind, targets, predictions, temperature))


def _numeric(values: Array) -> bool:
    return values.ndim in (1, 2) and values.size > 0 and values.dtype.kind in "biuf"


def _usable(values: Array) -> Array:
    """(N,) whether every value of a row is a number that can be shown."""
    return np.asarray((np.abs(values.reshape(len(values), -1).astype(float)) <= LARGEST).all(axis=1))


def _regression(targets: Array, values: Array, rows: Sequence[str]) -> Mistakes:
    residuals = np.abs(values - targets)
    worst = np.argsort(-residuals, kind="stable")[:_MOST_MISSES]
    misses = tuple(
        Miss(rows[i], words.score(targets[i]), words.score(values[i]), float(residuals[i])) for i in worst
    )
    return Mistakes(TaskKind.REGRESSION, len(rows), misses=misses, targets=targets, values=values)


def _multilabel(targets: Array, predictions: Array, labels: Sequence[str], rows: Sequence[str]) -> Mistakes:
    predicted = predictions >= THRESHOLD
    scores = _scores((targets & predicted).sum(axis=0), targets.sum(axis=0), predicted.sum(axis=0), labels)
    wrong = np.flatnonzero((targets != predicted).any(axis=1))
    off = np.abs(targets - predictions)
    worst = wrong[np.argsort(-off.max(axis=1)[wrong], kind="stable")][:_MOST_MISSES]
    misses = tuple(
        Miss(
            rows[i],
            _together(labels, targets[i]),
            _together(labels, predicted[i]),
            float(off[i].max()),
            Misjudged(int(k := off[i].argmax()), labels[k], bool(targets[i, k])),
        )
        for i in worst.tolist()
    )
    return Mistakes(
        TaskKind.MULTILABEL,
        len(targets),
        len(wrong),
        scores,
        thresholds=thresholds(targets, predictions, "any label"),
        label_thresholds=label_thresholds(targets, predictions, labels),
        misses=misses,
        wrong_names=tuple(rows[i] for i in wrong.tolist()),
    )


def _together(labels: Sequence[str], applies: Array) -> str:
    """The labels that apply, in a line."""
    return ", ".join(labels[k] for k in np.flatnonzero(applies).tolist()) or "none"


def _calibration(
    kind: TaskKind, targets: Array, predictions: Array, temperature: float | None
) -> dict[str, Any]:
    """Confidence against frequency, and how that was before calibration."""
    found: dict[str, Any] = {"reliability": reliability(targets, predictions)}
    if temperature is not None and temperature > 0 and temperature != 1:
        before = uncalibrated(predictions, temperature, several=kind is TaskKind.MULTILABEL)
        found["uncalibrated"] = reliability(targets, before)
    return found


def _classes(
    kind: TaskKind, targets: Array, predictions: Array, labels: Sequence[str], rows: Sequence[str]
) -> Mistakes:
    predicted, k = predictions.argmax(axis=1), len(labels)
    counts = np.bincount(targets * k + predicted, minlength=k * k).reshape(k, k)
    confidence = predictions.max(axis=1)
    wrong = np.flatnonzero(predicted != targets)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:_MOST_MISSES]
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
        thresholds=_of_second(targets, predictions, labels) if kind is TaskKind.BINARY else None,
        misses=misses,
        wrong_names=tuple(rows[i] for i in wrong.tolist()),
    )


def _of_second(targets: Array, predictions: Array, labels: Sequence[str]) -> Thresholds | None:
    """Curves of the second of two classes, which the metrics of binary tasks count as the positive one."""
    return thresholds(targets == 1, predictions[:, 1], labels[1]) if len(labels) == 2 else None


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
