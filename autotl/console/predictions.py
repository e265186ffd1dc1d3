"""Writes predictions, one row an input, as CSV or JSON Lines.

An input that cannot be decoded gets a row that says so; the others are predicted all the same.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from autotl.atomic import replacing
from autotl.errors import DataError, DecodeError
from autotl.serve.answers import Answer, describe
from autotl.task import Task, TaskKind

if TYPE_CHECKING:
    from autotl.modalities.modality import Item
    from autotl.serve.predictor import Predictor

Row = Answer
#: Inputs predicted before their rows are written.
_CHUNK = 256
_JSON_ENDINGS = (".json", ".jsonl", ".ndjson")


def predictions(predictor: Predictor, names: Sequence[str], items: Sequence[Item]) -> Iterator[Row]:
    """One row an input, in order.

    Yields:
        {"name", "label", "confidence", "probabilities"} for classes, {"name", "labels", "probabilities"} for
        labels, {"name", "value"} for values, {"name", "error"} for what cannot be decoded.
    """
    for start in range(0, len(items), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        yield from _chunk(predictor, names[chunk], items[chunk])


def _chunk(predictor: Predictor, names: Sequence[str], items: Sequence[Item]) -> Iterator[Row]:
    try:
        outputs = predictor.predict_proba(list(items))
    except DecodeError as error:
        if len(items) == 1:
            yield {"name": names[0], "error": str(error)}
            return
        for name, item in zip(names, items, strict=True):
            yield from _chunk(predictor, [name], [item])
        return
    for name, output in zip(names, outputs, strict=True):
        yield {"name": name, **describe(predictor.task, output, probabilities=True)}


def write(rows: Iterator[Row], task: Task, out: Path | None, *, as_json: bool) -> tuple[int, list[Row]]:
    """Write rows to a file (whole or not at all) or to standard output.

    Args:
        rows: What `predictions` yields.
        task: Decides the columns of a CSV file.
        out: The file; None for standard output. An ending .json, .jsonl or .ndjson means JSON Lines.
        as_json: Write JSON Lines also where the file's ending names no format.

    Returns:
        The number of rows, and those that are errors.

    Raises:
        DataError: The file's ending names no format, or another than `as_json`.
        StorageError: The file cannot be written.
    """
    ending = "" if out is None else out.suffix.lower()
    if as_json and ending == ".csv":
        raise DataError(
            f"--json and {out} ask for different formats",
            expected=f"one of {', '.join(_JSON_ENDINGS)}, or no --json",
        )
    as_json = as_json or ending in _JSON_ENDINGS
    if out is not None and not as_json and ending != ".csv":
        raise DataError(
            f"cannot tell in which format to write {out}",
            found=repr(out.suffix),
            expected=", ".join((".csv", *_JSON_ENDINGS)),
        )
    if out is None:
        return _write(rows, task, sys.stdout, as_json)
    with (
        replacing(out) as temporary,
        temporary.open("w", encoding="utf-8", errors="replace", newline="") as file,  # names of files
    ):
        return _write(rows, task, file, as_json)


def _write(rows: Iterator[Row], task: Task, file: TextIO, as_json: bool) -> tuple[int, list[Row]]:
    put = _json_rows(file) if as_json else _csv_rows(file, task)
    count, failed = 0, []
    for row in rows:
        put(row)
        count += 1
        if "error" in row:
            failed.append(row)
    return count, failed


def _json_rows(file: TextIO) -> Callable[[Row], None]:
    def put(row: Row) -> None:
        file.write(json.dumps(row, ensure_ascii=False) + "\n")

    return put


def _csv_rows(file: TextIO, task: Task) -> Callable[[Row], None]:
    columns = {TaskKind.REGRESSION: ["name", "value"], TaskKind.MULTILABEL: ["name", "labels"]}
    fields = columns.get(task.kind, ["name", "label", "confidence"])
    writer = csv.DictWriter(file, fields, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()

    def put(row: Row) -> None:
        writer.writerow({**row, "labels": ";".join(row["labels"])} if "labels" in row else row)

    return put
