"""The catalogue: every backbone that the shipped search spaces list, as `BackboneInfo`.

Reads the `[[backbones]]` tables of `search_spaces/<modality>.toml`; loads nothing.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

from autotl.backbones.backbone import BackboneInfo
from autotl.errors import BackboneError

_FIELDS = {field.name for field in fields(BackboneInfo)} - {"modality"}
_REQUIRED = ("name", "source", "reference", "licence", "commercial", "parameters", "macs", "input")


def space_files() -> dict[str, Path]:
    """The search spaces that ship, by modality: in the installed package, or beside it in a clone."""
    package = Path(__file__).parents[1]
    folders = (package / "search_spaces", package.parent / "search_spaces")
    folder = next((folder for folder in folders if folder.is_dir()), package)
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def catalogue(modality: str | None = None) -> dict[str, BackboneInfo]:
    """All backbones by name, in the order of the files.

    Args:
        modality: Only those of one modality. Where two modalities share a name, ask for one of them.
    """
    spaces = [modality] if modality is not None else sorted(_tables())
    return {info.name: info for space in spaces for info in _infos(space)}


def parse_backbones(tables: Iterable[Mapping[str, Any]], modality: str) -> list[BackboneInfo]:
    """Backbones from `[[backbones]]` tables of a search space.

    Raises:
        BackboneError: A table lacks a field or has one that is unknown.
    """
    found = []
    for number, table in enumerate(tables, start=1):
        name = table.get("name", f"number {number}")
        missing = [field for field in _REQUIRED if field not in table]
        unknown = sorted(set(table) - _FIELDS)
        if missing or unknown:
            raise BackboneError(
                f"backbone {name!r} of the {modality} space is not described as it must be",
                found="; ".join(
                    [*(f"no {field}" for field in missing), *(f"unknown {field}" for field in unknown)]
                ),
                expected=", ".join(_REQUIRED),
            )
        values = {**table, "languages": tuple(table.get("languages", ()))}
        found.append(BackboneInfo(modality=modality, **values))
    return found


@cache
def _infos(modality: str) -> list[BackboneInfo]:
    return parse_backbones(_tables().get(modality, ()), modality)


@cache
def _tables() -> dict[str, list[dict[str, Any]]]:
    """The backbone tables by modality, from the files that ship with the package."""
    return {
        modality: tomllib.loads(path.read_text("utf-8")).get("backbones", [])
        for modality, path in space_files().items()
    }
