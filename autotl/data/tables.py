"""Reads tables: CSV, TSV, JSON Lines and Parquet files, and data frames, into `Table`.

Texts stay as they are ("" and "NA" are texts). What a column means is decided in `columns`.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autotl.data.rows import Table
from autotl.errors import DataError

_FIELD_LIMIT = 1 << 30
_ENCODING_HINT = "Save it as UTF-8, for instance: iconv -f latin1 -t utf-8 {name} > utf8_{name}"


def read_table(path: Path) -> Table:
    """Read one table file by its ending.

    Raises:
        DataError: The ending is unknown, or the file is empty, malformed, or not UTF-8.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(
            f"cannot read {path.name}: unknown file type",
            found=repr(path.suffix),
            expected=f"{', '.join(READERS)}, or a folder of class folders",
        )
    columns, numbers = reader(path)
    if not numbers:
        raise DataError(f"{path.name} holds no rows", expected="a header and one row for each input")
    return Table(columns, [f"{path.name}:{n}" for n in numbers], path.name, path.parent)


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


def _decode(path: Path) -> str:
    """The text of a file: UTF-8 with or without a mark, or UTF-16 with one."""
    raw = path.read_bytes()
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise DataError(
            f"{path.name} is not UTF-8",
            found=f"byte 0x{raw[error.start]:02x} on line {line}",
            expected="UTF-8 text",
            hint=_ENCODING_HINT.format(name=path.name),
        ) from error
    if not text.strip():
        raise DataError(f"{path.name} is empty", expected="a header and one row for each input")
    return text


@contextmanager
def _long_fields() -> Iterator[None]:
    """Lets fields of any length through; the limit is the csv module's only setting."""
    before = csv.field_size_limit(_FIELD_LIMIT)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _delimiter(path: Path, text: str) -> str:
    if path.suffix.lower() == ".tsv":
        return "\t"
    header = text.split("\n", 1)[0]
    return next((mark for mark in (",", ";", "\t") if mark in header), ",")


def _read_delimited(path: Path) -> tuple[dict[str, list[Any]], list[int]]:
    text = _decode(path)
    header: list[str] = []
    rows: list[list[str]] = []
    with _long_fields():
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(path, text))
        line = 1
        for fields in reader:
            start, line = line, reader.line_num + 1
            if not fields:
                continue
            if not header:
                header = [name.strip() for name in fields]
                _refuse_duplicates(header, path.name)
            elif len(fields) != len(header):
                raise DataError(
                    f"{path.name} is ragged",
                    found=f"{len(fields)} fields on line {start}",
                    expected=f"{len(header)} as in the header",
                    hint="Quote texts that hold the separator, and close every quote.",
                )
            else:
                rows.append(fields)
    columns: dict[str, list[Any]] = {name: [row[i] for row in rows] for i, name in enumerate(header)}
    return columns, list(range(2, len(rows) + 2))


def _read_jsonl(path: Path) -> tuple[dict[str, list[Any]], list[int]]:
    columns: dict[str, list[Any]] = {}
    numbers: list[int] = []
    for number, line in enumerate(_decode(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(
                f"{path.name} is not JSON Lines",
                found=f"line {number}, column {error.colno}: {error.msg}",
                expected="one JSON object a line",
            ) from error
        if not isinstance(record, dict):
            raise DataError(
                f"{path.name} is not JSON Lines",
                found=f"line {number}: {type(record).__name__}",
                expected="one JSON object a line",
            )
        for name in record:
            columns.setdefault(name, [None] * len(numbers))
        for name, values in columns.items():
            values.append(record.get(name))
        numbers.append(number)
    return columns, numbers


def _read_parquet(path: Path) -> tuple[dict[str, list[Any]], list[int]]:
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError) as error:
        raise DataError(f"{path.name} is not a Parquet file", found=error) from error
    _refuse_duplicates(table.schema.names, path.name)
    columns = {name: table.column(name).to_pylist() for name in table.schema.names}
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
READERS: dict[str, Callable[[Path], tuple[dict[str, list[Any]], list[int]]]] = {
    ".csv": _read_delimited,
    ".tsv": _read_delimited,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}
