"""Augmented pictures, told from their pixels alone, before any network is at hand.

Augmentation gives many pictures of one original: turned by any angle, mirrored, slightly cropped, relit. A
split that parts them tests a model on what it was trained on. A sample tells whether a data set is of that
kind, and only then are all rows looked at. `autotl.audit.copies` looks at features too, and finds few copies
among many rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from autotl.audit.copies import ALIKE, Copies, agreement, joined, proposed
from autotl.audit.neighbours import directions, nearest
from autotl.audit.registration import SIDE, Pictures
from autotl.data.components import components, same_code

Array = NDArray[Any]

#: Share of a sample with a copy in it from which a data set is one of augmented pictures. Over photos,
#: textures, hands and strokes 1 % at most have one; of 530 cells with a copy each, 400 rows sampled, 30 %.
#: And share of the pairs with one target: where fewer have, pictures are alike by their nature.
_AUGMENTED, _OF_ONE_TARGET = 0.03, 0.75
#: Neighbours that are looked at, by rings and by spread; of a sample the nearest, by rings.
_NEIGHBOURS = 4
#: Neighbours that are looked at of rows that stayed behind; groups that such a row is held against, and rows
#: of each: two copies that were cropped at opposite sides have too little in common.
_LOOKED_AT, _OTHER_GROUPS, _ROWS_A_GROUP = 96, 10, 3
#: Correlation of the rings from which a pair gets a closer look: that of copies lies above.
_LEAST_TURN = 0.75
_COLOUR_STEPS, _SLOPE_STEPS = 33, 17


def looks_augmented(pixels: Array, targets: Array) -> bool:
    """Whether pictures, a few hundred taken at random, are copies of one another.

    Args:
        pixels: (N, S, S, 3) uint8.
        targets: As `Dataset.targets`.
    """
    if len(pixels) < 2:
        return False
    pictures = Pictures.of(pixels)
    near = nearest(directions(pictures.descriptors()), 1).rows
    pairs = proposed((near,), np.arange(len(pixels)))
    alike = pairs[agreement(pictures, pairs, _LEAST_TURN) >= ALIKE]
    if len(np.unique(alike)) < _AUGMENTED * len(pixels):
        return False
    same = targets[alike[:, 0]] == targets[alike[:, 1]]
    return bool((same if same.ndim == 1 else same.all(axis=1)).mean() >= _OF_ONE_TARGET)


def augmented_copies(pixels: Array, units: Array) -> Copies:
    """Pictures that show the same, joined into groups.

    Nearest neighbours come first, and pairs that are joined already are passed over, so that the pairs found
    are as many as the groups need and not all that there are. Rows that stay behind, as those do that were
    cropped far from the middle, are then held against other groups.

    Args:
        pixels: (N, S, S, 3) uint8.
        units: (N,) int64; rows of one unit are known to be copies, and no news.
    """
    pictures, count = Pictures.of(pixels), len(pixels)
    seen = [directions(pictures.descriptors()), directions(spread_of(pixels))]
    pairs = proposed([nearest(unit, _NEIGHBOURS).rows for unit in seen], units)
    strength, groups = _strengths(pictures, pairs, units)
    further = _of_stragglers(np.concatenate(seen, axis=1) / np.sqrt(2.0), groups)
    pairs = np.concatenate([pairs, further])
    strength = np.concatenate([strength, agreement(pictures, further)])
    return joined(pairs, strength, ALIKE, count, lambda some: agreement(pictures, some))


def _strengths(pictures: Pictures, pairs: Array, units: Array) -> tuple[Array, Array]:
    """Agreement (P,) of pairs, 0 of those whose rows were joined before it was their turn; groups (N,)."""
    strength, groups, count = np.zeros(len(pairs), np.float32), units, len(units)
    for start in range(0, len(pairs), count):
        some = np.arange(start, min(start + count, len(pairs)))
        some = some[groups[pairs[some, 0]] != groups[pairs[some, 1]]]
        strength[some] = agreement(pictures, pairs[some], _LEAST_TURN)
        alike = pairs[some][strength[some] >= ALIKE]
        groups = components([same_code(groups), alike.T], count)
    return strength, groups


def _of_stragglers(unit: Array, groups: Array) -> Array:
    """Pairs (P, 2) of rows in groups of half the usual size at most, and the nearest rows of other groups."""
    sizes = np.bincount(groups)[groups]
    stragglers = np.flatnonzero(sizes <= np.median(sizes) / 2)
    near = nearest(unit, _LOOKED_AT).rows
    pairs = []
    for row in stragglers.tolist():
        of_group: dict[int, list[int]] = {}
        for other in near[row][groups[near[row]] != groups[row]].tolist():
            of_group.setdefault(int(groups[other]), []).append(other)
        for others in list(of_group.values())[:_OTHER_GROUPS]:
            pairs += [(row, other) for other in others[:_ROWS_A_GROUP]]
    return np.unique(np.sort(np.array(pairs, np.int64).reshape(-1, 2), axis=1), axis=0)


def spread_of(pixels: Array) -> Array:
    """How colours and slopes of pictures are spread: nearly the same, however a picture is turned or cropped.

    Args:
        pixels: (N, S, S, 3) uint8.

    Returns:
        (N, 116) float32: quantiles of the channels and of the slopes, as multiples of the mean brightness.
    """
    small = np.stack(
        [np.asarray(Image.fromarray(p).resize((SIDE, SIDE), Image.Resampling.BOX)) for p in pixels]
    )
    light = np.maximum(small.mean(axis=(1, 2, 3), dtype=np.float32), 1.0)[:, None]
    grey = small.mean(axis=3, dtype=np.float32)
    slopes = np.hypot(*(np.diff(grey, axis=axis)[:, : SIDE - 1, : SIDE - 1] for axis in (1, 2)))
    colours = [_quantiles(small[..., channel], _COLOUR_STEPS) for channel in range(3)]
    return np.asarray(np.concatenate([*colours, _quantiles(slopes, _SLOPE_STEPS)], axis=1) / light)


def _quantiles(values: Array, count: int) -> Array:
    """Quantiles (N, count) float32 of what each row holds, from the least to the most."""
    ordered = np.sort(values.reshape(len(values), -1), axis=1)
    places = np.linspace(0, ordered.shape[1] - 1, count).round().astype(np.int64)
    return np.asarray(ordered[:, places], np.float32)
