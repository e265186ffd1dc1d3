"""Arrays on disk that are filled row by row, in any order, and survive a kill in the middle.

A row counts as present only after its data were written, so a torn write costs that row alone. Knows
nothing of networks.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from autotl.errors import StorageError

Array = NDArray[Any]
_DISK_RESERVE_BYTES = 2**30


def check_disk(folder: Path, needed_bytes: int) -> None:
    """Refuse to start what the disk cannot hold.

    Raises:
        StorageError: Less than `needed_bytes` (and a reserve of 1 GiB) is free.
    """
    free = shutil.disk_usage(folder).free
    if needed_bytes + _DISK_RESERVE_BYTES > free:
        raise StorageError(
            "not enough disk space for cached features",
            found=f"{free / 2**30:.1f} GiB free in {folder}",
            expected=f"{(needed_bytes + _DISK_RESERVE_BYTES) / 2**30:.1f} GiB",
            hint="Free some, or choose another disk with --out.",
        )


class RowArray:
    """A memory-mapped array (N, *shape) of which some rows are present.

    Args:
        path: File without ending; `.npy` holds the data, `.rows.npy` which rows are present.
        rows: N.
        shape: Shape of one row.
        dtype: Type of the elements.
    """

    def __init__(self, path: Path, rows: int, shape: tuple[int, ...], dtype: DTypeLike) -> None:
        self._data = _open(path.with_name(path.name + ".npy"), (rows, *shape), dtype)
        self._present = _open(path.with_name(path.name + ".rows.npy"), (rows,), np.bool_)

    def missing(self, rows: Array) -> Array:
        """Those of `rows` that are not present."""
        return np.asarray(rows[~self._present[rows]])

    def read(self, rows: Array) -> Array:
        """Copies of present rows, (n, *shape)."""
        return np.asarray(self._data[rows])

    def write(self, rows: Array, values: Array) -> None:
        """Store rows, then mark them present."""
        self._data[rows] = values
        self._present[rows] = True


class RaggedArray:
    """A memory-mapped array whose row i has `lengths[i]` vectors of size `width`.

    Args:
        path: File without ending.
        lengths: (N,) vectors a row, known beforehand.
        width: Size of a vector.
        dtype: Type of the elements.
    """

    def __init__(self, path: Path, lengths: Array, width: int, dtype: DTypeLike) -> None:
        self._offsets = np.concatenate([[0], np.cumsum(lengths)])
        self._data = _open(path.with_name(path.name + ".npy"), (int(self._offsets[-1]), width), dtype)
        self._present = _open(path.with_name(path.name + ".rows.npy"), (len(lengths),), np.bool_)
        self._lengths = lengths
        self._width = width

    def missing(self, rows: Array) -> Array:
        """Those of `rows` that are not present."""
        return np.asarray(rows[~self._present[rows]])

    def read(self, rows: Array) -> Array:
        """Present rows padded with zeros to the longest of them, (n, T, width)."""
        out = np.zeros((len(rows), int(self._lengths[rows].max()), self._width), self._data.dtype)
        for i, row in enumerate(rows):
            start, stop = self._offsets[row], self._offsets[row + 1]
            out[i, : stop - start] = self._data[start:stop]
        return out

    def write(self, rows: Array, values: Array) -> None:
        """Store rows from a padded array (n, T, width), then mark them present."""
        for i, row in enumerate(rows):
            start, stop = self._offsets[row], self._offsets[row + 1]
            self._data[start:stop] = values[i, : stop - start]
        self._present[rows] = True


def _open(path: Path, shape: tuple[int, ...], dtype: DTypeLike) -> np.memmap[Any, Any]:
    """Open or create a `.npy` file of zeros; one of another shape or type is made anew."""
    if path.exists():
        try:
            found = np.lib.format.open_memmap(path, mode="r+")
        except (ValueError, OSError):
            path.unlink()
        else:
            if found.shape == shape and found.dtype == np.dtype(dtype):
                return found
            del found
            path.unlink()
    path.parent.mkdir(parents=True, exist_ok=True)
    check_disk(path.parent, int(np.prod(shape)) * np.dtype(dtype).itemsize)
    return np.lib.format.open_memmap(path, mode="w+", dtype=np.dtype(dtype), shape=shape)
