"""Where autotl keeps what it can make or fetch again: the lock file of downloads, engine records."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_dir() -> Path:
    """The cache folder: `AUTOTL_CACHE_DIR`, else the platform's own; created by whoever writes to it."""
    chosen = os.environ.get("AUTOTL_CACHE_DIR")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", str(Path.home()))) / "autotl" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "autotl"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "autotl"
