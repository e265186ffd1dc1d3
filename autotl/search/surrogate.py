"""A surrogate of the search: what configurations that nobody tried are expected to reach, and to cost.

A Gaussian process over configurations (Bayesian optimisation: Snoek et al. 2012). Its kernel is a fixed sum
of what two configurations may have in common: strategy, backbone, both, parameters within a strategy and
parameters across strategies. With some dozen trials there is too little to fit its shares to.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from threadpoolctl import ThreadpoolController

from autotl.config import TrialConfig, Value

Array = NDArray[Any]
Function = TypeVar("Function", bound=Callable[..., Any])
Key = TypeVar("Key", bound=Hashable)
_blas = ThreadpoolController()
#: Share of the variance that each thing in common explains; together 1.
_STRATEGY, _BACKBONE, _BOTH, _OWN, _SHARED = 0.3, 0.15, 0.15, 0.25, 0.15
#: Distance at which numbers tell little of each other, as a share of their range; that of two other names.
_LENGTH = 0.5
#: Only the last trials teach: the solution's time grows with their cube. They go so many at a time.
_MOST, _MOST_ELSEWHERE, _STEP = 128, 256, 32
#: Correlation of the same configuration's values on two data sets, and the variance of one on its own.
_ALIKE, _NOISE_ELSEWHERE = 0.8, 0.3
#: An expected deviation counts as much as so many values.
_GUESS = 5
_LEAST_DEVIATION, _JITTER = 1e-6, 1e-4


def _on_one_thread(function: Function) -> Function:
    """The matrices are small: several threads take three times as long over them as one."""
    limited: Function = _blas.wrap(limits=1, user_api="blas")(function)
    return limited


class Surrogate:
    """A Gaussian process over configurations, for any value that was measured of some of them.

    Args:
        known: What was tried, oldest first, at least one.
        asked: What values are asked of.
        elsewhere: What was tried on other data sets.
    """

    @_on_one_thread
    def __init__(
        self,
        known: Sequence[TrialConfig],
        asked: Sequence[TrialConfig],
        elsewhere: Sequence[TrialConfig] = (),
    ) -> None:
        known = known[_forgotten(len(known)) :]
        related = _related(frozenset([*known, *asked]), tuple(elsewhere[-_MOST_ELSEWHERE:]))
        rows = [related.row[config] for config in (*known, *asked)]
        self._kernel, self._lessons = related.kernel[np.ix_(rows, rows)], related.lessons[rows]
        self._known = len(known)

    @_on_one_thread
    def predict(
        self,
        values: Sequence[float] | Array,
        noise: float | Array,
        elsewhere: Sequence[float] = (),
        unit: float = 0.0,
    ) -> tuple[Array, Array]:
        """What is expected of the configurations asked of.

        Args:
            values: What those tried gave.
            noise: Deviation of a value that is measured again, for all or for each.
            elsewhere: What those tried elsewhere gave, in units of the deviation there, with a mean of 0.
            unit: Deviation of values expected here; it counts as much as a few of them.

        Returns:
            Means and deviations of normal distributions, each (asked,).
        """
        count = self._known
        given = np.asarray(values[_forgotten(len(values)) :], np.float64)
        taught = self._lessons @ np.asarray(elsewhere[-_MOST_ELSEWHERE:], np.float64)
        counted = _GUESS if unit else 0
        spread = math.sqrt((counted * unit**2 + len(given) * given.var()) / (counted + len(given)))
        noises = np.broadcast_to(np.atleast_1d(noise)[-count:], (count,))
        deviation = max(spread, float(np.min(noises)), _LEAST_DEVIATION)
        own = (noises / deviation) ** 2 + _JITTER
        factor = cho_factor(self._kernel[:count, :count] + np.diag(own), lower=True)
        residuals = given / deviation - taught[:count]
        weights = cho_solve(factor, np.ones(count))
        level = weights @ residuals / weights.sum()
        across = self._kernel[count:, :count]
        means = level + taught[count:] + across @ cho_solve(factor, residuals - level)
        variance = np.diag(self._kernel)[count:] - np.einsum("ij,ji->i", across, cho_solve(factor, across.T))
        return deviation * means, deviation * np.sqrt(np.maximum(variance, _JITTER))


def _forgotten(known: int) -> int:
    """How many of the oldest trials teach nothing any more."""
    return max(0, -(-(known - _MOST) // _STEP)) * _STEP


@lru_cache(maxsize=8)
def surrogate(
    known: tuple[TrialConfig, ...], asked: tuple[TrialConfig, ...], elsewhere: tuple[TrialConfig, ...] = ()
) -> Surrogate:
    """`Surrogate`, the same one for the same configurations: a board is looked at several times an epoch."""
    return Surrogate(known, asked, elsewhere)


@dataclass(frozen=True)
class _Related:
    """How the values of configurations hang together.

    Attributes:
        row: The row of each configuration.
        kernel: Covariances of their values where those elsewhere are known, (N, N).
        lessons: Share of each value elsewhere in the mean of each here, (N, lessons).
    """

    row: Mapping[TrialConfig, int]
    kernel: Array
    lessons: Array


@lru_cache(maxsize=4)
def _related(configs: frozenset[TrialConfig], elsewhere: tuple[TrialConfig, ...]) -> _Related:
    """As a set: a configuration that was asked of is known later, and all the rest stays as it was."""
    ordered = sorted(configs, key=lambda config: config.key)
    here = len(ordered)
    kernel, lessons = _kernel([*ordered, *elsewhere]), np.zeros((here, 0))
    if elsewhere:
        # Conditioned on other data sets, of which this one is a noisy copy.
        factor = cho_factor(kernel[here:, here:] + _NOISE_ELSEWHERE * np.eye(len(elsewhere)), lower=True)
        across = _ALIKE * kernel[:here, here:]
        lessons = cho_solve(factor, across.T).T
        kernel = kernel[:here, :here] - lessons @ across.T
    return _Related({config: row for row, config in enumerate(ordered)}, kernel, lessons)


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
    items = [_items(config) for config in configs]
    points = np.hstack([_numbers([numbers for numbers, _ in items]), _choices([names for _, names in items])])
    squares = (points**2).sum(axis=1)
    return np.asarray(np.maximum(squares[:, None] + squares[None] - 2 * points @ points.T, 0.0))


@lru_cache(maxsize=1024)
def _items(config: TrialConfig) -> tuple[dict[str, float], list[tuple[str, Value]]]:
    """The parameters that are numbers, and the others."""
    numbers: dict[str, float] = {}
    others: list[tuple[str, Value]] = []
    for name, value in config.params.items():
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            numbers[name] = float(value)
        elif value is not None:
            others.append((name, value))
    return numbers, others


def _numbers(rows: Sequence[Mapping[str, float]]) -> Array:
    """A column a parameter, in units of the length, by its logarithm where its values span decades, (N, P).

    What lacks a parameter lies in its middle, so that distances stay Euclidean, and the kernel a covariance.
    """
    place = _placed(name for row in rows for name in row)
    values = np.full((len(rows), len(place)), np.nan)
    for index, row in enumerate(rows):
        values[index, [place[name] for name in row]] = list(row.values())
    if not place:
        return values
    low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
    decades = (low > 0) & (high >= 10 * low)
    values[:, decades] = np.log(values[:, decades])
    low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
    span = np.where(high > low, high - low, 1.0)
    return np.asarray((np.where(np.isnan(values), (low + high) / 2, values) - low) / (_LENGTH * span))


def _choices(rows: Sequence[Sequence[tuple[str, Value]]]) -> Array:
    """A column a name, so that two of them have a distance of 1, (N, P)."""
    place = _placed(item for row in rows for item in row)
    chosen = np.zeros((len(rows), len(place)))
    for index, row in enumerate(rows):
        chosen[index, [place[item] for item in row]] = math.sqrt(0.5)
    return chosen


def _placed(keys: Iterable[Key]) -> dict[Key, int]:
    """A column for every key."""
    return {key: column for column, key in enumerate(dict.fromkeys(keys))}


def _same(names: Sequence[str]) -> Array:
    """1 where two names are equal, else 0, (N, N)."""
    codes = np.unique(names, return_inverse=True)[1]
    return np.asarray(codes[:, None] == codes[None], np.float64)
