"""Areas under ROC and precision-recall curves, of many resamples of the same rows at once.

A resample is told by how often it has each row, so that rows are sorted once for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def auroc(targets: Array, predictions: Array, times: Array) -> Array:
    """The chance that a row of a class is given a higher probability of it than another row, ties half.

    Of two classes that of the second; of more the mean over those that a resample has, each against the rest
    (Hand and Till 2001 compare pairs instead).

    Args:
        targets: (N,) class indices.
        predictions: (N, K) probabilities.
        times: (R, N), how often each resample has each row.

    Returns:
        (R,) areas; NaN where a resample has rows of one class only.
    """
    first = 1 if predictions.shape[1] == 2 else 0
    hits = targets[:, None] == np.arange(first, predictions.shape[1])
    return _mean(_area_under_roc, hits, predictions[:, first:], times)


def mean_average_precision(targets: Array, predictions: Array, times: Array) -> Array:
    """The mean, over labels, of the mean precision at the rows that bear one, by descending probability.

    Args:
        targets: (N, K) indicators.
        predictions: (N, K) probabilities; rows with equal ones make one step.
        times: (R, N), how often each resample has each row.

    Returns:
        (R,) means over the labels that some row of a resample bears; NaN where there are none.
    """
    return _mean(_average_precision, targets > 0, predictions, times)


#: By the name of the metric.
OF_RANKS: Mapping[str, Callable[[Array, Array, Array], Array]] = {
    "auroc": auroc,
    "mean_average_precision": mean_average_precision,
}


def _mean(area: Callable[[Array, Array, Array], Array], hits: Array, scores: Array, times: Array) -> Array:
    """The mean (R,) over columns of the areas that are defined."""
    total, known = np.zeros(len(times)), np.zeros(len(times))
    for column in np.flatnonzero(hits.any(axis=0)):
        found = area(hits[:, column], scores[:, column], times)
        is_known = np.isfinite(found)
        total += np.where(is_known, found, 0.0)
        known += is_known
    return _share(total, known)


def _area_under_roc(hits: Array, scores: Array, times: Array) -> Array:
    positive, every = _up_to(hits, scores, times)
    negative = every - positive
    below = 0.5 * (negative + _before(negative))
    wins = ((positive - _before(positive)) * below).sum(axis=1)
    return _share(wins, positive[:, -1] * negative[:, -1])


def _average_precision(hits: Array, scores: Array, times: Array) -> Array:
    positive, every = _up_to(hits, -scores, times)
    precision = positive / np.maximum(every, 1)
    return _share(((positive - _before(positive)) * precision).sum(axis=1), positive[:, -1])


def _up_to(hits: Array, scores: Array, times: Array) -> tuple[Array, Array]:
    """Hits and rows (R, G) up to the end of each group of equal scores, ascending."""
    order = np.argsort(scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    weights = times[:, order].astype(np.float64)
    return np.cumsum(weights * hits[order], axis=1)[:, ends], np.cumsum(weights, axis=1)[:, ends]


def _before(cumulated: Array) -> Array:
    return np.concatenate([np.zeros((len(cumulated), 1)), cumulated[:, :-1]], axis=1)


def _share(part: Array, whole: Array) -> Array:
    """NaN where the whole is nothing."""
    return np.where(whole > 0, part / np.maximum(whole, 1e-12), np.nan)
