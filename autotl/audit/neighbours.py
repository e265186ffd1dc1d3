"""Nearest rows in feature space, by the cosine of centred features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
_BLOCK = 1024


@dataclass(frozen=True)
class Neighbours:
    """The nearest rows of each row.

    Attributes:
        rows: (N, k) int64, nearest first, the row itself left out.
        cosines: (N, k) float32.
    """

    rows: Array
    cosines: Array


def directions(features: Array) -> Array:
    """Centred features (N, F) of length 1, float32; rows at the centre stay 0."""
    centred = features.astype(np.float32) - features.mean(axis=0, dtype=np.float64).astype(np.float32)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.asarray(centred / np.where(lengths > 0, lengths, 1.0))


def standardised(features: Array) -> Array:
    """Features (N, F) whose columns all have deviation 1, but for those that hardly vary; of their type."""
    centred = features - features.mean(axis=0, dtype=np.float64).astype(features.dtype)
    deviation = centred.std(axis=0)
    return np.asarray(centred / np.where(deviation > 1e-6 * deviation.max(initial=0.0), deviation, 1.0))


def nearest(unit: Array, count: int) -> Neighbours:
    """The `count` nearest rows, or all others where there are fewer.

    Args:
        unit: (N, F) float32 rows of length 1.
        count: k.
    """
    count = min(count, len(unit) - 1)
    rows = np.empty((len(unit), count), np.int64)
    cosines = np.empty((len(unit), count), np.float32)
    for start in range(0, len(unit), _BLOCK):
        block = unit[start : start + _BLOCK] @ unit.T
        own = np.arange(len(block))
        block[own, start + own] = -np.inf
        some = np.argpartition(-block, count - 1, axis=1)[:, :count] if count else rows[: len(block)]
        near = np.take_along_axis(block, some, axis=1)
        order = np.argsort(-near, axis=1, kind="stable")
        rows[start : start + _BLOCK] = np.take_along_axis(some, order, axis=1)
        cosines[start : start + _BLOCK] = np.take_along_axis(near, order, axis=1)
    return Neighbours(rows, cosines)
