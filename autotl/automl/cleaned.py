"""A cleaned index of a data set: which rows to use, in which part, and which must stay together.

The data stay as they are. What the index leaves out, and why, is told; `autotl fit INDEX` reads it.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.atomic import folder_at, replacing
from autotl.automl.audit import Audited
from autotl.data.dataset import Dataset
from autotl.data.open import source_tables
from autotl.data.rows import is_missing, plural
from autotl.data.splits import units_of
from autotl.errors import DataError

Array = NDArray[Any]
_HELD_OUT = ("val", "test")


@dataclass(frozen=True)
class Cleaned:
    """An index that was written.

    Attributes:
        path: Where it lies.
        rows: How many rows it has.
        left_out: What it leaves out, a sentence for each reason.
        group: Its column of rows that must stay together.
        target: Its column of labels.
    """

    path: Path
    rows: int
    left_out: tuple[str, ...]
    group: str
    target: str

    @property
    def command(self) -> str:
        """What to type next."""
        return f"autotl fit {self.path} --target {self.target} --group {self.group}"


def write_cleaned(
    audited: Audited,
    source: str | Path,
    path: Path,
    *,
    group: str | None = None,
    val: Any = None,
    test: Any = None,
    drop_suspects: bool = False,
) -> Cleaned:
    """Write a CSV file of the rows that can be used.

    Of class folders it has the columns path (relative to itself), label, part and group; of tables, all their
    columns, and part and group. Rows of one group are copies, or share a group of the user's.

    Args:
        audited: The data set, looked at.
        source: What it was read from.
        path: Where to.
        group: The user's group column.
        val: As for `open_dataset`.
        test: As for `open_dataset`.
        drop_suspects: Whether rows with doubtful labels are left out.

    Raises:
        DataError: The file has no ending of CSV, is one of the source, or cannot hold the data.
        StorageError: It cannot be written.
    """
    if path.suffix.lower() != ".csv":
        raise DataError("a cleaned index is a CSV file", found=path.name, expected="a name ending in .csv")
    dataset = audited.dataset
    kept, reasons = _kept(audited, drop_suspects)
    tables = source_tables(source, val=val, test=test)
    if path.resolve() in {item.resolve() for item in _files(source, val, test)}:
        raise DataError(
            "a cleaned index replaces no data", found=str(path), hint="Name another file with --fix."
        )
    cells = _of_tables(dataset, tables, path.parent) if tables else _of_folders(dataset, path.parent)
    units = units_of(replace(dataset, clusters=audited.copies, fingerprints=()))
    part_name = "part" if "part" not in cells or dataset.parts is not None else "audit_part"
    group_name = "group" if "group" not in cells or group == "group" else "audit_group"
    parts = dataset.parts if dataset.parts is not None else np.full(len(dataset), "")
    columns = {**cells, part_name: parts.tolist(), group_name: _group_names(units)}
    if part_name == "part" and "split" in columns:  # the index says it once
        del columns["split"]
    _write(path, columns, kept)
    return Cleaned(path, len(kept), reasons, group_name, dataset.task.target)


def _kept(audited: Audited, drop_suspects: bool) -> tuple[Array, tuple[str, ...]]:
    """Rows to keep, ascending, and why others are left out."""
    dataset = audited.dataset
    reasons = [f.message for f in dataset.findings if f.repaired is not None and "dropped" in f.repaired]
    keep = np.ones(len(dataset), bool)
    if dataset.parts is not None:
        held = np.isin(dataset.parts, _HELD_OUT)
        judged = np.isin(audited.copies, np.unique(audited.copies[held])) & ~held
        keep &= ~judged
        if judged.any():
            reasons.append(
                f"{plural(int(judged.sum()), 'training row')} like rows of the validation or test part."
            )
    if drop_suspects and len(audited.suspects):
        doubted = keep.copy()
        keep[audited.suspects] = False
        reasons.append(f"{plural(int((doubted & ~keep).sum()), 'row')} with doubtful labels.")
    return np.flatnonzero(keep), tuple(reasons)


def _of_folders(dataset: Dataset, folder: Path) -> dict[str, list[Any]]:
    """Paths and labels of files."""
    if not all(isinstance(item, Path) for item in dataset.items):
        raise DataError("an index names files", found="items in memory", expected="a folder or a table")
    labels = [dataset.task.classes[int(target)] for target in dataset.targets]
    return {"path": [_relative(item, folder) for item in dataset.items], dataset.task.target: labels}


def _of_tables(dataset: Dataset, tables: Mapping[str, Any], folder: Path) -> dict[str, list[Any]]:
    """All cells of the rows of tables; what names files names them from the new folder."""
    lone = len(tables) == 1
    parts = [""] * len(dataset) if dataset.parts is None or lone else dataset.parts.tolist()
    places = {
        ("" if lone else part, name): (part, row)
        for part, table in tables.items()
        for row, name in enumerate(table.names)
    }
    found = [places[part, name] for part, name in zip(parts, dataset.names, strict=True)]
    names = dict.fromkeys(name for table in tables.values() for name in table.columns)
    cells: dict[str, list[Any]] = {}
    for name in names:
        columns = {part: table.columns.get(name) for part, table in tables.items()}
        values = [None if (column := columns[part]) is None else column[row] for part, row in found]
        cells[name] = [_cell(value, name) for value in values]
    if isinstance(dataset.items[0], Path):
        cells[dataset.columns[0]] = [_relative(item, folder) for item in dataset.items]
    return cells


def _cell(value: Any, column: str) -> str:
    """A value as a cell of a CSV file.

    Raises:
        DataError: It has no such form.
    """
    if is_missing(value):
        return ""
    if isinstance(value, (bytes, Mapping)):
        raise DataError(
            "a CSV file holds no encoded inputs", found=f"{type(value).__name__} in the column {column!r}"
        )
    if isinstance(value, (list, tuple)) or hasattr(value, "tolist"):
        return json.dumps(value.tolist() if hasattr(value, "tolist") else list(value))
    return str(value)


def _relative(item: Path, folder: Path) -> str:
    return Path(os.path.relpath(item.resolve(), folder.resolve())).as_posix()


def _group_names(units: Array) -> list[str]:
    """A name for each unit of several rows; "" for rows of their own."""
    _, inverse, counts = np.unique(units, return_inverse=True, return_counts=True)
    numbers = np.cumsum(counts > 1)
    return [f"g{numbers[unit]}" if counts[unit] > 1 else "" for unit in inverse.tolist()]


def _files(*sources: Any) -> list[Path]:
    """Files of sources that must not be written to."""
    paths = [Path(source) for source in sources if isinstance(source, (str, Path))]
    return [file for path in paths for file in ([path] if path.is_file() else path.glob("*.csv"))]


def _write(path: Path, columns: Mapping[str, list[Any]], rows: Array) -> None:
    folder_at(path.parent, "Choose another with --fix.")
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([values[row] for values in columns.values()] for row in rows.tolist())
