"""Files of a bundle that came from anywhere: plain names, and nothing that a link leads to."""

from __future__ import annotations

import stat
from pathlib import Path

from autotl.errors import BundleError

#: What to do about a bundle that cannot be read.
EXPORT_AGAIN = "Export it again: autotl export RUN"
_SHOWN = 200


def is_plain(name: str) -> bool:
    """Whether a name is that of a file in the folder itself, which every system and terminal can spell."""
    return Path(name).name == name and name not in ("", ".", "..") and "\\" not in name and name.isprintable()


def own_file(path: Path) -> Path:
    """The path itself, where a file lies there that is the folder's own.

    Raises:
        BundleError: There is none, or a link.
    """
    try:
        mode = path.lstat().st_mode
    except (OSError, ValueError) as error:  # also for a name that is too long, or that cannot be spelled
        raise _missing(path) from error
    if stat.S_ISLNK(mode):
        raise BundleError(f"{path} is a link", expected="a file of the bundle's own", hint=EXPORT_AGAIN)
    if not stat.S_ISREG(mode):
        raise _missing(path)
    return path


def _missing(path: Path) -> BundleError:
    return BundleError("the bundle is incomplete", found=f"no file {str(path)[:_SHOWN]}", hint=EXPORT_AGAIN)
