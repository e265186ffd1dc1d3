"""What more time would bring: the expected gain of the best score by further trials like those so far."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from autotl.config import TrialResult

Array = NDArray[Any]
#: With fewer trials their spread says too little.
_LEAST_TRIALS = 3
#: The integral of the expected maximum ends so many deviations above the mean.
_DEVIATIONS, _POINTS = 6.0, 512


def expected_gain(results: Sequence[TrialResult], seconds: float, top: float = math.inf) -> float | None:
    """Expected gain of the best score if the search went on for so many seconds.

    New trials are taken as draws from a normal distribution with mean and deviation of the scores so far, one
    every median duration; the gain of the best of n draws is the integral of 1 - F(x) ** n above the present
    best.

    Args:
        results: Trials so far.
        seconds: Further time.
        top: The highest score there can be.

    Returns:
        In units of the score; None where fewer than three trials have one.
    """
    sound = [result for result in results if result.score is not None]
    if len(sound) < _LEAST_TRIALS:
        return None
    scores = np.array([result.score for result in sound], np.float64)
    draws = seconds / max(float(np.median([result.seconds for result in sound])), 1e-3)
    best, mean, deviation = float(scores.max()), float(scores.mean()), float(scores.std())
    if deviation <= 0 or best >= top:
        return 0.0
    x: Array = np.linspace(best, min(top, max(best, mean) + _DEVIATIONS * deviation), _POINTS)
    return float(np.trapezoid(1 - ndtr((x - mean) / deviation) ** draws, x))
