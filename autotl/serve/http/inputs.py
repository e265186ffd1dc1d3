"""From the body of a simple request to items: JSON, CSV and forms, as the bundle's kind of input has it.

Strings are texts, or base64 of a file's content where files are inputs; never paths: nothing that lies on the
server's disk can be named.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Any

from autotl.data.rows import Table
from autotl.data.tables import TableLimits, parse_table
from autotl.errors import RequestError, UnsupportedTypeError
from autotl.modalities.modality import Item
from autotl.modalities.registry import modality
from autotl.serve.bundle import BundleInfo
from autotl.serve.http.documents import (
    DELIMITED_COSTS,
    JSONL_COSTS,
    check_count,
    expect_list,
    expect_object,
    kind_of,
    parse_json,
    refuse_growth,
)
from autotl.serve.http.limits import Limits
from autotl.serve.http.multipart import Part, parse_form
from autotl.serve.inputs import rows_of

JSON, CSV, FORM = "application/json", "text/csv", "multipart/form-data"
BINARY = "application/octet-stream"
#: What the fields of a form are called.
FIELD = "files"
#: Tables that a form may hold. Parquet stays out: it is compressed, and read by a training library.
TABLES = (".csv", ".tsv", ".jsonl")
#: Most columns of a table, and most cells. A model reads some of a few; the others come along.
MOST_COLUMNS, MOST_CELLS = 1000, 250_000
_SHOWN = 60


def takes_files(bundle: BundleInfo) -> bool:
    """Whether an input is the content of a file, not a text."""
    return bool(modality(bundle.spec.modality).extensions)


def content_types(bundle: BundleInfo) -> tuple[str, ...]:
    """What `/predict` takes for a bundle."""
    return (JSON, FORM) if takes_files(bundle) else (JSON, CSV, FORM)


def parse_inputs(bundle: BundleInfo, limits: Limits, content_type: str, content: bytes) -> list[Item]:
    """The items of a request to `/predict`.

    Args:
        bundle: Says whether inputs are files or texts, and which columns a table has.
        limits: How many inputs are taken.
        content_type: The whole header.
        content: The body.

    Returns:
        From 1 to `limits.items` encoded files, texts, or tuples of texts.

    Raises:
        UnsupportedTypeError: The content type is none of `content_types`.
        RequestError: The body is malformed.
        TooLargeError: There are too many inputs.
        DataError: A table lacks a column or a value.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in content_types(bundle):
        raise UnsupportedTypeError(
            "cannot read a body of this kind",
            found=f"Content-Type {content_type[:80]!r}" if content_type else "no Content-Type",
            expected=", ".join(content_types(bundle)),
        )
    if kind == JSON:
        items = _of_json(bundle, limits, content)
    elif kind == CSV:
        items = _of_table(bundle, limits, "table.csv", content)
    else:
        items = _of_form(bundle, limits, content_type, content)
    check_count(len(items), limits.items)
    return items


def decode_base64(text: str, what: str) -> bytes:
    """The bytes of a base64 string (RFC 4648, with padding).

    Raises:
        RequestError: It is none.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestError(
            f"{what} is no base64",
            found=f"{len(text):,} characters that begin with {text[:12]!r}",
            expected="the content of a file in base64",
        ) from error


def _of_json(bundle: BundleInfo, limits: Limits, content: bytes) -> list[Item]:
    document = expect_object(parse_json(content), "the body", ("inputs",), ())
    inputs = expect_list(document["inputs"], "'inputs'", limits.items)
    if takes_files(bundle):
        return [decode_base64(_string(value, i), f"input {i}") for i, value in enumerate(inputs)]
    if all(isinstance(value, str) for value in inputs) and len(bundle.columns) < 2:
        return inputs
    return _of_objects(bundle, inputs)


def _of_objects(bundle: BundleInfo, inputs: list[Any]) -> list[Item]:
    """Rows as objects by column; texts may stand bare where there is one column."""
    columns = bundle.columns or ("text",)
    rows = [{columns[0]: row} if len(columns) == 1 and isinstance(row, str) else row for row in inputs]
    for i, row in enumerate(rows):
        if not isinstance(row, dict):
            wanted = "an object of " + ", ".join(map(repr, columns))
            raise RequestError(
                f"input {i} is no row", found=kind_of(row), expected=wanted if len(columns) > 1 else "a text"
            )
        for name in columns:
            if not isinstance(row.get(name), str):
                found = kind_of(row[name]) if name in row else f"no member {name!r}"
                raise RequestError(f"input {i} has no text {name!r}", found=found, expected="a string")
    names = [f"input {i}" for i in range(len(rows))]
    table = {name: [row[name] for row in rows] for name in columns}
    return rows_of(bundle, Table(table, names, "the body", Path()))[1]


def _of_table(bundle: BundleInfo, limits: Limits, name: str, content: bytes) -> list[Item]:
    is_jsonl = name.lower().endswith(".jsonl")
    refuse_growth(content, JSONL_COSTS if is_jsonl else DELIMITED_COSTS, name)
    most = TableLimits(rows=limits.items, columns=MOST_COLUMNS, cells=MOST_CELLS)
    return rows_of(bundle, parse_table(name, content, limits=most))[1]


def _of_form(bundle: BundleInfo, limits: Limits, content_type: str, content: bytes) -> list[Item]:
    files = takes_files(bundle)
    items: list[Item] = []
    for part in parse_form(content, content_type, limits.items):
        if part.name != FIELD:
            raise RequestError(
                "the form has an unknown field",
                found=repr(part.name[:_SHOWN]),
                expected=repr(FIELD),
                hint=f"With curl: -F {FIELD}=@NAME, once for each file.",
            )
        name = Path((part.filename or "").replace("\\", "/")).name[-_SHOWN:]
        if files:
            items.append(part.content)
        elif Path(name).suffix.lower() in TABLES:
            items += _of_table(bundle, limits, name, part.content)
        elif part.kind == CSV:
            items += _of_table(bundle, limits, "table.csv", part.content)
        else:
            items.append(_text_file(bundle, name, part))
        if len(items) > limits.items:
            break  # as many as are refused
    return items


def _text_file(bundle: BundleInfo, name: str, part: Part) -> str:
    """One text: a file, or a field that is none."""
    if len(bundle.columns) > 1:
        raise RequestError(
            f"{name!r} cannot be one input",
            found="a file that is no table",
            expected=f"{', '.join(TABLES)} with the columns {', '.join(bundle.columns)}",
        )
    try:
        return part.content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RequestError(
            f"{name!r} is not UTF-8", found=f"byte {error.start}", expected="UTF-8 text"
        ) from error


def _string(value: object, number: int) -> str:
    if not isinstance(value, str):
        raise RequestError(f"input {number} is no string", found=kind_of(value), expected="a file in base64")
    return value
