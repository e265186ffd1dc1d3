"""Finds modalities: the folders beside this file, and entry points in the group `autotl.modalities`."""

from __future__ import annotations

from autotl.errors import DataError
from autotl.modalities.modality import Modality
from autotl.registry import discover, named


def modalities() -> dict[str, Modality]:
    """All modalities by name."""
    return discover("autotl.modalities", "MODALITY")


def modality(name: str) -> Modality:
    """The modality called `name`.

    Raises:
        DataError: There is none.
    """
    return named(name, modalities(), "modality", DataError)
