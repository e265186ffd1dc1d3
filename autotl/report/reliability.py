"""How far predicted probabilities can be trusted, before and after calibration: confidence and frequency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.leaderboard.calibration import expected_calibration_error

Array = NDArray[Any]
_BINS = 10
_LEAST = 1e-12


@dataclass(frozen=True)
class Reliability:
    """Mean confidence, observed frequency and rows by bin of equal width; empty bins are left out.

    `error` is the expected calibration error (`leaderboard.calibration`, with finer bins).
    """

    confidence: Array
    frequency: Array
    counts: Array
    error: float


def reliability(targets: Array, predictions: Array) -> Reliability:
    """Of classes, the confidence in the predicted one; of labels, the probability of each.

    Args:
        targets: (N,) class indices, or (N, K) bool indicators.
        predictions: (N, K) probabilities.
    """
    error = expected_calibration_error(predictions, targets)
    if targets.ndim == 2:
        return _binned(predictions.ravel(), targets.ravel(), error)
    return _binned(predictions.max(axis=1), predictions.argmax(axis=1) == targets, error)


def uncalibrated(predictions: Array, temperature: float, *, several: bool) -> Array:
    """(N, K) probabilities as they were before division of the logits by a temperature (Guo et al. 2017).

    Args:
        predictions: (N, K) probabilities after it.
        temperature: What the logits were divided by.
        several: Whether columns are labels of their own, not classes that exclude each other.
    """
    known = predictions.astype(np.float64)
    if several:
        return np.asarray(1 / (1 + (1 / np.clip(known, _LEAST, 1 - _LEAST) - 1) ** temperature))
    powers = known**temperature
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _binned(confidence: Array, hit: Array, error: float) -> Reliability:
    bins = np.clip((confidence * _BINS).astype(int), 0, _BINS - 1)
    counts = np.bincount(bins, minlength=_BINS)
    kept = counts > 0
    mean = np.bincount(bins, confidence, _BINS)[kept] / counts[kept]
    frequency = np.bincount(bins, hit, _BINS)[kept] / counts[kept]
    return Reliability(mean, frequency, counts[kept], error)
