"""`split`: rows into train, validation and test.

Rows that must not be parted (a user's groups, exact and near duplicates) form units, and units are what is
dealt out. Official parts stay as they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.data.components import components, same_code
from autotl.data.dataset import Dataset, Splits
from autotl.data.rows import plural, some
from autotl.data.stratify import hold_out
from autotl.errors import DataError
from autotl.task import TaskKind

Array = NDArray[Any]
_QUANTILES = 10
_ROWS_A_QUANTILE = 10
#: Rows that no earlier model was fitted on make up the parts drawn, where they suffice for so much of them.
_LEAST_OF_PARTS = 0.5
#: A unit of more than this share of the rows, the default of a part, is worth a word.
_LARGE_UNIT = 0.2


def split(
    dataset: Dataset,
    *,
    seed: int = 0,
    test_share: float = 0.2,
    val_share: float = 0.2,
    learnt: Array | None = None,
) -> Splits:
    """Divide rows, stratified by target; the same data and seed give the same rows.

    Official parts are kept. Without an official test part, `test_share` of the other rows become it; without
    an official validation part, `val_share` of what is then left for training. Every class that training
    rows can cover stays in train.

    Args:
        dataset: The data set, audited where duplicates are to be respected.
        seed: Seed of the draw.
        test_share: Share of rows for the test part, in (0, 1).
        val_share: Share of the rest for the validation part, in (0, 1).
        learnt: (N,) bool, rows that a model of an earlier run was fitted on. They stay in train where the
            others are enough for half of what the parts should have, which are then smaller.

    Raises:
        DataError: A share is out of range, or a part would be empty.
    """
    for name, share in (("test", test_share), ("val", val_share)):
        if not 0 < share < 1:
            raise DataError(
                f"impossible share of rows for the {name} part", found=share, expected="0 < share < 1"
            )
    parts = dataset.parts if dataset.parts is not None else np.full(len(dataset), "")
    units = units_of(dataset)
    strata, present = strata_of(dataset)
    rng = np.random.default_rng(seed)
    rows = {part: np.flatnonzero(parts == part) for part in ("val", "test")}
    fixed = np.unique(units[np.concatenate([rows["val"], rows["test"]])])
    train = np.flatnonzero(~np.isin(parts, ("val", "test")))
    shares = {"test": test_share, "val": val_share}
    shares = {part: share for part, share in shares.items() if not len(rows[part])}
    if learnt is not None and shares:
        kept = np.union1d(fixed, units[learnt])
        wanted = 1.0 - math.prod(1.0 - share for share in shares.values())
        enough = float(np.mean(~np.isin(units[train], kept))) / wanted
        if enough >= _LEAST_OF_PARTS:
            fixed, shares = kept, {part: min(1.0, enough) * share for part, share in shares.items()}
    for part, share in shares.items():
        held = hold_out(
            strata[train], present[train], units[train], share, rng, fixed=np.isin(units[train], fixed)
        )
        rows[part], train = train[held], train[~held]
    for part, chosen in (("train", train), *rows.items()):
        if not len(chosen):
            groups = plural(len(np.unique(units)), "group")
            raise DataError(
                f"no row can go to the {part} part",
                found=f"{len(dataset)} rows in {groups} that must stay together",
                expected="at least 3 groups",
                hint="Give an official part with --val PATH or --test PATH.",
            )
    return Splits(train=train, val=rows["val"], test=rows["test"])


def lacking_classes(dataset: Dataset, splits: Splits) -> Iterator[str]:
    """What to say of classes that the validation or the test part has no row of, a sentence a part."""
    if dataset.task.kind not in (TaskKind.BINARY, TaskKind.MULTICLASS):
        return
    for part, rows in (("validation", splits.val), ("test", splits.test)):
        counts = np.bincount(dataset.targets[rows], minlength=len(dataset.task.classes))
        lacking = [name for name, count in zip(dataset.task.classes, counts, strict=True) if not count]
        if lacking:
            classes = plural(len(lacking), "class", "classes")
            yield (
                f"The {part} part has no row of {classes} of {len(counts)} ({some(lacking)}): its score says "
                "nothing of them. Rows that are alike stay in one part; more different rows would help, or "
                "official parts (--val, --test)."
            )


def large_unit(dataset: Dataset) -> str | None:
    """What to say of the largest unit where rows that are alike made it larger than a part should be."""
    units = units_of(dataset)
    largest = units == np.bincount(units).argmax()
    rows, groups = int(largest.sum()), dataset.groups
    joined = 0 if groups is None else len(np.unique(groups[largest]))
    if rows <= _LARGE_UNIT * len(dataset) or joined == 1:
        return None
    of_groups = f", of {joined:,} groups," if joined else ""
    return (
        f"{rows:,} of {len(dataset):,} rows{of_groups} stay in one part, joined by rows that are equal or "
        "nearly so: the parts can differ much in size and kind. Fewer such rows would help, or official "
        "parts (--val, --test)."
    )


def units_of(dataset: Dataset) -> Array:
    """(N,) int64 codes: rows of one code share a group, a fingerprint or a near-duplicate cluster."""
    links = [codes for codes in (dataset.groups, dataset.clusters) if codes is not None]
    if len(dataset.fingerprints):
        links.append(np.asarray(dataset.fingerprints))
    return components([same_code(codes) for codes in links], len(dataset))


def strata_of(dataset: Dataset) -> tuple[Array, Array]:
    """What a draw balances and what it must leave in train.

    Returns:
        Strata (N,) int64: the class, the rarest label of a row (rows without labels share one), or the
        quantile of the value. And (N, K) bool, which classes or labels each row shows; K is 0 for regression.
    """
    kind, targets = dataset.task.kind, dataset.targets
    if kind is TaskKind.REGRESSION:
        bins = max(1, min(_QUANTILES, len(targets) // _ROWS_A_QUANTILE))
        edges = np.unique(np.quantile(targets, np.linspace(0, 1, bins + 1)[1:-1]))
        return np.searchsorted(edges, targets, side="right"), np.zeros((len(targets), 0), dtype=bool)
    if kind is TaskKind.MULTILABEL:
        shown = targets > 0
        frequency = shown.sum(axis=0)
        rarest = np.where(shown, frequency, len(targets) + 1).argmin(axis=1)
        return np.where(shown.any(axis=1), rarest, shown.shape[1]), shown
    return targets, targets[:, None] == np.arange(len(dataset.task.classes))
