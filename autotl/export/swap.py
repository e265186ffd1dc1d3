"""Puts a finished folder in the place of another, so that a reader finds one or the other at every moment."""

from __future__ import annotations

import ctypes
import glob
import os
import re
import shutil
import sys
import time
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from autotl.serve.bundle import previous_folder

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
#: No export takes so long: what is older was left by a process that died.
_LEFT_SECONDS = 24 * 3600


def place_beside(folder: Path) -> Path:
    """Where to make a folder that is to take the place of `folder`: nobody else does there.

    What died processes left in such places is deleted.
    """
    own = re.compile(rf"\.{re.escape(folder.name)}(\.[0-9a-f]{{32}})?\.new")
    for path in folder.parent.glob(f".{glob.escape(folder.name)}.*new"):
        with suppress(OSError):  # gone already
            if own.fullmatch(path.name) and time.time() - path.stat().st_mtime > _LEFT_SECONDS:
                shutil.rmtree(path, ignore_errors=True)
    return folder.with_name(f".{folder.name}.{uuid4().hex}.new")


def swap_in(new: Path, folder: Path) -> None:
    """Let `new` take the place of `folder`, which is deleted; both lie on one file system.

    On Linux the two are exchanged in one step. Where that is not possible, the old one steps aside under the
    name that `read_bundle` looks for, so that a crash in between loses nothing.

    Raises:
        OSError: A folder cannot be renamed; the old one is still readable.
    """
    previous = previous_folder(folder)
    if not folder.exists():
        new.rename(folder)
    elif exchange(new, folder):
        shutil.rmtree(new, ignore_errors=True)
    else:
        shutil.rmtree(previous, ignore_errors=True)
        folder.rename(previous)
        new.rename(folder)
    shutil.rmtree(previous, ignore_errors=True)


def exchange(first: Path, second: Path) -> bool:
    """Exchange two paths in one step (Linux `renameat2`); False where system or file system cannot."""
    if not sys.platform.startswith("linux"):
        return False
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    return bool(
        rename(_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), ctypes.c_uint(_RENAME_EXCHANGE))
        == 0
    )
