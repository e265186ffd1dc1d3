"""Greedy selection of an ensemble from the predictions of its candidates; knows nothing of models."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.task import Metric

Array = NDArray[Any]
#: Most picks, and parts for the estimate of what an ensemble is worth.
_PICKS, _PARTS = 15, 5
#: Scorings that `greedy_weights` and `cross_fitted` take together for each candidate, at most.
SCORINGS_A_CANDIDATE = _PICKS * (1 + _PARTS)


def greedy_weights(metric: Metric, targets: Array, predictions: Array) -> Array:
    """How often each candidate is picked, (M,) int64 (Caruana et al. 2004, selection with replacement).

    Each pick is the candidate whose share in the mean of all picks scores best; the shortest run of picks
    with the best score is kept. It begins with the best candidate, so it never scores less.

    Args:
        metric: What to optimise.
        targets: (N,) classes or values, or (N, K) indicators.
        predictions: (M, N, K) probabilities or (M, N) values.
    """
    picks: list[int] = []
    total = np.zeros_like(predictions[0])
    best_score, best_length = -np.inf, 1
    for size in range(1, _PICKS + 1):
        # A metric may have no value on a part of the rows, as AUROC has none where a class is missing.
        scores = np.nan_to_num(
            [metric.score(targets, (total + candidate) / size) for candidate in predictions], nan=-np.inf
        )
        pick = int(np.argmax(scores))
        picks.append(pick)
        total = total + predictions[pick]
        if scores[pick] > best_score:
            best_score, best_length = scores[pick], size
    return np.bincount(picks[:best_length], minlength=len(predictions))


def mixed(weights: Array, predictions: Array) -> Array:
    """Weighted mean of the predictions (M, ...) of candidates."""
    return np.asarray(np.tensordot(weights / weights.sum(), predictions, axes=1))


def cross_fitted(metric: Metric, targets: Array, predictions: Array, *, copies: int, seed: int) -> Array:
    """Predictions of ensembles for rows that had no part in their selection, in the order of `targets`.

    The score of a selection on the rows that it was made on is too good; on these it is not.

    Args:
        metric: What the selections optimise.
        targets: (N,) or (N, K).
        predictions: (M, N, K) or (M, N) of the candidates.
        copies: How often the same rows are repeated one after the other; copies of a row stay together.
        seed: Of the division of rows.
    """
    units = len(targets) // copies
    part = np.tile(np.random.default_rng(seed).permutation(units) % _PARTS, copies)
    out: Array = np.empty_like(predictions[0])
    for number in range(min(_PARTS, units)):
        held, rest = part == number, part != number
        chosen = rest if rest.any() else held
        weights = greedy_weights(metric, targets[chosen], predictions[:, chosen])
        out[held] = mixed(weights, predictions[:, held])
    return out
