"""Expected improvement of the best so far (Jones et al. 1998), in closed form for normal variables."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Array = NDArray[Any]


def expected_improvement(mean: Array, deviation: float | Array) -> Array:
    """E[max(X, 0)] of a normal variable."""
    z = mean / deviation
    return np.asarray(mean * ndtr(z) + deviation * _density(z))


def expected_reduction(mean: Array, deviation: Array, best: float) -> Array:
    """By how much the error is expected to fall below the least so far, where merits are normal.

    Args:
        mean: Expected merits.
        deviation: Their deviations.
        best: The best merit so far.
    """
    z = (mean - best) / deviation
    gain = (best**2 - mean**2 - deviation**2) * ndtr(z) - deviation * (mean + best) * _density(z)
    return np.asarray(np.maximum(gain, 0.0))


def _density(z: Array) -> Array:
    """That of the standard normal distribution."""
    return np.asarray(np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi))
