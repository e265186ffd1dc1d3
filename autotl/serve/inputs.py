"""Turns what a person names on the command line into items: files, folders, tables, standard input.

Tables are read by the reader that training uses; which columns count, the bundle says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO

from autotl.data.rows import Table, is_missing
from autotl.data.tables import READERS, parse_table, read_table, table_of
from autotl.errors import DataError
from autotl.modalities.modality import Item
from autotl.modalities.registry import modality
from autotl.serve.bundle import BundleInfo

Named = tuple[list[str], list[Item]]
_STDIN = "-"
#: Columns looked for where the model was not trained on a table.
_USUAL_COLUMNS = ("path", "file", "filename", "image", "text", "input")


def read_inputs(bundle: BundleInfo, arguments: Sequence[str], stdin: TextIO) -> Named:
    """Collect the inputs to predict.

    Args:
        bundle: The model; it says which modality and which columns.
        arguments: Input files, folders (searched through for input files), tables (CSV, TSV, JSONL, Parquet)
            with the bundle's columns, or "-" for standard input: a table with a header, JSON Lines, or one
            text or path a line. For a model of texts, an argument with a space that names no file is itself
            the text.
        stdin: Where "-" reads from.

    Returns:
        Names and items of equal length. A name is a path, "file.csv:17" or "stdin:3".

    Raises:
        DataError: Something does not exist, holds no inputs, or lacks a column.
    """
    if not arguments:
        raise DataError(
            "nothing to predict",
            found="no input",
            expected="files, folders, tables, or - for standard input",
            hint="For instance: autotl predict BUNDLE photo.jpg",
        )
    names: list[str] = []
    items: list[Item] = []
    for argument in arguments:
        more = _read_stdin(bundle, stdin) if argument == _STDIN else _read_argument(bundle, argument)
        names += more[0]
        items += more[1]
    return names, items


def items_of(bundle: BundleInfo, source: Iterable[Item]) -> list[Item]:
    """Inputs in memory; of a pandas, polars or Arrow table, those in the columns that the bundle takes.

    Raises:
        DataError: A table lacks a column, or has a row without a value.
    """
    table = table_of(source)
    return list(source) if table is None else rows_of(bundle, table)[1]


def _read_argument(bundle: BundleInfo, argument: str) -> Named:
    endings = modality(bundle.spec.modality).extensions
    path = Path(argument)
    is_named = path.suffix.lower() in {".txt", *READERS}
    if not endings and " " in argument and len(bundle.columns) < 2 and not (is_named or _exists(argument)):
        return [argument], [argument]
    if not _exists(argument):
        hint = f"A text is read from standard input: echo TEXT | autotl predict {bundle.folder} -"
        raise DataError(f"no such file or folder: {argument}", hint=None if endings else hint)
    if path.is_dir():
        return _read_folder(path, endings)
    if path.suffix.lower() in READERS:
        return rows_of(bundle, read_table(path))
    if endings and path.suffix.lower() not in endings:
        raise DataError(
            f"cannot tell what {argument} is",
            found=repr(path.suffix),
            expected=", ".join(sorted({*endings, *READERS})),
        )
    return [argument], [_file_item(path, bool(endings))]


def _exists(argument: str) -> bool:
    try:
        return Path(argument).exists()
    except (OSError, ValueError):  # a text too long for a file name, or with a NUL
        return False


def _file_item(path: Path, is_input: bool) -> Item:
    """The path itself where files are inputs, else the text in the file."""
    if is_input:
        return path
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8", found=f"byte {error.start}", expected="UTF-8 text") from error


def _read_folder(folder: Path, endings: Iterable[str]) -> Named:
    wanted = set(endings) or {".txt"}
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in wanted and path.is_file())
    shown = [path for path in files if not any(p.startswith(".") for p in path.relative_to(folder).parts)]
    if not shown:
        raise DataError(
            f"no inputs in the folder {folder}", expected=f"files that end in {', '.join(sorted(wanted))}"
        )
    is_input = bool(set(endings))
    return [str(path) for path in shown], [_file_item(path, is_input) for path in shown]


def _read_stdin(bundle: BundleInfo, stdin: TextIO) -> Named:
    try:
        text = stdin.read().removeprefix("\ufeff")  # a byte-order mark
    except UnicodeDecodeError as error:
        raise DataError("standard input is not UTF-8", found=f"byte {error.start}") from error
    lines = text.split("\n")
    first = next((line for line in lines if line.strip()), None)
    if first is None:
        raise DataError("standard input is empty", expected="a table, JSON Lines, or one input a line")
    ending = _table_ending(bundle, first)
    if ending is not None:
        table = parse_table(f"stdin{ending}", text.encode())
        names = [f"stdin:{name.rpartition(':')[2]}" for name in table.names]
        return rows_of(bundle, Table(table.columns, names, "standard input", Path()))
    if len(bundle.columns) > 1:
        raise DataError(
            "cannot read standard input",
            found=f"the line {first[:60]!r}",
            expected=f"a header or JSON Lines with {', '.join(bundle.columns)}",
        )
    kept = [(number, line.rstrip("\r")) for number, line in enumerate(lines, start=1) if line.strip()]
    is_input = bool(modality(bundle.spec.modality).extensions)
    items: list[Item] = [Path(line.strip()) if is_input else line for _, line in kept]
    return [f"stdin:{number}" for number, _ in kept], items


def _table_ending(bundle: BundleInfo, first: str) -> str | None:
    """Which kind of table a first line begins, None for plain lines."""
    if first.lstrip().startswith("{"):
        return ".jsonl"
    for mark, ending in (("\t", ".tsv"), (",", ".csv"), (";", ".csv")):
        header = [name.strip().strip('"') for name in first.split(mark)]
        if bundle.columns and set(bundle.columns) <= set(header):
            return ending
    return None


def rows_of(bundle: BundleInfo, table: Table) -> Named:
    """Names and items of a table: values of one column, tuples of several, paths where files are inputs.

    Raises:
        DataError: It lacks a column, or has a row without a value.
    """
    columns = _columns(bundle, table)
    is_input = bool(modality(bundle.spec.modality).extensions)
    items: list[Item] = []
    for row, name in enumerate(table.names):
        values = [table.columns[column][row] for column in columns]
        empty = [column for column, value in zip(columns, values, strict=True) if is_missing(value)]
        if empty:
            raise DataError(f"{name} has no value", found=f"nothing in column {empty[0]!r}")
        if is_input:
            items.append(table.folder / values[0] if isinstance(values[0], str) else values[0])
        else:
            texts = tuple(map(str, values))
            items.append(texts[0] if len(texts) == 1 else texts)
    return list(table.names), items


def _columns(bundle: BundleInfo, table: Table) -> tuple[str, ...]:
    if bundle.columns:
        missing = [name for name in bundle.columns if name not in table.columns]
        if missing:
            raise DataError(
                f"{table.source} lacks a column",
                found=table.listing,
                expected=", ".join(bundle.columns),
                hint="Name the columns as in the training data.",
            )
        return bundle.columns
    usual = [name for name in table.columns if name.lower() in _USUAL_COLUMNS]
    chosen = usual or list(table.columns)
    if len(chosen) != 1:
        raise DataError(
            f"cannot tell which column of {table.source} to predict",
            found=table.listing,
            expected="one column, called path or text",
        )
    return (chosen[0],)
