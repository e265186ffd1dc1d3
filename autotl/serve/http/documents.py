"""Reads JSON from strangers: UTF-8 only, no NaN, and no more values than memory is meant for.

A few bytes of a document, "{}", can take a hundred once they are parsed. How many at most, its marks tell,
which are counted before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from autotl.errors import RequestError, TooLargeError

#: Most memory that what the marks of a document stand for may take once it is parsed, in bytes.
MOST_PARSED_BYTES = 64 * 2**20
#: What each mark stands for, in bytes at most: an object, a list, a value in it, a key, a text.
JSON_COSTS: Mapping[bytes, int] = {b"{": 200, b"[": 96, b",": 40, b":": 40, b'"': 32}
#: The same of tables: a field or a line, of a delimited one and of JSON Lines.
DELIMITED_COSTS: Mapping[bytes, int] = dict.fromkeys((b",", b";", b"\t", b"\n", b"\r"), 64)
JSONL_COSTS: Mapping[bytes, int] = {**JSON_COSTS, b"\n": 64}
_COUNTED_TOGETHER = 2**20


def parse_json(content: bytes, what: str = "the body") -> Any:
    """The value of a JSON document.

    Args:
        content: The document.
        what: What it is called in messages.

    Raises:
        RequestError: It is no JSON.
        TooLargeError: It holds too many values.
    """
    refuse_growth(content, JSON_COSTS, what)
    try:
        return json.loads(content.decode(), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise RequestError(
            f"{what} is not UTF-8", found=f"byte {error.start}", expected="JSON in UTF-8"
        ) from error
    except json.JSONDecodeError as error:
        raise RequestError(
            f"{what} is not JSON",
            found=f"{error.msg} at line {error.lineno}, column {error.colno}",
            expected="one JSON object",
        ) from error
    except (ValueError, RecursionError) as error:
        raise RequestError(f"{what} is not JSON", found=_reason(error), expected="one JSON object") from error


def refuse_growth(content: bytes, costs: Mapping[bytes, int], what: str) -> None:
    """Refuse a text format by what its marks can become, before it is parsed.

    Args:
        content: The document.
        costs: Bytes that each mark stands for.
        what: What it is called in messages.

    Raises:
        TooLargeError: It is more than memory is meant for.
    """
    grown = 0
    for start in range(0, len(content), _COUNTED_TOGETHER):
        part = content[start : start + _COUNTED_TOGETHER]
        grown += sum(cost * part.count(mark) for mark, cost in costs.items())
        if grown > MOST_PARSED_BYTES:
            raise TooLargeError(
                f"{what} holds too many values",
                found=f"values that could take more than {MOST_PARSED_BYTES:,} bytes",
                expected="fewer of them",
                hint="Send fewer inputs a request; pixels and tensors are better sent as binary data.",
            )


def expect_object(
    value: object, what: str, required: tuple[str, ...], optional: tuple[str, ...]
) -> dict[str, Any]:
    """A JSON object that has these members and no others.

    Raises:
        RequestError: It is none, lacks one, or has another.
    """
    if not isinstance(value, dict):
        raise RequestError(f"{what} is no JSON object", found=kind_of(value), expected=", ".join(required))
    missing = [name for name in required if name not in value]
    if missing:
        raise RequestError(f"{what} lacks {missing[0]!r}", found=quoted(value), expected=", ".join(required))
    unknown = [name for name in value if name not in (*required, *optional)]
    if unknown:
        raise RequestError(
            f"{what} has an unknown member",
            found=repr(unknown[0])[:80],
            expected=", ".join((*required, *optional)),
        )
    return value


def expect_list(value: object, what: str, most: int) -> list[Any]:
    """A JSON list of 1 to `most` entries.

    Raises:
        RequestError: It is none, or empty.
        TooLargeError: It is longer.
    """
    if not isinstance(value, list):
        raise RequestError(f"{what} is no list", found=kind_of(value), expected="a list of inputs")
    check_count(len(value), most)
    return value


def check_count(count: int, most: int) -> None:
    """Refuse a request of no inputs, or of too many.

    Raises:
        RequestError: There is none.
        TooLargeError: There are more than `most`.
    """
    if count == 0:
        raise RequestError("nothing to predict", found="no input", expected="at least one")
    if count > most:
        raise TooLargeError(
            "too many inputs in one request",
            found=f"{count:,}",
            expected=f"at most {most:,}",
            hint="Send them in several requests.",
        )


def kind_of(value: object) -> str:
    """JSON's own word for a kind of value."""
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "a list"}
    return names.get(type(value), "an object")


def quoted(names: dict[str, Any]) -> str:
    """The member names of an object, for messages."""
    return ", ".join(repr(name)[:40] for name in list(names)[:8]) or "an empty object"


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name}, which JSON does not have")


def _reason(error: BaseException) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)[:80]
