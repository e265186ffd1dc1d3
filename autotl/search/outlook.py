"""What more time would bring: the expected gain of the best score by further trials like those so far."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from autotl.config import TrialResult
from autotl.search.merit import less_luck

Array = NDArray[Any]
#: With fewer trials their spread says too little.
_LEAST_TRIALS = 3
#: The integral of the expected maximum ends so many deviations above the mean.
_DEVIATIONS, _POINTS = 6.0, 512


def expected_gain(
    results: Sequence[TrialResult],
    seconds: float,
    noise: float,
    top: float = math.inf,
    reached: float = -math.inf,
) -> float | None:
    """Expected gain of the best model if the search went on for so many seconds.

    New trials are taken as draws from a normal distribution like the upper half of the scores so far (how bad
    bad ones were says nothing of good ones), one every median duration; the gain of the best of n draws is
    the integral of 1 - F(x) ** n above the present best. The noise of scores is taken out of the deviation,
    and as luck out of the best.

    Args:
        results: Trials so far.
        seconds: Further time.
        noise: Standard error of a score.
        top: The highest score there can be.
        reached: What trials were combined to, where that is what they have to beat.

    Returns:
        In units of the score; None where fewer than three trials have one.
    """
    sound = [result for result in results if result.score is not None]
    if len(sound) < _LEAST_TRIALS:
        return None
    scores = np.array([result.score for result in sound], np.float64)
    draws = seconds / max(float(np.median([result.seconds for result in sound])), 1e-3)
    mean = float(np.median(scores))
    variance = float(np.mean((scores[scores >= mean] - mean) ** 2))
    if variance <= noise**2 or max(scores.max(), reached) >= top:
        return 0.0
    best = max(less_luck(float(scores.max()), mean, variance, noise**2), reached)
    deviation = math.sqrt(variance - noise**2)
    x: Array = np.linspace(best, min(top, max(best, mean) + _DEVIATIONS * deviation), _POINTS)
    return float(np.trapezoid(1 - ndtr((x - mean) / deviation) ** draws, x))
