"""Tensors on disk, as safetensors."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from autotl.atomic import replacing
from autotl.errors import RunError

_OS_ERROR = re.compile(r"os error (\d+)")


def write_weights(
    path: Path, state: Mapping[str, torch.Tensor], notes: Mapping[str, str] | None = None
) -> None:
    """Write tensors whole or not at all.

    Args:
        path: The file.
        state: The tensors by name.
        notes: Texts by name that the same file keeps.

    Raises:
        StorageError: The disk takes no more, or is not writable.
    """
    with replacing(path) as temporary:
        try:
            tensors = {name: value.contiguous() for name, value in state.items()}
            save_file(tensors, temporary, metadata=None if notes is None else dict(notes))
        except SafetensorError as error:
            # The library reports what the system refused as text, "... (os error 28)".
            found = _OS_ERROR.search(str(error))
            if found is None:
                raise
            code = int(found[1]) or errno.EIO
            raise OSError(code, os.strerror(code), str(path)) from error


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """The tensors that `write_weights` wrote.

    Raises:
        RunError: The file is damaged.
    """
    with _undamaged(path):
        return load_file(path)


def read_notes(path: Path) -> dict[str, str]:
    """The texts that `write_weights` wrote.

    Raises:
        RunError: The file is damaged.
    """
    with _undamaged(path), safe_open(path, "pt") as file:
        return dict(file.metadata() or {})


@contextmanager
def _undamaged(path: Path) -> Iterator[None]:
    """Say of a file that cannot be read what can be done."""
    try:
        yield
    except SafetensorError as error:
        raise RunError(
            f"{path} is damaged", found=str(error), hint="Export another trial: autotl leaderboard RUN"
        ) from error
