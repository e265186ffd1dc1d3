"""Reads tables: CSV, TSV, JSON Lines and Parquet files, and data frames, into `Table`.

Texts stay as they are ("" and "NA" are texts). What a column means is decided in `columns`.
"""

from __future__ import annotations

import csv
import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autotl.data.rows import Table
from autotl.errors import DataError

_FIELD_LIMIT = 1 << 30
#: The csv module keeps its limit of field sizes for the whole process.
_FIELD_LIMIT_LOCK = threading.Lock()
_ENCODING_HINT = "Save it as UTF-8, for instance: iconv -f latin1 -t utf-8 {name} > utf8_{name}"


def read_table(path: Path) -> Table:
    """Read one table file by its ending.

    Raises:
        DataError: The ending is unknown, or the file is empty, malformed, or not UTF-8.
    """
    if path.suffix.lower() not in READERS:
        raise DataError(
            f"cannot read {path.name}: unknown file type",
            found=repr(path.suffix),
            expected=f"{', '.join(READERS)}, or a folder of class folders",
        )
    return parse_table(path.name, path.read_bytes(), path.parent)


def parse_table(name: str, content: bytes, folder: Path = Path()) -> Table:
    """Read one table from memory.

    Args:
        name: What the table is called in messages; its ending, one of `READERS`, says the format.
        content: What a file of that name would hold.
        folder: Where relative paths in it start.

    Raises:
        DataError: It is empty, malformed, or not UTF-8.
    """
    columns, numbers = READERS[Path(name).suffix.lower()](name, content)
    if not numbers:
        raise DataError(f"{name} holds no rows", expected="a header and one row for each input")
    return Table(columns, [f"{name}:{n}" for n in numbers], name, folder)


def table_of(frame: Any) -> Table | None:
    """The table of a pandas, polars or pyarrow object; None if it is none of these.

    Raises:
        DataError: Two columns share a name, or there are no rows.
    """
    package = type(frame).__module__.partition(".")[0]
    if package not in ("pandas", "polars", "pyarrow") or not hasattr(frame, "columns"):
        return None
    if package == "pandas":
        names = [str(name) for name in frame.columns]
        values = [frame.iloc[:, i].tolist() for i in range(len(names))]
    elif package == "polars":
        names = list(frame.columns)
        values = [frame[name].to_list() for name in names]
    else:
        names = list(frame.schema.names)
        values = [frame.column(i).to_pylist() for i in range(len(names))]
    _refuse_duplicates(names, "the table")
    if not values or not values[0]:
        raise DataError("the table holds no rows", expected="one row for each input")
    rows = [f"row {i}" for i in range(len(values[0]))]
    return Table(dict(zip(names, values, strict=True)), rows, "the table", Path())


def _decode(name: str, raw: bytes) -> str:
    """The text of a file: UTF-8 with or without a mark, or UTF-16 with one."""
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise DataError(
            f"{name} is not UTF-8",
            found=f"byte 0x{raw[error.start]:02x} on line {line}",
            expected="UTF-8 text",
            hint=_ENCODING_HINT.format(name=name),
        ) from error
    if not text.strip():
        raise DataError(f"{name} is empty", expected="a header and one row for each input")
    return text


@contextmanager
def _long_fields() -> Iterator[None]:
    """Lets fields of any length through; the limit is the csv module's only setting."""
    with _FIELD_LIMIT_LOCK:
        before = csv.field_size_limit(_FIELD_LIMIT)
        try:
            yield
        finally:
            csv.field_size_limit(before)


def _delimiter(name: str, text: str) -> str:
    if name.lower().endswith(".tsv"):
        return "\t"
    header = text.split("\n", 1)[0]
    return next((mark for mark in (",", ";", "\t") if mark in header), ",")


def _read_delimited(name: str, content: bytes) -> tuple[dict[str, list[Any]], list[int]]:
    text = _decode(name, content)
    header: list[str] = []
    rows: list[list[str]] = []
    with _long_fields():
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(name, text))
        line = 1
        for fields in reader:
            start, line = line, reader.line_num + 1
            if not fields:
                continue
            if not header:
                header = [field.strip() for field in fields]
                _refuse_duplicates(header, name)
            elif len(fields) != len(header):
                raise DataError(
                    f"{name} is ragged",
                    found=f"{len(fields)} fields on line {start}",
                    expected=f"{len(header)} as in the header",
                    hint="Quote texts that hold the separator, and close every quote.",
                )
            else:
                rows.append(fields)
    columns: dict[str, list[Any]] = {field: [row[i] for row in rows] for i, field in enumerate(header)}
    return columns, list(range(2, len(rows) + 2))


def _read_jsonl(name: str, content: bytes) -> tuple[dict[str, list[Any]], list[int]]:
    columns: dict[str, list[Any]] = {}
    numbers: list[int] = []
    for number, line in enumerate(_decode(name, content).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(
                f"{name} is not JSON Lines",
                found=f"line {number}, column {error.colno}: {error.msg}",
                expected="one JSON object a line",
            ) from error
        if not isinstance(record, dict):
            raise DataError(
                f"{name} is not JSON Lines",
                found=f"line {number}: {type(record).__name__}",
                expected="one JSON object a line",
            )
        for column in record:
            columns.setdefault(column, [None] * len(numbers))
        for column, values in columns.items():
            values.append(record.get(column))
        numbers.append(number)
    return columns, numbers


def _read_parquet(name: str, content: bytes) -> tuple[dict[str, list[Any]], list[int]]:
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.read_table(pyarrow.BufferReader(content))
    except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError) as error:
        raise DataError(f"{name} is not a Parquet file", found=error) from error
    _refuse_duplicates(table.schema.names, name)
    columns = {column: table.column(column).to_pylist() for column in table.schema.names}
    return columns, list(range(1, table.num_rows + 1))


def _refuse_duplicates(names: list[str], source: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(
            f"{source} has two columns of one name",
            found=", ".join(map(repr, twice)),
            expected="unique names",
        )


#: Readers by file ending: each gives the columns and the number of each row.
READERS: dict[str, Callable[[str, bytes], tuple[dict[str, list[Any]], list[int]]]] = {
    ".csv": _read_delimited,
    ".tsv": _read_delimited,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}
