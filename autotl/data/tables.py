"""Reads tables: CSV, TSV, JSON Lines and Parquet files, and data frames, into `Table`.

Texts stay as they are ("" and "NA" are texts). What a column means is decided in `columns`. A table from a
stranger is read within `TableLimits`, which are kept while it is read and not only afterwards.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autotl.data.rows import Table, some
from autotl.errors import DataError, TooLargeError

Columns = dict[str, list[Any]]

_FIELD_LIMIT = 1 << 30
#: A line with its end, which may be that of any system; the last may have none.
_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n|\Z)")
_ENCODING_HINT = "Save it as UTF-8, for instance: iconv -f latin1 -t utf-8 {name} > utf8_{name}"


@dataclass(frozen=True)
class TableLimits:
    """How much a table may hold; None is no limit.

    Attributes:
        rows: Most rows.
        columns: Most columns.
        cells: Most cells, rows times columns, however few of them are filled.
    """

    rows: int | None = None
    columns: int | None = None
    cells: int | None = None

    def check(self, name: str, rows: int, columns: int) -> None:
        """Refuse a table that has got so large.

        Raises:
            TooLargeError: It is over a limit.
        """
        if self.rows is not None and rows > self.rows:
            raise _too_many(name, "rows", self.rows)
        if self.columns is not None and columns > self.columns:
            raise _too_many(name, "columns", self.columns)
        if self.cells is not None and rows * columns > self.cells:
            raise _too_many(name, "cells", self.cells)


UNLIMITED = TableLimits()


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


def parse_table(name: str, content: bytes, folder: Path = Path(), limits: TableLimits = UNLIMITED) -> Table:
    """Read one table from memory.

    Args:
        name: What the table is called in messages; its ending, one of `READERS`, says the format.
        content: What a file of that name would hold.
        folder: Where relative paths in it start.
        limits: How much it may hold.

    Raises:
        DataError: It is empty, malformed, or not UTF-8.
        TooLargeError: It is over a limit.
    """
    columns, numbers = READERS[Path(name).suffix.lower()](name, content, limits)
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
    if not text or text.isspace():
        raise DataError(f"{name} is empty", expected="a header and one row for each input")
    return text


def _let_long_fields_through() -> None:
    """Raise the csv module's limit. It is the whole process's, and only ever raised: no lock is needed."""
    if csv.field_size_limit() < _FIELD_LIMIT:
        csv.field_size_limit(_FIELD_LIMIT)


def _delimiter(name: str, text: str) -> str:
    if name.lower().endswith(".tsv"):
        return "\t"
    end = text.find("\n")
    header = text if end < 0 else text[:end]
    return next((mark for mark in (",", ";", "\t") if mark in header), ",")


def _read_delimited(name: str, content: bytes, limits: TableLimits) -> tuple[Columns, list[int]]:
    text = _decode(name, content)
    mark = _delimiter(name, text)
    try:
        header, rows = _header_and_rows(name, _records(text, mark, quoted=True), limits)
    except csv.Error as error:
        if not name.lower().endswith(".tsv"):
            hint = "Double each quote inside a quoted text, and close every quote."
            raise DataError(f"{name} is malformed", found=error, hint=hint) from error
        header, rows = _header_and_rows(name, _records(text, mark, quoted=False), limits)
    columns: Columns = {field: [row[i] for row in rows] for i, field in enumerate(header)}
    return columns, list(range(2, len(rows) + 2))


def _header_and_rows(
    name: str, records: Iterator[tuple[int, list[str]]], limits: TableLimits
) -> tuple[list[str], list[list[str]]]:
    header: list[str] = []
    rows: list[list[str]] = []
    for line, fields in records:
        if not header:
            header = [field.strip() for field in fields]
            limits.check(name, 0, len(header))
            _refuse_duplicates(header, name)
        elif len(fields) != len(header):
            raise DataError(
                f"{name} is ragged",
                found=f"{len(fields)} fields on line {line}",
                expected=f"{len(header)} as in the header",
                hint="Quote texts that hold the separator, and close every quote.",
            )
        else:
            rows.append(fields)
            limits.check(name, len(rows), len(header))
    return header, rows


def _records(text: str, delimiter: str, quoted: bool) -> Iterator[tuple[int, list[str]]]:
    """The fields of each line that has any, and the number of the line that it begins on.

    Strict: a quote that is closed before the end of its field, or never, would swallow rows.
    """
    _let_long_fields_through()
    lines = filter(None, (line[0] for line in _LINE.finditer(text)))
    if quoted:
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
    else:
        reader = csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    line = 1
    try:
        for fields in reader:
            start, line = line, reader.line_num + 1
            if fields:
                yield start, fields
    except csv.Error as error:
        raise csv.Error(f"{error} in the row on line {line}") from error


def _read_jsonl(name: str, content: bytes, limits: TableLimits) -> tuple[Columns, list[int]]:
    names: dict[str, None] = {}
    records: list[dict[str, Any]] = []
    numbers: list[int] = []
    for number, line in enumerate(_decode(name, content).split("\n"), start=1):
        if not line.strip():
            continue
        record = _record(name, number, line)
        names.update(dict.fromkeys(record))
        records.append(record)
        numbers.append(number)
        limits.check(name, len(records), len(names))
    columns: Columns = {column: [None] * len(records) for column in names}
    for row, record in enumerate(records):
        for column, value in record.items():
            columns[column][row] = value
    return columns, numbers


def _record(name: str, number: int, line: str) -> dict[str, Any]:
    """The object on a line of JSON Lines."""
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise _no_jsonl(name, f"line {number}, column {error.colno}: {error.msg}") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, or nested too deeply
        raise _no_jsonl(name, f"line {number}: {str(error)[:80]}") from error
    if not isinstance(record, dict):
        raise _no_jsonl(name, f"line {number}: {type(record).__name__}")
    return record


def _no_jsonl(name: str, found: str) -> DataError:
    return DataError(f"{name} is not JSON Lines", found=found, expected="one JSON object a line")


def _read_parquet(name: str, content: bytes, limits: TableLimits) -> tuple[Columns, list[int]]:
    import pyarrow
    from pyarrow import parquet

    try:
        head = parquet.read_metadata(pyarrow.BufferReader(content))
        limits.check(name, head.num_rows, head.num_columns)
        table = parquet.read_table(pyarrow.BufferReader(content))
    except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError) as error:
        raise DataError(f"{name} is not a Parquet file", found=error) from error
    _refuse_duplicates(table.schema.names, name)
    columns = {column: table.column(column).to_pylist() for column in table.schema.names}
    return columns, list(range(1, table.num_rows + 1))


def _refuse_duplicates(names: list[str], source: str) -> None:
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise DataError(
            f"{source} has two columns of one name", found=some([*map(repr, twice)]), expected="unique names"
        )


def _too_many(name: str, what: str, most: int) -> TooLargeError:
    return TooLargeError(
        f"{name} has too many {what}", found=f"more than {most:,}", expected=f"at most {most:,}"
    )


#: Readers by file ending: each gives the columns and the number of each row.
READERS: dict[str, Callable[[str, bytes, TableLimits], tuple[Columns, list[int]]]] = {
    ".csv": _read_delimited,
    ".tsv": _read_delimited,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}
