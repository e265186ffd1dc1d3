"""Reads npz files that came from anywhere: plain arrays, no more of them than memory is meant for.

A small archive can inflate to any size, and the head of an array can promise more than follows; both say how
much there will be before anything is made room for.
"""

from __future__ import annotations

import math
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.errors import BundleError
from autotl.serve.files import EXPORT_AGAIN

Array = NDArray[Any]

#: Most bytes of all arrays of a file, and most arrays. The largest that is written counts pairs of classes,
#: in 4 bytes each: this is enough for 11,000 classes.
MOST_BYTES = 512 * 2**20
MOST_ARRAYS = 64
_SUFFIX = ".npy"
#: What Python and NumPy raise on a file that is no archive of arrays, or a torn one.
_UNREADABLE = (
    *(ArithmeticError, EOFError, LookupError, MemoryError, OSError, RuntimeError, SyntaxError),
    *(TypeError, ValueError, Warning, tokenize.TokenError, zipfile.BadZipFile, zlib.error),
)


def read_arrays(path: Path, *, most_bytes: int = MOST_BYTES) -> dict[str, Array]:
    """The arrays in an npz file, by name.

    Args:
        path: The file.
        most_bytes: Most bytes of all arrays together, as they lie in memory.

    Raises:
        BundleError: It is none, holds objects of Python, or is larger than that.
    """
    try:
        with path.open("rb") as stream, zipfile.ZipFile(stream) as archive:
            members = archive.infolist()
            size = sum(member.file_size for member in members)
            if size <= most_bytes and len(members) <= MOST_ARRAYS:
                return {member.filename.removesuffix(_SUFFIX): _array(archive, member) for member in members}
    except _UNREADABLE as error:
        found = f"{type(error).__name__}: {error}"[:200]
        raise BundleError(f"{path} is malformed", found=found, hint=EXPORT_AGAIN) from error
    raise BundleError(
        f"{path} is too large",
        found=f"{len(members):,} arrays of {size:,} bytes",
        expected=f"at most {MOST_ARRAYS} of {most_bytes:,} bytes",
        hint=EXPORT_AGAIN,
    )


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Array:
    """One array; what it promises in its head must be what follows."""
    if not member.filename.endswith(_SUFFIX):
        raise ValueError(f"{member.filename[:40]!r} is no array")
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        read_head = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, is_fortran, kind = read_head(stream)
        promised, left = math.prod(shape) * kind.itemsize, member.file_size - stream.tell()
        if kind.hasobject or kind.itemsize == 0:
            raise ValueError(f"{member.filename} holds objects, not numbers or texts")
        if promised != left:
            raise ValueError(f"{member.filename} promises {promised} bytes and holds {left}")
        return np.ndarray(shape, kind, bytearray(stream.read()), order="F" if is_fortran else "C")
