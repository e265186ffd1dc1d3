"""`open_dataset`: whatever a user has, as a `Dataset`.

It picks the reader, adds further official parts, and has the labels understood. It changes no data beyond
leaving out rows that have no label or no file, and says so in the findings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.data.columns import rows_of, select
from autotl.data.dataset import Dataset, Finding
from autotl.data.folders import find_tables, read_class_folders, unused_tables
from autotl.data.labels import understand_labels
from autotl.data.memory import as_labels, read_memory
from autotl.data.rows import Rows, Table, is_missing, join, plural
from autotl.data.tables import READERS, read_table, table_of
from autotl.errors import DataError, TargetError
from autotl.modalities.modality import Modality
from autotl.modalities.registry import modalities
from autotl.task import Task

_IN_MEMORY_LABEL = "label"


def open_dataset(
    source: Any,
    *,
    target: str | None = None,
    task: str | Task = "auto",
    metric: str | None = None,
    text: str | Sequence[str] | None = None,
    image: str | None = None,
    group: str | Sequence[Any] | None = None,
    separator: str | None = None,
    labels: Any = None,
    val: Any = None,
    test: Any = None,
    modality: str | Modality | None = None,
) -> Dataset:
    """Read a labelled data set.

    Args:
        source: A folder (class folders, or `train.csv` with its parts), a table file, a pandas, polars or
            Arrow table, or items in memory with `labels`.
        target: The target column of a table; by default the one with a usual name.
        task: "auto", a kind of task, or a `Task` whose classes are to be used as they are.
        metric: Name of the metric that selects models.
        text: Text column, or several (a sequence, or names separated by commas).
        image: Column of image paths, relative to the table's folder.
        group: Column whose values must not be split, or N values for items in memory.
        separator: What separates several labels in one text.
        labels: One label for each item in memory, or for each row of a data frame.
        val: An official validation part: a path, or a data frame.
        test: An official test part, likewise.
        modality: A modality or its name; by default the one that the data look like.

    Returns:
        The data set, not yet audited.

    Raises:
        DataError: The source cannot be read or used.
        TargetError: The labels cannot be used.
    """
    kinds = _kinds(modality)
    extra = {part: more for part, more in (("val", val), ("test", test)) if more is not None}
    tables, findings = _tables(source, labels, target)
    if tables is not None:
        inputs = {"text": _names(text), "image": _names(image)}
        goal = target if labels is None else target or _IN_MEMORY_LABEL
        rows = _rows_of_tables(_by_part(tables, extra), kinds, goal, inputs, group, explicit=tuple(extra))
    else:
        _refuse_columns(source, target=target, text=text, image=image, group=group)
        rows = _without_columns(source, labels, group, kinds)
        rows = _with_parts(rows, extra, kinds) if extra else rows
    rows = replace(rows, findings=findings + rows.findings)
    return _dataset(rows, source, task=task, metric=metric, separator=separator)


def source_tables(source: Any, *, val: Any = None, test: Any = None) -> dict[str, Table]:
    """The tables that a data set is read from, by part ("" for a lone one); empty where it is made of none.

    Args:
        source: As for `open_dataset`.
        val: As there.
        test: As there.

    Raises:
        DataError: A table cannot be read.
    """
    tables, _ = _tables(source, None, None)
    extra = {part: more for part, more in (("val", val), ("test", test)) if more is not None}
    return {} if tables is None else _by_part(tables, extra)


def _kinds(wanted: str | Modality | None) -> Mapping[str, Modality]:
    if wanted is not None and not isinstance(wanted, str):
        return {wanted.name: wanted}
    known = modalities()
    if wanted is None:
        return known
    if wanted not in known:
        raise DataError("unknown modality", found=repr(wanted), expected=", ".join(known))
    return {wanted: known[wanted]}


def _names(columns: str | Sequence[str] | None) -> tuple[str, ...]:
    if columns is None:
        return ()
    if isinstance(columns, str):
        return tuple(name.strip() for name in columns.split(",") if name.strip())
    return tuple(columns)


def _existing(path: Path) -> Path:
    if not path.exists():
        raise DataError(f"no such file or folder: {path}", hint=f"Paths are relative to {Path.cwd()}.")
    return path


def _tables(
    source: Any, labels: Any, target: str | None
) -> tuple[dict[str, Table] | None, tuple[Finding, ...]]:
    """The source's tables by part ("" for a lone one), or None where it is made of no tables."""
    if isinstance(source, (str, Path)):
        path = _existing(Path(source))
        if path.is_file():
            return {"": read_table(path)}, ()
        if not path.is_dir():
            raise DataError(f"cannot read {path}", found="a device or a pipe", expected="a file or a folder")
        files = find_tables(path)
        if not files:
            return None, ()
        return {part: read_table(file) for part, file in files.items()}, unused_tables(path, files)
    table = table_of(source)
    if table is None:
        return None, ()
    if labels is not None:
        values = as_labels(labels)
        if len(values) != len(table):
            raise TargetError(
                "rows and labels differ in number",
                found=f"{plural(len(table), 'row')} and {plural(len(values), 'label')}",
                expected="one label for each row",
                hint=f"The name of a column is given as target={labels!r}."
                if isinstance(labels, str)
                else None,
            )
        table = replace(table, columns={**table.columns, target or _IN_MEMORY_LABEL: values})
    return {"": table}, ()


def _by_part(tables: Mapping[str, Table], extra: Mapping[str, Any]) -> dict[str, Table]:
    """All tables by part, with further ones; rows of tables of one name are called after their part too."""
    found = {**tables, **{part: _one_table(source) for part, source in extra.items()}}
    sources = Counter(table.source for table in found.values())
    named = {}
    for key, table in found.items():
        part = key or ("train" if len(found) > 1 else "")
        names = [f"{part}/{name}" for name in table.names] if sources[table.source] > 1 else table.names
        named[part] = replace(table, names=names)
    return named


def _one_table(source: Any) -> Table:
    """The table of a further part: a file, a folder that holds a single one, or a data frame."""
    table = table_of(source)
    if table is not None:
        return table
    path = _existing(Path(source))
    if path.is_dir():
        files = find_tables(path)
        if len(files) != 1:
            raise DataError(f"cannot tell which table of {path.name}/ is meant", expected="one table file")
        path = next(iter(files.values()))
    return read_table(path)


def _rows_of_tables(
    tables: Mapping[str, Table],
    kinds: Mapping[str, Modality],
    target: str | None,
    inputs: Mapping[str, Sequence[str]],
    group: str | Sequence[Any] | None,
    explicit: tuple[str, ...],
) -> Rows:
    """Rows of all parts, with columns chosen on the training table.

    A test table without the target, as competitions hand out, is left aside unless it was named explicitly.
    Parts that were named explicitly replace those that the training table's own column names.
    """
    if group is not None and not isinstance(group, str):
        raise DataError("groups of a table are a column", found=type(group).__name__, expected="its name")
    first = tables.get("train") or tables[""]
    chosen, findings = select(first, kinds, target=target, inputs=inputs, group=group)
    pieces = []
    for part, table in tables.items():
        if table is not first and part not in explicit and _unlabelled(table, chosen.target):
            message = f"{table.source} has no labels in '{chosen.target}', so it is no {part} part."
            findings += (Finding("unlabelled_part", "warning", message, (), "part left aside"),)
        else:
            rows = rows_of(table, chosen, part)
            pieces.append(_without(rows, explicit) if table is first else rows)
    rows = join(pieces)
    return replace(rows, findings=findings + rows.findings)


def _without(rows: Rows, parts: Sequence[str]) -> Rows:
    """Rows without some official parts, which others replace."""
    names = tuple(name for name, part in zip(rows.names, rows.parts, strict=True) if part in parts)
    if not names:
        return rows
    replaced = " and ".join(part for part in parts if part in rows.parts)
    told = (
        f"{plural(len(names), 'row')} of the {replaced} part in the data give way to those that were named."
    )
    kept = rows.take([i for i, part in enumerate(rows.parts) if part not in parts])
    return replace(kept, findings=(*kept.findings, Finding("replaced_part", "info", told, names)))


def _unlabelled(table: Table, column: str) -> bool:
    return all(is_missing(value) or value == "" for value in table.columns.get(column, ()))


def _refuse_columns(source: Any, **columns: Any) -> None:
    """Columns can be named only where there are any."""
    for option, value in columns.items():
        if isinstance(value, str) or (value is not None and option == "text"):
            raise DataError(
                f"--{option} names a column, but the data are no table",
                found=f"{value!r} for {source if isinstance(source, (str, Path)) else type(source).__name__}",
                expected=f"a table: {', '.join(READERS)}",
            )


def _without_columns(source: Any, labels: Any, group: Any, kinds: Mapping[str, Modality]) -> Rows:
    if isinstance(source, (str, Path)):
        if group is not None:
            raise DataError(
                "class folders take no groups",
                found=type(group).__name__,
                expected="a table with a group column",
                hint="Write one: autotl audit DATA --fix index.csv, then autotl fit index.csv --group group",
            )
        return read_class_folders(Path(source), kinds)
    return read_memory(source, labels, kinds, groups=group)


def _with_parts(rows: Rows, extra: Mapping[str, Any], kinds: Mapping[str, Modality]) -> Rows:
    """Rows with further official parts from class folders; they replace parts of the same name."""
    kept = _without(rows, tuple(extra))
    pieces = [replace(kept, parts=[part or "train" for part in kept.parts])]
    for part, source in extra.items():
        if not isinstance(source, (str, Path)) or not _existing(Path(source)).is_dir():
            raise DataError(
                f"cannot read the {part} part", found=repr(source), expected="a folder of class folders"
            )
        more = read_class_folders(Path(source), {rows.modality: kinds[rows.modality]})
        names = [f"{part}/{name}" for name in more.names]
        pieces.append(replace(more, parts=[part] * len(names), names=names))
    return join(pieces)


def _dataset(
    rows: Rows, source: Any, *, task: str | Task, metric: str | None, separator: str | None
) -> Dataset:
    found = understand_labels(
        rows.labels,
        rows.names,
        target=rows.target,
        task=task,
        metric_name=metric,
        separator=separator,
        are_classes=rows.are_classes,
    )
    rows = rows.take([int(i) for i in np.flatnonzero(found.kept)])
    origin = str(source) if isinstance(source, (str, Path)) else f"{type(source).__name__} in memory"
    return Dataset(
        modality=rows.modality,
        task=found.task,
        items=rows.items,
        targets=found.targets,
        names=rows.names,
        parts=np.array(rows.parts) if any(rows.parts) else None,
        groups=_codes(rows.groups),
        findings=rows.findings + found.findings,
        source=origin,
        columns=rows.columns,
    )


def _codes(groups: list[Any] | None) -> NDArray[np.int64] | None:
    """Group codes by first appearance; a row without a group is one of its own."""
    if groups is None:
        return None
    known: dict[Any, int] = {}
    keys = [("", i) if is_missing(g) or g == "" else ("g", str(g)) for i, g in enumerate(groups)]
    return np.array([known.setdefault(key, len(known)) for key in keys], dtype=np.int64)
