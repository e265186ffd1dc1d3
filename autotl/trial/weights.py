"""A trial's tensors on disk, as safetensors."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from autotl.atomic import replacing
from autotl.errors import RunError

_OS_ERROR = re.compile(r"os error (\d+)")


def write_weights(path: Path, state: Mapping[str, torch.Tensor]) -> None:
    """Write tensors whole or not at all.

    Raises:
        StorageError: The disk takes no more, or is not writable.
    """
    with replacing(path) as temporary:
        try:
            save_file({name: value.contiguous() for name, value in state.items()}, temporary)
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
    try:
        return load_file(path)
    except SafetensorError as error:
        raise RunError(
            f"{path} is damaged", found=str(error), hint="Export another trial: autotl leaderboard RUN"
        ) from error
