"""sha256 of weight files, and the one place where a wrong one is refused."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from autotl.errors import ChecksumError


def sha256(path: Path) -> str:
    """The file's sha256 in hexadecimal; remembered as long as its size and time stay the same."""
    status = path.stat()
    return _sha256(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=256)
def _sha256(path: Path, size: int, modified_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check(path: Path, expected: str | None, *, hint: str) -> None:
    """Refuse a file whose sha256 is not the expected one; None expects nothing.

    Raises:
        ChecksumError: It is another one.
    """
    if expected is None:
        return
    found = sha256(path)
    if found != expected:
        raise ChecksumError(
            f"the sha256 of {path} is not the recorded one", found=found, expected=expected, hint=hint
        )
