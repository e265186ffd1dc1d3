"""Writing files whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autotl.errors import StorageError

_HINTS = {
    errno.ENOSPC: "Free some space, or choose another disk.",
    errno.EDQUOT: "Free some space, or choose another disk.",
    errno.EFBIG: "Choose a disk that takes files of this size.",
    errno.ENOENT: "Make its folder first.",
    errno.EISDIR: "Name a file; this is a folder.",
}


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` that takes its place when the block ends without error."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        hint = _HINTS.get(error.errno or 0)
        raise StorageError("cannot write a file", found=f"{path} ({error.strerror})", hint=hint) from error
    finally:
        temporary.unlink(missing_ok=True)
