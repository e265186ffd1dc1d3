"""Where autotl keeps what it can make or fetch again: the lock file of downloads, engine records."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

_chosen: ContextVar[Path | None] = ContextVar("cache_dir", default=None)


@contextmanager
def cache_at(folder: Path) -> Iterator[None]:
    """Make `folder` the cache folder of what is called inside."""
    token = _chosen.set(folder)
    try:
        yield
    finally:
        _chosen.reset(token)


def cache_dir() -> Path:
    """The cache folder: that of `cache_at`, else `AUTOTL_CACHE_DIR`, else the platform's own.

    It is created by whoever writes to it.
    """
    if (inside := _chosen.get()) is not None:
        return inside
    if chosen := os.environ.get("AUTOTL_CACHE_DIR"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", str(Path.home()))) / "autotl" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "autotl"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "autotl"
