"""Bootstrap intervals and standard errors of a metric over the rows of a validation or test part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.leaderboard.resampling import resampled
from autotl.task import Metric

Array = NDArray[Any]


@dataclass(frozen=True)
class Interval:
    """A metric with its uncertainty over rows, in the metric's own direction.

    Attributes:
        value: The metric on all rows.
        low, high: Bounds of the interval, low <= high.
        standard_error: Deviation of the metric over resamples.
    """

    value: float
    low: float
    high: float
    standard_error: float

    def overlaps(self, other: Interval) -> bool:
        """Whether the two intervals have a point in common."""
        return self.low <= other.high and other.low <= self.high


def bootstrap_interval(
    metric: Metric,
    targets: Array,
    predictions: Array,
    *,
    repeats: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Interval:
    """Percentile interval of a metric (Efron and Tibshirani 1993), resampling rows within each class.

    Where all resamples are alike, as each class is all right or all wrong, the bounds are the exact ones of a
    share (Clopper and Pearson 1934).

    Metrics that come from sums over rows are computed for all resamples at once; rank statistics from fewer
    resamples where rows are many.

    Args:
        metric: The metric.
        targets: (N,) classes or values, or (N, K) indicators.
        predictions: (N, K) probabilities or (N,) values.
        repeats: Most resamples.
        seed: Of the resampling.
        confidence: Share of resamples within the interval.

    Raises:
        ValueError: There are no rows, or targets and predictions differ in number.
    """
    if len(targets) != len(predictions) or not len(targets):
        raise ValueError(f"need as many predictions as targets, got {len(predictions)} and {len(targets)}")
    value = metric(targets, predictions)
    samples = resampled(metric, targets, predictions, repeats, np.random.default_rng(seed))
    samples = samples[np.isfinite(samples)]
    if not len(samples):
        return Interval(value, value, value, 0.0)
    tail = 50 * (1 - confidence)
    low, high = np.percentile(samples, [tail, 100 - tail])
    if predictions.ndim == 2 and low == high and 0 <= value <= 1:
        low, high = _share_bounds(value * len(targets), len(targets), tail / 100)
    return Interval(value, min(float(low), value), max(float(high), value), float(samples.std()))


def _share_bounds(right: float, rows: int, tail: float) -> tuple[float, float]:
    """The exact interval of a share, `right` of so many rows, with probability `tail` beyond either bound."""
    from scipy.special import betaincinv

    low = betaincinv(right, rows - right + 1, tail) if right > 0 else 0.0
    high = betaincinv(right + 1, rows - right, 1 - tail) if right < rows else 1.0
    return float(low), float(high)
