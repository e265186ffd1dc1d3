"""Tests of one number a row: ranks of two samples, counts over a threshold, and several tests at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def superiority(first: Array, second: Array) -> float:
    """The chance that a value of `first` exceeds one of `second`, ties counted half."""
    ordered = np.sort(second)
    below = np.searchsorted(ordered, first, "left") + np.searchsorted(ordered, first, "right")
    return float(below.sum() / (2 * len(first) * len(second)))


def rank_sum_test(lower: Array, higher: Array) -> tuple[float, float]:
    """Whether values of `lower` tend to lie below those of `higher` (Mann and Whitney 1947), one-sided.

    Args:
        lower: (N,), at least about 20.
        higher: (M,), at least about 20.

    Returns:
        The chance that a value of `lower` lies below one of `higher`, ties counted half; and the p-value of
        the normal approximation, with correction for ties and continuity.
    """
    n, m = len(lower), len(higher)
    chance = superiority(higher, lower)
    _, ties = np.unique(np.concatenate([lower, higher]), return_counts=True)
    tied = float(np.sum(ties.astype(np.float64) ** 3 - ties)) / ((n + m) * (n + m - 1))
    deviation = math.sqrt(n * m / 12 * (n + m + 1 - tied))
    if deviation == 0:
        return 0.5, 1.0
    z = ((chance - 0.5) * n * m - 0.5) / deviation
    return chance, 0.5 * math.erfc(z / math.sqrt(2))


def kolmogorov_smirnov_test(first: Array, second: Array) -> tuple[float, float]:
    """Whether two samples come from one distribution.

    Returns:
        The largest difference of their distribution functions, and the p-value of its limiting distribution
        (Stephens 1970 for the effective number of rows); ties make it larger than it need be.
    """
    points = np.concatenate([first, second])
    shares = [np.searchsorted(np.sort(sample), points, "right") / len(sample) for sample in (first, second)]
    largest = float(np.abs(shares[0] - shares[1]).max())
    root = math.sqrt(len(first) * len(second) / (len(first) + len(second)))
    x = (root + 0.12 + 0.11 / root) * largest
    if x < 0.3:
        return largest, 1.0
    tail = 2 * sum((-1) ** (k - 1) * math.exp(-2 * k * k * x * x) for k in range(1, 101))
    return largest, min(1.0, max(0.0, tail))


def exceedance_test(count: int, rows: int, rank: int, reference_rows: int) -> float:
    """Whether more new rows lie above a reference value of a given rank than would by chance.

    The threshold is itself an estimate: of exchangeable rows the number above the `rank`-th largest of
    M reference values is beta-binomial with parameters `rank` and M + 1 - `rank`, whatever the distribution.

    Args:
        count: New rows above the threshold.
        rows: New rows.
        rank: 1 for the largest reference value.
        reference_rows: M.

    Returns:
        The chance of `count` or more.
    """
    a, b = rank, reference_rows + 1 - rank
    k = np.arange(count, rows + 1)
    terms = [
        math.lgamma(rows + 1)
        - math.lgamma(i + 1)
        - math.lgamma(rows - i + 1)
        + _log_beta(i + a, rows - i + b)
        for i in map(int, k)
    ]
    return min(1.0, float(np.exp(np.array(terms) - _log_beta(a, b)).sum()))


def fisher_test(count: int, rows: int, reference_count: int, reference_rows: int) -> float:
    """Two-sided p-value of a difference of two shares (Fisher's exact test)."""
    hits, total = count + reference_count, rows + reference_rows
    least, most = max(0, hits - reference_rows), min(rows, hits)
    k = np.arange(least, most + 1)
    logs = np.array([_log_choose(rows, i) + _log_choose(reference_rows, hits - i) for i in map(int, k)])
    chances = np.exp(logs - _log_choose(total, hits))
    return min(1.0, float(chances[chances <= chances[count - least] * (1 + 1e-9)].sum()))


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for being several: a family-wise error rate (Holm 1979)."""
    order = np.argsort(p_values)
    factors = len(p_values) - np.arange(len(p_values))
    corrected = np.minimum(1.0, np.maximum.accumulate(np.array(p_values)[order] * factors))
    found = np.empty(len(p_values))
    found[order] = corrected
    return [float(value) for value in found]


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
