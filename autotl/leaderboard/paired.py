"""Paired bootstrap: how much one set of predictions gains over another on the same rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.leaderboard.interval import Interval
from autotl.leaderboard.resampling import most_repeats
from autotl.rank_metrics import OF_RANKS
from autotl.task import Metric

Array = NDArray[Any]


def paired_gain(
    metric: Metric,
    targets: Array,
    predictions: Array,
    reference: Array,
    *,
    copies: int = 1,
    repeats: int = 200,
    seed: int = 0,
    confidence: float = 0.95,
) -> Interval:
    """Gain of `predictions` over `reference`, positive where they are better, with a percentile interval.

    Both are scored on the same resamples (Efron and Tibshirani 1993; Koehn 2004 for the paired form), so that
    what makes rows hard for both drops out.

    Args:
        metric: The metric; that of a loss is turned round.
        targets: (N,) classes or values, or (N, K) indicators.
        predictions: (N, K) probabilities or (N,) values.
        reference: The same of what they are compared with.
        copies: How often the rows are repeated one after the other, as by repeated cross-validation: the
            copies of a row are drawn together.
        repeats: Most resamples; fewer where rows are many.
        seed: Of the resampling.
        confidence: Share of resamples within the interval.

    Raises:
        ValueError: There are no rows, the three differ in number, or no whole copies of rows are there.
    """
    if not len(targets) == len(predictions) == len(reference) or not len(targets):
        found = (len(targets), len(predictions), len(reference))
        raise ValueError(f"need as many predictions and references as targets, got {found}")

    units, rest = divmod(len(targets), copies)
    if rest:
        raise ValueError(f"need {copies} copies of the same rows, got {len(targets)}")

    def gain(rows: Array) -> float:
        return metric.score(targets[rows], predictions[rows]) - metric.score(targets[rows], reference[rows])

    generator = np.random.default_rng(seed)
    value = gain(np.arange(len(targets)))
    repeats = min(repeats, most_repeats(predictions))
    drawn = [generator.integers(units, size=units) for _ in range(repeats)]
    if metric.name in OF_RANKS:
        times = np.tile([np.bincount(rows, minlength=units) for rows in drawn], copies)
        new, old = (OF_RANKS[metric.name](targets, part, times) for part in (predictions, reference))
        samples = new - old
    else:
        starts = units * np.arange(copies)[:, None]
        samples = np.array([gain((starts + rows).ravel()) for rows in drawn])
    samples = samples[np.isfinite(samples)]
    if not len(samples):
        return Interval(value, value, value, 0.0)
    tail = 50 * (1 - confidence)
    low, high = np.percentile(samples, [tail, 100 - tail])
    return Interval(value, min(float(low), value), max(float(high), value), float(samples.std()))
