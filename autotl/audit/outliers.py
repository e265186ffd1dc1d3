"""Outliers: rows far from all others, and rows far from their own class.

Distances are one minus the mean cosine to the nearest rows (Kuan and Mueller 2022 found that to be hard to
beat), and what is far is told by their own spread, so that clean data give few.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.audit.neighbours import nearest
from autotl.data.components import rows_by_code

Array = NDArray[Any]

#: Neighbours whose mean distance counts, and neighbours looked at so that copies can be passed over.
_NEIGHBOURS, _LOOKED_AT = 5, 16
#: A row is far where the logarithm of its distance is beyond the upper quartile by so many interquartile
#: ranges (Tukey 1977 calls 3 "far out"), and the distance is so many times the median.
_RANGES, _TIMES = 3.0, 1.5
#: Fewer rows have no spread to speak of.
_LEAST_ROWS = 20


@dataclass(frozen=True)
class Outlier:
    """A row far from others.

    Attributes:
        row: Its number.
        times: Its distance as a multiple of the median.
        in_class: Whether it is far from its own class only.
    """

    row: int
    times: float
    in_class: bool


def outliers(unit: Array, units: Array, classes: Array | None = None) -> list[Outlier]:
    """Rows that are far, the farthest first; those far from everything before those far from their class.

    Args:
        unit: (N, F) float32 features of length 1, as of `directions`.
        units: (N,) int64; copies of a row share its unit and are no neighbours.
        classes: (N,) int64, or None where targets are no classes.
    """
    far = {int(row): times for row, times in _far(unit, units)}
    found = [Outlier(row, times, False) for row, times in far.items()]
    for rows in [] if classes is None else rows_by_code(classes):
        for row, times in _far(unit[rows], units[rows]):
            if int(rows[row]) not in far:
                found.append(Outlier(int(rows[row]), times, True))
    return sorted(found, key=lambda outlier: (outlier.in_class, -outlier.times))


def _far(unit: Array, units: Array) -> list[tuple[int, float]]:
    """Rows that are far from the others, with how many times the median their distance is."""
    if len(unit) < _LEAST_ROWS:
        return []
    near = nearest(unit, _LOOKED_AT)
    other = units[near.rows] != units[:, None]
    counted = other & (np.cumsum(other, axis=1) <= _NEIGHBOURS)
    cosine = (near.cosines * counted).sum(axis=1) / counted.sum(axis=1).clip(1)
    distance = (1.0 - cosine).clip(1e-6)
    distance[~counted.any(axis=1)] = np.nan  # nothing but copies around
    known = distance[~np.isnan(distance)]
    if len(known) < _LEAST_ROWS:
        return []
    lower, median, upper = np.quantile(np.log(known), [0.25, 0.5, 0.75])
    limit = max(upper + _RANGES * (upper - lower), median + np.log(_TIMES))
    rows = np.flatnonzero(np.log(distance) > limit)
    return [(int(row), float(distance[row] / np.exp(median))) for row in rows]
