"""Arrays on disk that are filled row by row, in any order, by any number of processes, and survive a kill.

A row counts as present only after its data have reached the disk, so a kill or a power cut costs rows, never
truth. Two files make an array: `.npy` holds the data, `.rows.npy` which rows are present. Both are made
beside their place and moved there, so nobody meets half a header. Knows nothing of networks.
"""

from __future__ import annotations

import mmap
import os
import shutil
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import DTypeLike, NDArray

from autotl.atomic import replacing
from autotl.errors import StorageError

Array = NDArray[Any]
Memmap = np.memmap[Any, Any]
_DISK_RESERVE_BYTES = 2**30
#: Bytes of an array that are touched before its pages are given back, and the least that a row touches.
_RESIDENT_BYTES, _PAGE_BYTES = 2**28, 2**12
#: Unmaps pages; Windows has no such thing.
_UNMAP: int | None = getattr(mmap, "MADV_DONTNEED", None)
#: What the names of the two files of an array end in.
DATA, MARKS = ".npy", ".rows.npy"


def has_room(folder: Path, needed_bytes: int) -> bool:
    """Whether the disk of a folder holds so much more, and a reserve of 1 GiB; nothing always has room."""
    return needed_bytes == 0 or needed_bytes + _DISK_RESERVE_BYTES <= shutil.disk_usage(folder).free


def check_room(folder: Path, needed_bytes: int) -> None:
    """Refuse to start what the disk cannot hold: a full one would kill the process, not raise an error.

    Raises:
        StorageError: The disk has no room for it.
    """
    if not has_room(folder, needed_bytes):
        free = shutil.disk_usage(folder).free
        raise StorageError(
            "not enough disk space for cached features",
            found=f"{free / 2**30:.1f} GiB free in {folder}",
            expected=f"{(needed_bytes + _DISK_RESERVE_BYTES) / 2**30:.1f} GiB",
            hint="Free some, or choose another disk with --cache-dir.",
        )


class FilledArray(ABC):
    """What arrays of any form share: which rows are present. Rows that are absent take no room on the disk.

    Whoever writes many rows asks for their room first (`check_room`).
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: DTypeLike, rows: int) -> None:
        self._data, self._present = _open_pair(path, shape, dtype, rows)
        self._written: list[Array] = []
        self._touched_bytes = 0

    def missing(self, rows: Array) -> Array:
        """Those of `rows` that are not present."""
        return np.asarray(rows[~self._present[rows]])

    def write(self, rows: Array, values: Array) -> None:
        """Store rows; they are present from the next `commit` on."""
        self._put(rows, values)
        self._written.append(rows)
        self._touch(rows, values)

    def commit(self) -> None:
        """Bring what was written to the disk, then mark it present."""
        if not self._written:
            return
        self._data.flush()
        self._present[np.concatenate(self._written)] = True
        self._written = []

    def _touch(self, rows: Array, values: Array) -> None:
        """Count what was read or written, and unmap the pages before they make the process look large.

        They stay in the system's cache of the file, and come back when they are touched again.
        """
        self._touched_bytes += max(values.nbytes, _PAGE_BYTES * len(rows))
        if self._touched_bytes > _RESIDENT_BYTES:
            self._touched_bytes = 0
            mapped: Any = self._data.base
            if _UNMAP is not None and isinstance(mapped, mmap.mmap):
                mapped.madvise(_UNMAP)

    @abstractmethod
    def bytes_of(self, rows: Array) -> int:
        """What these rows take on the disk."""

    @abstractmethod
    def _put(self, rows: Array, values: Array) -> None:
        """Copy rows into the data."""


class RowArray(FilledArray):
    """A memory-mapped array (N, *shape) of which some rows are present.

    Args:
        path: File without ending.
        rows: N.
        shape: Shape of one row.
        dtype: Type of the elements.
    """

    def __init__(self, path: Path, rows: int, shape: tuple[int, ...], dtype: DTypeLike) -> None:
        super().__init__(path, (rows, *shape), dtype, rows)

    def read(self, rows: Array, columns: slice = slice(None)) -> Array:
        """Copies of present rows, (n, *shape), of these columns only."""
        values = np.asarray(self._data[rows, columns])
        self._touch(rows, values)
        return values

    def bytes_of(self, rows: Array) -> int:
        """What these rows take on the disk."""
        return len(rows) * self._data.nbytes // len(self._data)

    def _put(self, rows: Array, values: Array) -> None:
        self._data[rows] = values


class RaggedArray(FilledArray):
    """A memory-mapped array whose row i has `lengths[i]` vectors of size `width`.

    Args:
        path: File without ending.
        lengths: (N,) vectors a row, known beforehand.
        width: Size of a vector.
        dtype: Type of the elements.
    """

    def __init__(self, path: Path, lengths: Array, width: int, dtype: DTypeLike) -> None:
        self._offsets = np.concatenate([[0], np.cumsum(lengths)])
        super().__init__(path, (int(self._offsets[-1]), width), dtype, len(lengths))
        self._lengths = lengths
        self._width = width

    def read(self, rows: Array) -> Array:
        """Present rows padded with zeros to the longest of them, (n, T, width)."""
        out = np.zeros((len(rows), int(self._lengths[rows].max()), self._width), self._data.dtype)
        for i, row in enumerate(rows):
            start, stop = self._offsets[row], self._offsets[row + 1]
            out[i, : stop - start] = self._data[start:stop]
        self._touch(rows, out)
        return out

    def bytes_of(self, rows: Array) -> int:
        """What these rows take on the disk."""
        return int(self._lengths[rows].sum()) * self._width * self._data.itemsize

    def _put(self, rows: Array, values: Array) -> None:
        """Take rows from a padded array (n, T, width)."""
        for i, row in enumerate(rows):
            start, stop = self._offsets[row], self._offsets[row + 1]
            self._data[start:stop] = values[i, : stop - start]


def _open_pair(path: Path, shape: tuple[int, ...], dtype: DTypeLike, rows: int) -> tuple[Memmap, Memmap]:
    """The data and the marks of present rows; both are made anew where either is torn or of another form.

    One process at a time makes arrays in a folder. Opening counts as a use: it sets the time of the marks.
    """
    files = [path.with_name(path.name + ending) for ending in (DATA, MARKS)]
    forms = [(shape, np.dtype(dtype)), ((rows,), np.dtype(np.bool_))]
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.parent / "arrays.lock"):
        found = [_reopen(file, *form) for file, form in zip(files, forms, strict=True)]
        if found[0] is None or found[1] is None:
            del found
            for file in reversed(files):
                file.unlink(missing_ok=True)
            found = [_create(file, *form) for file, form in zip(files, forms, strict=True)]
        os.utime(files[1])
    assert found[0] is not None
    assert found[1] is not None
    return found[0], found[1]


def _create(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Memmap | None:
    with replacing(path) as temporary:
        # Closed again at once: Windows moves no file that is mapped.
        np.lib.format.open_memmap(temporary, mode="w+", dtype=dtype, shape=shape)
    return _reopen(path, shape, dtype)


def _reopen(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Memmap | None:
    """The array of a file, None where there is none, it is torn, or of another shape or type."""
    try:
        array = np.lib.format.open_memmap(path, mode="r+")
    except (ValueError, OSError):
        return None
    return array if array.shape == shape and array.dtype == dtype else None
