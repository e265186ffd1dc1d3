"""`Section`: the JSON of a bundle, taken apart value by value, each of the kind that is expected of it.

Which values there are and what they mean is known to those who read them: `bundle` and the modules of its
parts.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from autotl.errors import BundleError
from autotl.serve.files import EXPORT_AGAIN, own_file

#: Longest file that is read: once parsed, JSON of many small values takes some twenty times as much memory.
MOST_BYTES = 16 * 2**20
#: Deepest nesting: much less than what the interpreter can follow, wherever the values are looked at later.
MOST_DEPTH = 100
_SHOWN = 120
_KINDS = {dict: "an object", list: "a list", str: "a text", int: "an integer"}
Kind = TypeVar("Kind", dict[str, Any], list[Any], str, int)


class Section:
    """A JSON object.

    Args:
        content: The object.
        path: The file that it stands in, for messages.
        name: What it is called there, "task"; empty for the whole.
    """

    def __init__(self, content: Mapping[str, Any], path: Path, name: str = "") -> None:
        self.content, self.path, self._name = content, path, name

    def __contains__(self, name: str) -> bool:
        return name in self.content

    def section(self, name: str) -> Section:
        """The object `name` in it.

        Raises:
            BundleError: There is none; so for the methods below.
        """
        return Section(self._of(name, dict), self.path, self._full(name))

    def text(self, name: str) -> str:
        """The text `name` in it."""
        return self._of(name, str)

    def texts(self, name: str) -> tuple[str, ...]:
        """The list of texts `name` in it."""
        values = self._of(name, list)
        if not all(isinstance(value, str) for value in values):
            raise self.malformed(name, "a list of texts")
        return tuple(values)

    def integer(self, name: str) -> int:
        """The integer `name` in it."""
        if isinstance(self.content.get(name), bool):
            raise self.malformed(name, _KINDS[int])
        return self._of(name, int)

    def number(self, name: str) -> float:
        """The finite number `name` in it."""
        value = self.content.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.malformed(name, "a number")
        if not abs(value) <= sys.float_info.max:  # so is NaN refused
            raise self.malformed(name, "a finite number")
        return float(value)

    def malformed(self, name: str, expected: str) -> BundleError:
        """The error that tells of the value `name` what it should have been."""
        found = f"{self._full(name)} = {self.content.get(name)!r}"
        short = found if len(found) <= _SHOWN else found[:_SHOWN] + "..."
        return BundleError(f"{self.path} is malformed", found=short, expected=expected, hint=EXPORT_AGAIN)

    def _of(self, name: str, kind: type[Kind]) -> Kind:
        value = self.content.get(name)
        if not isinstance(value, kind):
            raise self.malformed(name, _KINDS[kind])
        return value

    def _full(self, name: str) -> str:
        return f"{self._name}.{name}" if self._name else name


def read_object(path: Path) -> Section:
    """The JSON object in a file of a bundle.

    Raises:
        BundleError: There is no such file, or it holds no JSON object; it is a link, or too long.
    """
    try:
        size = own_file(path).stat().st_size
        content = path.read_bytes() if size <= MOST_BYTES else b""
    except OSError as error:
        raise BundleError(f"cannot read {path}", found=error.strerror) from error
    if size > MOST_BYTES:
        raise BundleError(f"{path} is too long", found=f"{size:,} bytes", expected=f"at most {MOST_BYTES:,}")
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        found = str(error)[:_SHOWN]
        raise BundleError(f"{path} is malformed", found=found, hint=EXPORT_AGAIN) from error
    if not isinstance(value, dict) or _is_deep(value):
        found = "an object nested too deeply" if isinstance(value, dict) else type(value).__name__
        raise BundleError(f"{path} is malformed", found=found, expected="an object", hint=EXPORT_AGAIN)
    return Section(value, path)


def _is_deep(value: object) -> bool:
    level = [value]
    for _ in range(MOST_DEPTH):
        level = [inner for outer in level for inner in _within(outer)]
    return bool(level)


def _within(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
