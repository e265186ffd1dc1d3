"""Discovery of plug-ins: modules of a built-in package, then entry points of other distributions.

A plug-in module exports one object under an agreed name. Nothing is listed anywhere: a new file (or folder)
in the package, or an entry point in the package's group, is enough. Knows nothing of what it finds.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import Any, TypeVar

from autotl.errors import AutotlError

P = TypeVar("P")


@cache
def discover(package: str, attribute: str) -> dict[str, Any]:
    """All plug-ins of a package by their `name`.

    Args:
        package: Dotted name of the built-in package, also the entry-point group.
        attribute: The name that each module of it exports, for instance "MODALITY".

    Returns:
        Plug-ins by `name`, built-in ones first; a third party cannot replace a built-in one.
    """
    found: dict[str, Any] = {}
    parent = importlib.import_module(package)
    for module in sorted(pkgutil.iter_modules(parent.__path__), key=lambda m: m.name):
        plugin = getattr(importlib.import_module(f"{package}.{module.name}"), attribute, None)
        if plugin is not None:
            found[plugin.name] = plugin
    for entry in entry_points(group=package):
        plugin = entry.load()
        found.setdefault(plugin.name, plugin)
    return found


def named(name: str, known: Mapping[str, P], kind: str, error: type[AutotlError]) -> P:
    """The plug-in called `name`.

    Args:
        name: Its name.
        known: What `discover` found.
        kind: What it is, in words.
        error: Raised where there is none.
    """
    if name not in known:
        raise error(f"unknown {kind}", found=repr(name), expected=", ".join(known))
    return known[name]
