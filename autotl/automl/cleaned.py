"""A cleaned index of a data set: which rows to use, in which part, and which must stay together.

The data stay as they are. What the index leaves out, and why, is told; `autotl fit INDEX` reads it.
"""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.atomic import folder_at, replacing
from autotl.automl.audit import Audited
from autotl.data.dataset import PARTS, Dataset
from autotl.data.labels import understand_labels
from autotl.data.open import source_tables
from autotl.data.repeats import judged_parts
from autotl.data.rows import is_missing, plural
from autotl.data.splits import units_of
from autotl.errors import DataError, TargetError

Array = NDArray[Any]
#: What names a group in an index: rows of their own have no name.
_GROUP = re.compile(r"(g[0-9]+)?")


@dataclass(frozen=True)
class Cleaned:
    """An index that was written.

    Attributes:
        path: Where it lies.
        rows: How many rows it has.
        left_out: What it leaves out, a sentence for each reason.
        group: Its column of rows that must stay together.
        target: Its column of labels.
        task: The kind of task, where its labels alone would be read as another; "" otherwise.
    """

    path: Path
    rows: int
    left_out: tuple[str, ...]
    group: str
    target: str
    task: str

    @property
    def command(self) -> str:
        """What to type next."""
        task = f" --task {self.task}" if self.task else ""
        return f"autotl fit {self.path} --target {self.target}{task} --group {self.group}"


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
        DataError: The file has no ending of CSV, lies in the source, is there already and no index, or cannot
            hold the data.
        StorageError: It cannot be written.
    """
    check_place(path, source, val, test)
    dataset = audited.dataset
    kept, reasons = _kept(audited, drop_suspects)
    tables = source_tables(source, val=val, test=test)
    cells = _of_tables(dataset, tables, path.parent) if tables else _of_folders(dataset, path.parent)
    units = units_of(replace(dataset, clusters=audited.copies, fingerprints=()))
    part_name = "part" if "part" not in cells or dataset.parts is not None else "audit_part"
    group_name = "group" if "group" not in cells or group == "group" else "audit_group"
    parts = dataset.parts if dataset.parts is not None else np.full(len(dataset), "")
    columns = {**cells, part_name: parts.tolist(), group_name: _group_names(units)}
    if part_name == "part" and "split" in columns:  # the index says it once
        del columns["split"]
    _refuse_other_file(path, columns, part_name, group_name)
    _write(path, columns, kept)
    task = _task_to_say(dataset, [cells[dataset.task.target][row] for row in kept])
    return Cleaned(path, len(kept), reasons, group_name, dataset.task.target, task)


def _task_to_say(dataset: Dataset, labels: Sequence[str]) -> str:
    """The kind of task where labels that are read as they are would make another: class folders of years."""
    kind, target = dataset.task.kind, dataset.task.target
    try:
        found = understand_labels(labels, list(map(str, range(len(labels)))), target=target).task.kind
    except TargetError:
        return kind.value
    return "" if found is kind else kind.value


def _kept(audited: Audited, drop_suspects: bool) -> tuple[Array, tuple[str, ...]]:
    """Rows to keep, ascending, and why others are left out."""
    dataset = audited.dataset
    reasons = [f.message for f in dataset.findings if f.repaired is not None and "dropped" in f.repaired]
    keep = np.ones(len(dataset), bool)
    if dataset.parts is not None:
        for part in judged_parts(dataset.parts):
            repeated = part.rows & np.isin(audited.copies, audited.copies[part.judges])
            keep &= ~repeated
            if repeated.any():
                rows = plural(int(repeated.sum()), f"{part.adjective} row")
                reasons.append(f"{rows} like rows of the {part.judged_by} part.")
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
    places = {name: (part, row) for part, table in tables.items() for row, name in enumerate(table.names)}
    found = [places[name] for name in dataset.names]
    names = dict.fromkeys(name for table in tables.values() for name in table.columns)
    files = dataset.columns[0] if isinstance(dataset.items[0], Path) else None
    cells: dict[str, list[Any]] = {}
    for name in names:
        columns = {part: table.columns.get(name) for part, table in tables.items()}
        values = [None if (column := columns[part]) is None else column[row] for part, row in found]
        items = dataset.items if name == files else values
        cells[name] = [_relative(v, folder) if isinstance(v, Path) else _cell(v, name) for v in items]
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
    """A file's path as a cell.

    Raises:
        DataError: It has no UTF-8 form, so that no table can name it.
    """
    path = Path(os.path.relpath(item.resolve(), folder.resolve())).as_posix()
    if path != path.encode("utf-8", "replace").decode("utf-8"):
        raise DataError("an index names files in UTF-8", found=repr(path), hint="Rename the file.")
    return path


def _group_names(units: Array) -> list[str]:
    """A name for each unit of several rows; "" for rows of their own."""
    _, inverse, counts = np.unique(units, return_inverse=True, return_counts=True)
    numbers = np.cumsum(counts > 1)
    return [f"g{numbers[unit]}" if counts[unit] > 1 else "" for unit in inverse.tolist()]


def check_place(path: Path, *sources: Any) -> None:
    """Refuse a place where an index would change data: a further table may change how their folder is read.

    Args:
        path: Where an index is to be written.
        sources: What the data are read from; what is no path does not count.

    Raises:
        DataError: The file has no ending of CSV, or lies in a source.
    """
    if path.suffix.lower() != ".csv":
        raise DataError("a cleaned index is a CSV file", found=path.name, expected="a name ending in .csv")
    for source in sources:
        if not isinstance(source, (str, Path)):
            continue
        if path.resolve().is_relative_to(Path(source).resolve()):
            raise DataError(
                "a cleaned index changes no data",
                found=str(path),
                expected=f"a file beside {source}",
                hint="Name another file with --fix.",
            )


def _refuse_other_file(path: Path, columns: Iterable[str], part: str, group: str) -> None:
    """Refuse to replace what is no index of the same columns."""
    if path.exists() and not _is_index(path, list(columns), part, group):
        raise DataError(
            "a cleaned index replaces nothing but an earlier one of the same data",
            found=f"another file at {path}",
            hint="Name another file with --fix.",
        )


def _is_index(path: Path, columns: Sequence[str], part: str, group: str) -> bool:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            return rows.fieldnames == columns and all(
                row[part] in ("", *PARTS) and _GROUP.fullmatch(row[group] or "") is not None for row in rows
            )
    except (OSError, UnicodeDecodeError, csv.Error):
        return False


def _write(path: Path, columns: Mapping[str, list[Any]], rows: Array) -> None:
    folder_at(path.parent, "Choose another with --fix.")
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="replace", newline="") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([values[row] for values in columns.values()] for row in rows.tolist())
