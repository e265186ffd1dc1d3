"""A stratified draw of whole units: which rows to hold out; and a draw of a few rows a class.

It knows strata and units as numbers, nothing of data sets. Units that mix strata are dealt out first,
greedily (after StratifiedGroupKFold of scikit-learn); the pure ones, nearly all, then fill each stratum's
quota exactly.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def hold_out(
    strata: Array, present: Array, units: Array, share: float, rng: np.random.Generator, *, fixed: Array
) -> Array:
    """Choose units that hold about `share` of the rows of every stratum.

    Args:
        strata: (N,) int64 stratum of each row.
        present: (N, K) bool, classes that each row shows; each class of the N rows stays in the rest, as far
            as there is a unit to leave.
        units: (N,) int64; rows of one unit go the same way.
        share: Share of the rows to hold out, in (0, 1).
        rng: Where randomness comes from.
        fixed: (N,) bool, rows whose units are never held out.

    Returns:
        (N,) bool, True for rows held out. At least one unit is held out where two can be told apart.
    """
    _, strata = np.unique(strata, return_inverse=True)
    codes, units = np.unique(units, return_inverse=True)
    free = np.ones(len(codes), dtype=bool)
    free[units[fixed]] = False
    sizes = np.bincount(units)
    lowest, highest = np.full(len(codes), len(strata)), np.full(len(codes), -1)
    np.minimum.at(lowest, units, strata)
    np.maximum.at(highest, units, strata)
    total = np.bincount(strata)
    quota = share * total
    taken = np.zeros(len(codes), dtype=bool)
    mixed = np.flatnonzero((lowest != highest) & free)
    filled = _take_mixed(mixed, strata, units, sizes, quota, total, taken, rng)
    goals = _whole(np.maximum(quota - filled, 0), rng)
    order = rng.permutation(np.flatnonzero((lowest == highest) & free))
    order = order[np.argsort(lowest[order], kind="stable")]
    bounds = np.searchsorted(lowest[order], np.arange(len(total) + 1))
    for stratum, goal in enumerate(goals):
        _fill(order[bounds[stratum] : bounds[stratum + 1]], sizes, goal, taken)
    if not taken.any() and free.sum() and len(codes) > 1:
        candidates = np.flatnonzero(free)
        taken[candidates[sizes[candidates].argmin()]] = True
    _give_back(taken, present, units, sizes)
    return taken[units]


def spread(targets: Array, rows: Array, count: int, seed: int) -> Array:
    """At most `count` of `rows`, every class in turn, so that each is there while there is room.

    Args:
        targets: Targets of all rows of the data set; class indices are balanced, others drawn at random.
        rows: Rows to choose from.
        count: How many.
        seed: Seed of the choice.
    """
    rows = np.random.default_rng(seed).permutation(rows)
    labels = targets[rows]
    if labels.ndim == 1 and np.issubdtype(labels.dtype, np.integer):
        turn = np.zeros(len(rows), np.int64)
        for label in np.unique(labels):
            members = labels == label
            turn[members] = np.arange(members.sum())
        rows = rows[np.argsort(turn, kind="stable")]
    return np.sort(rows[:count])


def _take_mixed(
    mixed: Array,
    strata: Array,
    units: Array,
    sizes: Array,
    quota: Array,
    total: Array,
    taken: Array,
    rng: np.random.Generator,
) -> Array:
    """Take mixed units, largest first, while that brings the held-out counts (K,) nearer to the quota."""
    filled = np.zeros(len(total))
    if not len(mixed):
        return filled
    place = np.full(len(sizes), -1)
    place[mixed] = np.arange(len(mixed))
    inside = place[units] >= 0
    counts = np.zeros((len(mixed), len(total)))
    np.add.at(counts, (place[units[inside]], strata[inside]), 1)
    shuffled = rng.permutation(len(mixed))
    for i in shuffled[np.argsort(-sizes[mixed][shuffled], kind="stable")]:
        gain = (counts[i] * (counts[i] + 2 * (filled - quota)) / np.maximum(total, 1)).sum()
        if gain < 0:
            taken[mixed[i]] = True
            filled += counts[i]
    return filled


def _whole(quota: Array, rng: np.random.Generator) -> Array:
    """Whole numbers near the quota whose sum is that of the quota, by largest remainder; ties by chance."""
    goals = np.floor(quota).astype(int)
    missing = round(float(quota.sum())) - int(goals.sum())
    shuffled = rng.permutation(len(quota))
    ranked = shuffled[np.argsort(-np.round(quota - goals, 9)[shuffled], kind="stable")]
    goals[ranked[: max(missing, 0)]] += 1
    return goals


def _fill(candidates: Array, sizes: Array, goal: int, taken: Array) -> None:
    """Take units in order while they fit into `goal` rows; if none does, the smallest if that is nearer."""
    room = goal
    for unit in candidates:
        if sizes[unit] <= room:
            taken[unit] = True
            room -= sizes[unit]
    if room == goal and len(candidates):
        smallest = candidates[sizes[candidates].argmin()]
        taken[smallest] = sizes[smallest] < 2 * goal


def _give_back(taken: Array, present: Array, units: Array, sizes: Array) -> None:
    """Give back the smallest unit of each class that would be left without a row."""
    held = taken[units]
    absent = present.any(axis=0) & ~present[~held].any(axis=0)
    for column in np.flatnonzero(absent):
        shown = np.unique(units[present[:, column]])
        if taken[shown].all():
            taken[shown[sizes[shown].argmin()]] = False
