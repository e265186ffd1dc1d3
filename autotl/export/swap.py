"""Puts a finished folder in the place of another, so that a reader finds one or the other at every moment."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from pathlib import Path

from autotl.serve.bundle import previous_folder

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


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
