"""Folds for cross-validation: stratified, and with the units that `split` never parts kept whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.data.dataset import Dataset, Splits
from autotl.data.splits import strata_of, units_of
from autotl.data.stratify import hold_out

Array = NDArray[Any]


def folds(dataset: Dataset, rows: Array, *, count: int, seed: int) -> Iterator[Splits]:
    """Splits of `rows` that hold each of them out once; the test parts are empty.

    Args:
        dataset: The data set.
        rows: Row numbers, ascending.
        count: Number of folds. There are fewer where rows have too few units.
        seed: Seed of the draw.
    """
    strata, present = strata_of(dataset)
    units = units_of(dataset)
    rng = np.random.default_rng(seed)
    left, held = rows, []
    for remaining in range(count, 1, -1):
        none = np.zeros(len(left), dtype=bool)
        taken = hold_out(strata[left], present[left], units[left], 1 / remaining, rng, fixed=none)
        held.append(left[taken])
        left = left[~taken]
    held.append(left)
    for fold in held:
        train = np.setdiff1d(rows, fold)
        if len(fold) and len(train):
            yield Splits(train, fold, np.empty(0, np.int64))
