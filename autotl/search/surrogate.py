"""A surrogate of the search: what configurations that nobody tried are expected to reach, and to cost.

A Gaussian process over configurations (Bayesian optimisation: Snoek et al. 2012). Its kernel is a fixed sum
of what two configurations may have in common: strategy, backbone, both, parameters within a strategy and
parameters across strategies. With some dozen trials there is too little to fit its shares to.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from autotl.config import TrialConfig, Value

Array = NDArray[Any]
#: Share of the variance that each thing in common explains; together 1.
_STRATEGY, _BACKBONE, _BOTH, _OWN, _SHARED = 0.3, 0.15, 0.15, 0.25, 0.15
#: Distance at which numbers tell little of each other, as a share of their range; that of two other names.
_LENGTH = 0.5
#: Only the last trials teach: the solution's time grows with their cube.
_MOST, _MOST_ELSEWHERE = 128, 256
#: Correlation of the same configuration's values on two data sets, and the variance of one on its own.
_ALIKE, _NOISE_ELSEWHERE = 0.8, 0.3
#: An expected deviation counts as much as so many values.
_GUESS = 5
_LEAST_DEVIATION, _JITTER = 1e-6, 1e-4


class Surrogate:
    """A Gaussian process over configurations, for any value that was measured of some of them.

    Args:
        known: What was tried, oldest first, at least one.
        asked: What values are asked of.
        elsewhere: What was tried on other data sets.
    """

    def __init__(
        self,
        known: Sequence[TrialConfig],
        asked: Sequence[TrialConfig],
        elsewhere: Sequence[TrialConfig] = (),
    ) -> None:
        known, elsewhere = known[-_MOST:], elsewhere[-_MOST_ELSEWHERE:]
        kernel = _kernel([*known, *asked, *elsewhere])
        here = len(known) + len(asked)
        self._lessons = np.zeros((here, 0))
        if elsewhere:
            # Conditioned on other data sets, of which this one is a noisy copy.
            factor = cho_factor(kernel[here:, here:] + _NOISE_ELSEWHERE * np.eye(len(elsewhere)), lower=True)
            across = _ALIKE * kernel[:here, here:]
            self._lessons = cho_solve(factor, across.T).T
            kernel = kernel[:here, :here] - self._lessons @ across.T
        self._kernel, self._known = kernel[:here, :here], len(known)

    def predict(
        self,
        values: Sequence[float] | Array,
        noise: float,
        elsewhere: Sequence[float] = (),
        unit: float = 0.0,
    ) -> tuple[Array, Array]:
        """What is expected of the configurations asked of.

        Args:
            values: What those tried gave.
            noise: Deviation of a value that is measured again.
            elsewhere: What those tried elsewhere gave, in units of the deviation there, with a mean of 0.
            unit: Deviation of values expected here; it counts as much as a few of them.

        Returns:
            Means and deviations of normal distributions, each (asked,).
        """
        count = self._known
        given = np.asarray(values[-_MOST:], np.float64)
        taught = self._lessons @ np.asarray(elsewhere[-_MOST_ELSEWHERE:], np.float64)
        counted = _GUESS if unit else 0
        spread = math.sqrt((counted * unit**2 + len(given) * given.var()) / (counted + len(given)))
        deviation = max(spread, noise, _LEAST_DEVIATION)
        own = ((noise / deviation) ** 2 + _JITTER) * np.eye(count)
        factor = cho_factor(self._kernel[:count, :count] + own, lower=True)
        residuals = given / deviation - taught[:count]
        weights = cho_solve(factor, np.ones(count))
        level = weights @ residuals / weights.sum()
        across = self._kernel[count:, :count]
        means = level + taught[count:] + across @ cho_solve(factor, residuals - level)
        variance = np.diag(self._kernel)[count:] - np.einsum("ij,ji->i", across, cho_solve(factor, across.T))
        return deviation * means, deviation * np.sqrt(np.maximum(variance, _JITTER))


@lru_cache(maxsize=8)
def surrogate(
    known: tuple[TrialConfig, ...], asked: tuple[TrialConfig, ...], elsewhere: tuple[TrialConfig, ...] = ()
) -> Surrogate:
    """`Surrogate`, the same one for the same configurations: a board is looked at several times an epoch."""
    return Surrogate(known, asked, elsewhere)


def _kernel(configs: Sequence[TrialConfig]) -> Array:
    """Covariances of values, (N, N), 1 on the diagonal."""
    strategy = _same([config.strategy for config in configs])
    backbone = _same([config.backbone for config in configs])
    near = np.exp(-0.5 * _distances(configs))
    return np.asarray(
        _STRATEGY * strategy
        + _BACKBONE * backbone
        + _BOTH * strategy * backbone
        + _OWN * strategy * near
        + _SHARED * near
    )


def _distances(configs: Sequence[TrialConfig]) -> Array:
    """Squared Euclidean distances by all parameters, (N, N)."""
    points = np.reshape(
        [
            column
            for name in sorted({name for config in configs for name in config.params})
            for column in _columns([config.params.get(name) for config in configs])
        ],
        (-1, len(configs)),
    )
    squares = (points**2).sum(axis=0)
    return np.asarray(np.maximum(squares[:, None] + squares[None] - 2 * points.T @ points, 0.0))


def _columns(values: Sequence[Value]) -> list[Array]:
    """One parameter as coordinates: a number in units of the length, by its logarithm where all span decades.

    Names have a column each, and two of them a distance of 1. What lacks the parameter lies in the middle, so
    that distances stay Euclidean, and the kernel a covariance.
    """
    numbers = [v for v in values if isinstance(v, (int, float)) and not isinstance(v, bool)]
    if len(numbers) < sum(value is not None for value in values):
        names = sorted({str(value) for value in values if value is not None})
        return [np.array([str(value) == name for value in values]) * math.sqrt(0.5) for name in names]
    low, high = min(numbers, default=0), max(numbers, default=0)
    if low == high:
        return []
    spans_decades = low > 0 and high >= 10 * low
    placed = np.array([math.nan if value is None else value for value in values], np.float64)
    placed = np.log(placed) if spans_decades else placed
    least, most = np.nanmin(placed), np.nanmax(placed)
    return [(np.nan_to_num(placed, nan=(least + most) / 2) - least) / (_LENGTH * (most - least))]


def _same(names: Sequence[str]) -> Array:
    """1 where two names are equal, else 0, (N, N)."""
    column = np.array(names)
    return np.asarray(column[:, None] == column[None], np.float64)
