"""One TOML file of a search space, read and checked by itself; mistakes are named with their line.

Which parameters exist is the strategies' business and is checked in `autotl.space.resolve`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from autotl.errors import SpaceError
from autotl.space.conditions import misshapen
from autotl.space.domains import KINDS

Path_ = tuple[str | int, ...]

_TOP = ("inherit", "parameters", "strategies", "portfolio", "backbones")
_PARAMETER = ("type", "low", "high", "log", "options", "default", "when", "profile", "adjust")
_DOMAIN = ("type", "low", "high", "log", "options", "default")
_STRATEGY = ("enabled", "searched", "parameters", "profile")
_PORTFOLIO = ("strategy", "backbone", "limit", "params", "profile")
_TYPES: dict[str, tuple[type | tuple[type, ...], str]] = {
    "type": (str, "one of " + ", ".join(KINDS)),
    "low": ((int, float), "a number"),
    "high": ((int, float), "a number"),
    "log": (bool, "true or false"),
    "options": (list, "a list of values"),
    "default": ((str, int, float), "a string, a number, true or false"),
    "when": (dict, "a table of parameter names and values"),
    "profile": (dict, 'a table such as { "rows.train" = { max = 5000 } }'),
    "adjust": (list, "an array of tables"),
    "enabled": (bool, "true or false"),
    "searched": (bool, "true or false"),
    "inherit": (bool, "true or false"),
    "parameters": (dict, "a table of parameters"),
    "strategies": (dict, "a table of strategies"),
    "portfolio": (list, "an array of tables: [[portfolio]]"),
    "backbones": (list, "an array of tables: [[backbones]]"),
    "strategy": (str, "the name of a strategy"),
    "backbone": (str, 'the name of a backbone, "default" or "others"'),
    "limit": (int, "a whole number"),
    "params": (dict, "a table of parameters"),
}


@dataclass(frozen=True)
class Document:
    """A checked TOML file.

    Attributes:
        name: The file, for messages.
        parameters: `[parameters.NAME]` tables by name.
        strategies: `[strategies.NAME]` tables by name.
        portfolio: `[[portfolio]]` tables in order.
        backbone_tables: `[[backbones]]` tables in order; what they say is the catalogue's business.
        inherit: Whether a user's file builds on the packaged one.
        lines: Line numbers by path.
    """

    name: str
    parameters: Mapping[str, Mapping[str, Any]]
    strategies: Mapping[str, Mapping[str, Any]]
    portfolio: tuple[Mapping[str, Any], ...]
    backbone_tables: tuple[Mapping[str, Any], ...]
    inherit: bool = True
    lines: Mapping[Path_, int] = field(default_factory=dict, repr=False)

    @property
    def backbones(self) -> tuple[str, ...]:
        """Names of the backbones that the file describes, in order."""
        return tuple(table.get("name", "") for table in self.backbone_tables)

    def error(
        self, path: Path_, what: str, found: object, expected: object, hint: str | None = None
    ) -> SpaceError:
        """A `SpaceError` that names this file and the line of `path`, or of its nearest known parent."""
        while path and path not in self.lines:
            path = path[:-1]
        return SpaceError(
            f"{self.name}, line {self.lines.get(path, 1)}: {what}", found=found, expected=expected, hint=hint
        )

    def unknown(self, path: Path_, what: str, name: str, known: Collection[str]) -> SpaceError:
        """The error for a name that nothing bears, with the closest one that something does."""
        close = get_close_matches(name, list(known), 1)
        hint = f"Did you mean {close[0]!r}?" if close else None
        return self.error(path, f"unknown {what}", repr(name), ", ".join(sorted(known)) or "none", hint)


def read(source: str | Path) -> Document:
    """Read a search space.

    Args:
        source: A file, or TOML text (which has a line break or an equals sign in it).

    Raises:
        SpaceError: The file is missing or not UTF-8, the TOML is malformed, or a key or value is not
            one that a search space has.
    """
    text, name = _load(source)
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        where = re.search(r"at line (\d+)", str(error))
        line = where.group(1) if where else len(text.splitlines())
        reason = re.sub(r" \(at .*\)$", "", str(error))
        raise SpaceError(f"{name}, line {line}: malformed TOML", found=reason, expected="TOML 1.0") from error
    lines = _lines(text)
    _table(Document(name, {}, {}, (), (), lines=lines), (), raw, _TOP)
    document = Document(
        name,
        raw.get("parameters", {}),
        raw.get("strategies", {}),
        tuple(raw.get("portfolio", ())),
        tuple(entry for entry in raw.get("backbones", ()) if isinstance(entry, Mapping)),
        raw.get("inherit", True),
        lines,
    )
    _check(document)
    return document


def _load(source: str | Path) -> tuple[str, str]:
    if isinstance(source, str) and ("\n" in source or "=" in source or not source.strip()):
        return source, "<text>"
    try:
        return Path(source).read_text(encoding="utf-8"), str(source)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SpaceError(
            "cannot read the search space", found=f"{source} ({reason})", expected="a TOML file"
        ) from error
    except UnicodeDecodeError as error:
        raise SpaceError(
            f"{source} is not UTF-8", found=f"byte {error.object[error.start]:#04x}", expected="UTF-8 text"
        ) from error


def _lines(text: str) -> dict[Path_, int]:
    """Line numbers, from 1, of every table header and of every key that begins a line."""
    found: dict[Path_, int] = {}
    counts: dict[Path_, int] = {}
    table: Path_ = ()
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?$", line)
        if header:
            table = _resolve(_split(header.group(2)), counts, header.group(1) == "[[")
            found.setdefault(table, number)
            found.setdefault(table[:-1] if isinstance(table[-1], int) else table, number)
        elif key := re.match(
            r"\s*((?:[\w-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[\w-]+|\"[^\"]*\"|'[^']*'))*)\s*=", line
        ):
            path = (*table, *_split(key.group(1)))
            for end in range(len(table) + 1, len(path) + 1):
                found.setdefault(path[:end], number)
    return found


def _split(dotted: str) -> tuple[str, ...]:
    parts = re.findall(r"\"[^\"]*\"|'[^']*'|[\w-]+", dotted)
    return tuple(part.strip("\"'") for part in parts)


def _resolve(names: tuple[str, ...], counts: dict[Path_, int], is_array: bool) -> Path_:
    """A header's path with the current index after each array of tables."""
    path: Path_ = ()
    for position, name in enumerate(names):
        path = (*path, name)
        if is_array and position == len(names) - 1:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path


def _check(document: Document) -> None:
    for name, table in document.parameters.items():
        _parameter(document, ("parameters", name), table)
    for name, table in document.strategies.items():
        path: Path_ = ("strategies", name)
        _table(document, path, table, _STRATEGY)
        _tests(document, (*path, "profile"), table.get("profile", {}))
        for parameter, domain in table.get("parameters", {}).items():
            _parameter(document, (*path, "parameters", parameter), domain)
    for index, entry in enumerate(document.portfolio):
        path = ("portfolio", index)
        _table(document, path, entry, _PORTFOLIO)
        _tests(document, (*path, "profile"), entry.get("profile", {}))
        if "strategy" not in entry:
            raise document.error(
                path, "a portfolio entry without a strategy", ", ".join(entry), "strategy = NAME"
            )


def _parameter(document: Document, path: Path_, table: Any) -> None:
    _table(document, path, table, _PARAMETER)
    _tests(document, (*path, "when"), table.get("when", {}))
    _tests(document, (*path, "profile"), table.get("profile", {}))
    if table.get("type", "int") not in KINDS:
        raise document.unknown((*path, "type"), "type of parameter", table["type"], KINDS)
    for index, adjustment in enumerate(table.get("adjust", ())):
        _table(document, (*path, "adjust", index), adjustment, (*_DOMAIN[1:], "profile"))
        _tests(document, (*path, "adjust", index, "profile"), adjustment.get("profile", {}))


def _table(document: Document, path: Path_, table: Any, allowed: tuple[str, ...]) -> None:
    if not isinstance(table, Mapping):
        name = ".".join(str(part) for part in path)
        raise document.error(path, f"{name} is no table", repr(table), "a table with " + ", ".join(allowed))
    for key, value in table.items():
        if key not in allowed:
            raise document.unknown((*path, key), "key", key, allowed)
        expected, words = _TYPES[key]
        number_is_bool = isinstance(value, bool) and key in ("low", "high", "limit")
        if not isinstance(value, expected) or number_is_bool:
            raise document.error((*path, key), f"{key} has the wrong type", repr(value), words)


def _tests(document: Document, path: Path_, tests: Mapping[str, Any]) -> None:
    for key, test in tests.items():
        wrong = misshapen(test)
        if wrong is not None:
            raise document.error(
                (*path, key),
                f"malformed condition on {key}",
                wrong,
                "a value, a list of values, or { min, max }",
            )
