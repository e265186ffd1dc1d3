"""The data set as a map, where rows with like features lie near each other; typical rows of each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.report.recorded import plain

Array = NDArray[Any]
#: Points drawn at most, classes that are shown by examples, and examples of each.
_MOST_POINTS, _MOST_CLASSES, _EXAMPLES = 1_200, 24, 4


@dataclass(frozen=True)
class Landscape:
    """M rows on a map.

    Attributes:
        xy: (M, 2) places; only which are near has a meaning.
        names: M names of rows.
        parts: M of "train", "val", "test".
        targets: (M,) class indices, (M, K) indicators, or (M,) values.
        suspect: (M,) whether the label is doubtful.
        wrong: (M,) whether the winner got it wrong; False where it was not asked.
    """

    xy: Array
    names: tuple[str, ...]
    parts: tuple[str, ...]
    targets: Array
    suspect: Array
    wrong: Array


def landscape(arrays: Mapping[str, Array], wrong: Sequence[str]) -> Landscape | None:
    """The map of a run, thinned to what can be drawn; None where the arrays are missing or do not fit.

    Args:
        arrays: xy (N, 2), names, parts, targets, suspect, as a run records them.
        wrong: Names of test rows that the winner got wrong.
    """
    if not {"xy", "names", "parts", "targets", "suspect"} <= set(arrays):
        return None
    xy, count = arrays["xy"], len(arrays["xy"])
    if xy.ndim != 2 or xy.shape[1] != 2 or not count or not np.isfinite(xy).all():
        return None
    if any(len(arrays[name]) != count for name in ("names", "parts", "targets", "suspect")):
        return None
    rows = np.arange(count)
    if count > _MOST_POINTS:
        rows = np.sort(np.random.default_rng(0).choice(rows, _MOST_POINTS, replace=False))
    names = tuple(plain(arrays["names"][row]) for row in rows.tolist())
    missed = set(wrong)
    return Landscape(
        xy[rows].astype(np.float64),
        names,
        tuple(plain(arrays["parts"][row]) for row in rows.tolist()),
        arrays["targets"][rows],
        arrays["suspect"][rows].astype(bool),
        np.array([name in missed for name in names]),
    )


def typical(found: Landscape, classes: Sequence[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Training rows in the middle of each class or label, as pairs of its name and theirs.

    Those nearest to the medians of their class on the map, doubtful ones left out. At most 24 classes are
    shown, in their own order, and at most 24 labels, the most frequent ones.
    """
    if found.targets.ndim > 2 or not classes:
        return ()
    clean = np.array([part == "train" for part in found.parts]) & ~found.suspect
    pairs = []
    for code, applies in _members(found.targets, len(classes)):
        rows = np.flatnonzero(clean & applies)
        if len(rows):
            distances = np.linalg.norm(found.xy[rows] - np.median(found.xy[rows], axis=0), axis=1)
            nearest = rows[np.argsort(distances, kind="stable")[:_EXAMPLES]]
            pairs.append((classes[code], tuple(found.names[row] for row in nearest.tolist())))
    return tuple(pairs)


def _members(targets: Array, count: int) -> list[tuple[int, Array]]:
    """The classes or labels that are shown, each with whether it is that of a row, (M,)."""
    if targets.ndim == 1:
        return [(code, targets == code) for code in range(min(count, _MOST_CLASSES))]
    given = targets[:, :count] > 0
    frequent = np.argsort(-given.sum(axis=0), kind="stable")[:_MOST_CLASSES]
    return [(code, given[:, code]) for code in frequent.tolist()]
