"""Layouts in which a bundle is handed to other software: a module each, with a function `write`."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

from autotl.errors import ExportError
from autotl.serve.bundle import read_bundle


def lay_out(bundle: Path, form: str, folder: Path, *, name: str) -> str:
    """Write a bundle in the layout of other software.

    Args:
        bundle: The bundle.
        form: Name of a module here: "docker" or "triton".
        folder: Where to; new or empty.
        name: What the model is to be called there.

    Returns:
        The command to go on with.

    Raises:
        BundleError: The bundle is incomplete or was changed.
        ExportError: Something lies in the folder.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ExportError("cannot export there", found=f"{folder} exists", expected="a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    plain = re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-_") or "model"
    command: str = importlib.import_module(f"{__name__}.{form}").write(read_bundle(bundle), folder, plain)
    return command
