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
Memmap = np.memmap[Any, Any]
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
        self._data, self._present = _open_pair(path, (rows, *shape), dtype, rows)

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
        shape = (int(self._offsets[-1]), width)
        self._data, self._present = _open_pair(path, shape, dtype, len(lengths))
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


def _open_pair(path: Path, shape: tuple[int, ...], dtype: DTypeLike, rows: int) -> tuple[Memmap, Memmap]:
    """The data and the marks of present rows; both are made anew where either is torn or of another form."""
    files = [path.with_name(path.name + ending) for ending in (".npy", ".rows.npy")]
    forms = [(shape, np.dtype(dtype)), ((rows,), np.dtype(np.bool_))]
    found = [_reopen(file, *form) for file, form in zip(files, forms, strict=True)]
    if found[0] is not None and found[1] is not None:
        return found[0], found[1]
    del found
    for file in files:
        file.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    check_disk(path.parent, int(np.prod(shape)) * np.dtype(dtype).itemsize)
    data, present = (
        np.lib.format.open_memmap(file, mode="w+", dtype=kind, shape=form)
        for file, (form, kind) in zip(files, forms, strict=True)
    )
    return data, present


def _reopen(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Memmap | None:
    """The array of a file, None where there is none, it is torn, or of another shape or type."""
    try:
        array = np.lib.format.open_memmap(path, mode="r+")
    except (ValueError, OSError):
        return None
    return array if array.shape == shape and array.dtype == dtype else None
