"""The metrics of many bootstrap resamples at once, where a metric can be had from sums over rows.

Metrics of the confusion matrix draw whole matrices; those of sums and of curves draw how often each row
comes. The rest are computed resample by resample. Of the rest, and of curves, there are fewer resamples the
more rows there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.rank_metrics import OF_RANKS
from autotl.task import THRESHOLD, Metric

Array = NDArray[Any]

_NUMBERS_AT_ONCE = 4_000_000
_NUMBERS_IN_ALL, _FEWEST = 20_000_000, 50


def resampled(
    metric: Metric, targets: Array, predictions: Array, repeats: int, generator: np.random.Generator
) -> Array:
    """(R,) metrics of resamples drawn within each class; NaN where a resample leaves it undefined.

    R is `repeats`, or less where the metric has to be computed one by one and rows are many.
    """
    if _is_classes(targets) and predictions.ndim == 2 and metric.name in _OF_CONFUSION:
        return _from_confusions(_OF_CONFUSION[metric.name], targets, predictions, repeats, generator)
    strata = _strata(targets)
    found = _row_sums(metric.name, targets, predictions)
    if found is not None:
        rows, function = found
        drawn = _drawn(strata, repeats, generator)
        return np.concatenate([function(times @ rows, len(rows)) for times in drawn])
    fewer = min(repeats, most_repeats(predictions))
    if metric.name in OF_RANKS:
        drawn = _drawn(strata, fewer, generator)
        return np.concatenate([OF_RANKS[metric.name](targets, predictions, times) for times in drawn])
    return _one_by_one(metric, targets, predictions, fewer, generator)


def most_repeats(predictions: Array) -> int:
    """How many resamples are affordable where each takes a pass over the predictions."""
    return max(_FEWEST, _NUMBERS_IN_ALL // max(predictions.size, 1))


def _is_classes(targets: Array) -> bool:
    return targets.ndim == 1 and bool(np.issubdtype(targets.dtype, np.integer))


def _strata(targets: Array) -> list[Array]:
    """Row numbers of each class; all rows together where targets are no classes."""
    if _is_classes(targets):
        return [np.flatnonzero(targets == c) for c in np.unique(targets)]
    return [np.arange(len(targets))]


# --- metrics of the confusion matrix (R, K, K): [resample, true class, predicted class] --------------------


def _accuracy(matrix: Array) -> Array:
    return np.asarray(np.trace(matrix, axis1=1, axis2=2) / matrix.sum(axis=(1, 2)))


def _balanced_accuracy(matrix: Array) -> Array:
    right, true = np.diagonal(matrix, axis1=1, axis2=2), matrix.sum(axis=2)
    return np.asarray((right / np.maximum(true, 1)).sum(axis=1) / (true > 0).sum(axis=1))


def _f1_by_class(matrix: Array) -> tuple[Array, Array]:
    """F1 (R, K), and whether a class is there at all (R, K)."""
    right = np.diagonal(matrix, axis1=1, axis2=2)
    either = matrix.sum(axis=1) + matrix.sum(axis=2)
    return 2 * right / np.maximum(either, 1), either > 0


def _macro_f1(matrix: Array) -> Array:
    f1, there = _f1_by_class(matrix)
    return np.asarray(f1.sum(axis=1) / there.sum(axis=1))


def _binary_f1(matrix: Array) -> Array:
    return np.asarray(_f1_by_class(matrix)[0][:, 1])


def _mcc(matrix: Array) -> Array:
    matrix = matrix.astype(float)
    right, total = np.trace(matrix, axis1=1, axis2=2), matrix.sum(axis=(1, 2))
    true, predicted = matrix.sum(axis=2), matrix.sum(axis=1)
    spread = (total**2 - (predicted**2).sum(axis=1)) * (total**2 - (true**2).sum(axis=1))
    covariance = right * total - (true * predicted).sum(axis=1)
    return np.asarray(np.where(spread > 0, covariance / np.sqrt(np.maximum(spread, 1e-12)), 0.0))


_OF_CONFUSION: dict[str, Callable[[Array], Array]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "macro_f1": _macro_f1,
    "f1": _binary_f1,
    "mcc": _mcc,
}


def _from_confusions(
    function: Callable[[Array], Array],
    targets: Array,
    predictions: Array,
    repeats: int,
    generator: np.random.Generator,
) -> Array:
    """Resampling rows within a class draws its predicted classes from a multinomial distribution."""
    classes = predictions.shape[1]
    cells = targets * classes + predictions.argmax(axis=1)
    matrix = np.bincount(cells, minlength=classes**2).reshape(classes, classes)
    present = np.flatnonzero(matrix.sum(axis=1))
    step = max(1, _NUMBERS_AT_ONCE // classes**2)
    parts = []
    for start in range(0, repeats, step):
        drawn = np.zeros((min(step, repeats - start), classes, classes), np.int64)
        for c in present:
            total = int(matrix[c].sum())
            drawn[:, c] = generator.multinomial(total, matrix[c] / total, len(drawn))
        parts.append(function(drawn))
    return np.concatenate(parts)


# --- metrics of sums over rows ----------------------------------------------------------------------------

_Function = Callable[[Array, int], Array]


def _row_sums(name: str, targets: Array, predictions: Array) -> tuple[Array, _Function] | None:
    """Statistics (N, M) and the metrics (R,) from their resampled sums (R, M); None where there are none."""
    if targets.ndim == 2:
        return _label_sums(name, targets.astype(bool), predictions >= THRESHOLD)
    if predictions.ndim == 2:
        if name != "log_loss":
            return None
        picked = predictions[np.arange(len(targets)), targets]
        return -np.log(np.clip(picked, 1e-12, 1.0))[:, None], _mean
    error = targets - predictions
    if name == "mae":
        return np.abs(error)[:, None], _mean
    if name == "rmse":
        return (error**2)[:, None], lambda sums, rows: np.sqrt(sums[:, 0] / rows)
    if name == "r2":
        centred = targets - targets.mean()
        return np.stack([error**2, centred, centred**2], axis=1), _r2
    if name == "pearson":
        y, p = targets - targets.mean(), predictions - predictions.mean()
        return np.stack([y, p, y * y, p * p, y * p], axis=1), _pearson
    return None


def _label_sums(name: str, truth: Array, predicted: Array) -> tuple[Array, _Function] | None:
    if name == "subset_accuracy":
        return np.all(truth == predicted, axis=1).astype(float)[:, None], _mean
    if name not in ("macro_f1", "micro_f1"):
        return None
    right, wrong = truth & predicted, truth ^ predicted
    if name == "micro_f1":
        right, wrong = right.sum(axis=1, keepdims=True), wrong.sum(axis=1, keepdims=True)
    labels = right.shape[1]

    def f1(sums: Array, rows: int) -> Array:
        hits, errors = sums[:, :labels], sums[:, labels:]
        return np.asarray((2 * hits / np.maximum(2 * hits + errors, 1)).mean(axis=1))

    return np.concatenate([right, wrong], axis=1).astype(float), f1


def _mean(sums: Array, rows: int) -> Array:
    return np.asarray(sums[:, 0] / rows)


def _r2(sums: Array, rows: int) -> Array:
    spread = sums[:, 2] - sums[:, 1] ** 2 / rows
    return np.asarray(1 - sums[:, 0] / np.maximum(spread, 1e-12))


def _pearson(sums: Array, rows: int) -> Array:
    y, p, yy, pp, yp = sums.T
    spread = (yy - y * y / rows) * (pp - p * p / rows)
    return np.asarray(np.where(spread > 1e-24, (yp - y * p / rows) / np.sqrt(np.maximum(spread, 1e-24)), 0.0))


def _drawn(strata: list[Array], repeats: int, generator: np.random.Generator) -> Iterator[Array]:
    """How often each row comes in each resample: arrays (R', N) of `repeats` rows in all, some at a time."""
    count = sum(map(len, strata))
    step = max(1, _NUMBERS_AT_ONCE // count)
    for start in range(0, repeats, step):
        size = min(step, repeats - start)
        times = np.zeros((size, count))
        for stratum in strata:
            drawn = generator.integers(0, len(stratum), (size, len(stratum)))
            drawn += np.arange(size)[:, None] * len(stratum)
            times[:, stratum] = np.bincount(drawn.ravel(), minlength=size * len(stratum)).reshape(size, -1)
        yield times


# --- all others -------------------------------------------------------------------------------------------


def _one_by_one(
    metric: Metric, targets: Array, predictions: Array, repeats: int, generator: np.random.Generator
) -> Array:
    strata, samples = _strata(targets), np.full(repeats, np.nan)
    for repeat in range(repeats):
        rows = np.concatenate([generator.choice(stratum, len(stratum)) for stratum in strata])
        try:
            samples[repeat] = metric(targets[rows], predictions[rows])
        except ValueError:  # a label that no row of the resample bears
            continue
    return samples
