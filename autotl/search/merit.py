"""Merit: minus the root of the error. What the search models in place of scores.

The root makes the noise of a share alike wherever it stands (Anscombe 1948), and a step from 0.97 to 0.99 as
large as one from 0.79 to 0.85: trials near 1 and far below it, and those of other data sets, can be told of
by one deviation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
#: Below this error the noise of a share is taken as there: rows that are all right do not make it certain.
_LEAST_ERROR = 0.05
_TINY = 1e-12


def score_unit(best: float) -> float:
    """What scores are divided by: 1 for shares; losses, which are negative, are measured in the best."""
    return -best if _is_loss(best) else 1.0


def as_shares(scores: Sequence[float] | Array, best: float) -> Array:
    """Scores that are 1 without an error; losses, which are negative, are measured in the best one's.

    Args:
        scores: Shares, which stay as they are, or losses.
        best: The best score there is, which says which of them they are.
    """
    values = np.asarray(scores, np.float64)
    return 1.0 + values / score_unit(best) if _is_loss(best) else values


def _is_loss(best: float) -> bool:
    return -math.inf < best < 0


def merit(scores: Sequence[float] | Array) -> Array:
    """Merits of scores, 1 for no error."""
    return np.asarray(-np.sqrt(np.maximum(1.0 - np.asarray(scores, np.float64), 0.0)))


def merit_noise(merits: Array, noise: float) -> Array:
    """Deviations of merits, for a deviation of scores."""
    return np.asarray(0.5 * noise / np.sqrt(np.maximum(merits**2, _LEAST_ERROR)))


def less_luck(best: float, mean: float, variance: float, noise: float) -> float:
    """The highest of some values, drawn towards their mean as far as noise made them differ.

    The estimate of James and Stein (1961), for one that was chosen for its height.

    Args:
        best: The highest value.
        mean: Of all values.
        variance: Of all values.
        noise: The part of the variance that is noise.
    """
    return best - (best - mean) * min(noise / max(variance, _TINY), 1.0)


def raised(merits: Array) -> Array:
    """Merits with those alike that are farther below the median than the best is above it.

    How bad a bad trial was says little of good ones, and would widen all that is expected.
    """
    return np.asarray(np.maximum(merits, 2 * np.median(merits) - merits.max()))
