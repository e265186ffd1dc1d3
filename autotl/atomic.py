"""Writing files whole or not at all, and the folders that they go to."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from autotl.errors import StorageError

_HINTS = {
    errno.ENOSPC: "Free some space, or choose another disk.",
    errno.EDQUOT: "Free some space, or choose another disk.",
    errno.EFBIG: "Choose a disk that takes files of this size.",
    errno.ENOENT: "Make its folder first.",
    errno.EISDIR: "Name a file; this is a folder.",
}


def folder_at(path: Path, hint: str = "Choose another with --out.") -> Path:
    """Make a folder where there is none.

    Args:
        path: The folder.
        hint: What to do where it cannot be made.

    Raises:
        StorageError: It cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        found = f"{path} ({error.strerror})"
        raise StorageError("cannot make the folder", found=found, hint=hint) from error
    return path


def write_texts(folder: Path, files: Mapping[str, str]) -> None:
    """Write texts into a folder by their names, each whole or not at all; what is no UTF-8 is replaced."""
    for name, content in files.items():
        with replacing(folder / name) as temporary:
            temporary.write_text(content, encoding="utf-8", errors="replace")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` that takes its place when the block ends without error."""
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")  # containers share numbers of processes
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        hint = _HINTS.get(error.errno or 0)
        raise StorageError("cannot write a file", found=f"{path} ({error.strerror})", hint=hint) from error
    finally:
        temporary.unlink(missing_ok=True)
