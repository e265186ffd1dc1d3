"""Which columns of a table are the target, the group and the inputs.

The target is found by name, the inputs by asking the modalities. What is named explicitly is taken as named.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from autotl.data.dataset import PART_NAMES, PARTS, Finding
from autotl.data.rows import Rows, Table, is_missing, plural, some, verb
from autotl.errors import DataError, TargetError
from autotl.modalities.modality import Item, Modality

TARGET_NAMES = (
    "target", "label", "labels", "class", "classes", "category", "categories", "intent", "sentiment",
    "score", "y", "rating", "tag", "tags", "topic", "genre", "genres", "emotion", "emotions", "similarity",
    "outcome",
)  # fmt: skip
_TEXT_NAMES = ("text", "sentence", "content", "review", "message", "comment", "tweet", "utterance", "body")
_PART_COLUMNS = ("part", "split")
_PAIRS = (
    {"premise", "hypothesis"}, {"question", "context"}, {"question", "answer"}, {"query", "passage"},
    {"query", "document"}, {"question", "sentence"}, {"question", "passage"},
)  # fmt: skip
_NUMBERED = re.compile(r"(.+?)_?([12ab])$")
_NO_INPUT = re.compile(r"^(id|idx|index|guid|uuid|url|date|time|timestamp|unnamed: 0|.*_id|)$")
_TARGET_LIKE = re.compile(r"^(target|label|class)[_ ]|[_ ](target|label|class)$")
#: Least answer of `Modality.sniff` that makes a column an input.
SURE = 0.6
_SAMPLE = 200
#: Largest share of inputs whose file is missing that is dropped rather than refused.
MISSING_FILES = 0.05


@dataclass(frozen=True)
class Selection:
    """The columns chosen from a table.

    Attributes:
        modality: Name of the inputs' modality.
        inputs: Input columns in order; several make tuples.
        target: The target column.
        group: The group column, or None.
        are_paths: Whether inputs are files named by the column.
        part: The column that names the official part of each row, or None.
    """

    modality: str
    inputs: tuple[str, ...]
    target: str
    group: str | None
    are_paths: bool
    part: str | None = None


def select(
    table: Table,
    kinds: Mapping[str, Modality],
    *,
    target: str | None = None,
    inputs: Mapping[str, Sequence[str]] | None = None,
    group: str | None = None,
) -> tuple[Selection, tuple[Finding, ...]]:
    """Choose the columns of a table.

    Args:
        table: The training table.
        kinds: The modalities that may be met, by name.
        target: The target column, or None to find it by its name.
        inputs: Input columns by modality ("text", "image"), empty to find them by their values.
        group: The group column, or None.

    Raises:
        TargetError: The target column is absent or cannot be told.
        DataError: Another column is absent, an input is also the target, or no column looks like an input.
    """
    goal = _target_column(table, target)
    if group is not None:
        _require(table, group, "Name the group column with --group COL.")
    part, told = _part_column(table, goal)
    named = {kind: tuple(columns) for kind, columns in (inputs or {}).items() if columns}
    if len(named) > 1:
        raise DataError(
            "columns of two kinds are named as inputs", found=", ".join(named), expected="one kind"
        )
    if named:
        kind, columns = next(iter(named.items()))
        for column in columns:
            _require(table, column, f"Name the {kind} column with --{kind} COL.")
            if column == goal:
                raise DataError(
                    f"the target column {goal!r} is also an input", hint="Name another with --target COL."
                )
        if kind in kinds and kinds[kind].extensions and len(columns) > 1:
            raise DataError(f"several {kind} columns are named", found=", ".join(columns), expected="one")
        if kind not in kinds:
            raise DataError("unknown modality", found=repr(kind), expected=", ".join(kinds))
        return Selection(kind, columns, goal, group, bool(kinds[kind].extensions), part), told
    kind, columns = _find_inputs(table, goal, group, kinds)
    unused = [name for name in table.columns if name not in (*columns, goal, group, part)]
    finding = Finding(
        "unused_column", "info", f"{plural(len(unused), 'column')} not used as input: {some(unused)}."
    )
    chosen = Selection(kind, columns, goal, group, bool(kinds[kind].extensions), part)
    return chosen, (*told, *((finding,) if unused else ()))


def rows_of(table: Table, chosen: Selection, part: str) -> Rows:
    """The rows of one table under a selection made on the training table.

    Raises:
        DataError: A chosen column is absent here, or more than a few named files do not exist.
        TargetError: The target column is absent here.
    """
    for column in (*chosen.inputs, *([chosen.group] if chosen.group else [])):
        _require(table, column, "All parts need the columns of the training table.")
    goal = _target_column(table, chosen.target)
    values = [[_value(v, chosen.are_paths, table.folder) for v in table.columns[c]] for c in chosen.inputs]
    rows = Rows(
        modality=chosen.modality,
        items=list(values[0]) if len(values) == 1 else list(zip(*values, strict=True)),
        labels=table.columns[goal],
        names=table.names,
        parts=_parts(table, chosen, part),
        groups=table.columns[chosen.group] if chosen.group else None,
        columns=chosen.inputs,
        target=goal,
    )
    return _drop_missing_files(rows, table) if chosen.are_paths else rows


def _part_column(table: Table, target: str) -> tuple[str | None, tuple[Finding, ...]]:
    """The column, called "part" or "split", that says which official part each row belongs to, if one does.

    All its values must be names of parts or empty, and some rows must be of the train part. One that has
    other values too is told of, because rows of its test part may be trained on.
    """
    told: tuple[Finding, ...] = ()
    for name, values in table.columns.items():
        if name.lower() not in _PART_COLUMNS or name == target:
            continue
        named = {str(value).strip().lower() for value in values if not is_missing(value)} - {""}
        unknown = sorted(named - PART_NAMES.keys())
        if "train" not in {PART_NAMES.get(value) for value in named}:
            continue
        if not unknown:
            message = f"Official parts are those that the column {name!r} names."
            return name, (Finding("official_parts", "info", message),)
        others = f"{some(unknown)} {verb(len(unknown), 'is', 'are')} not among {', '.join(PARTS)}"
        message = f"The column {name!r} is not used for official parts: {others}."
        told = (Finding("unknown_part", "warning", message, (), "parts drawn from all rows"),)
    return None, told


def _parts(table: Table, chosen: Selection, part: str) -> list[str]:
    """The part of each row: its own column goes before that of a training table, not of another."""
    if part not in ("", "train"):
        return [part] * len(table)
    return [_part(value) or part for value in table.columns.get(chosen.part or "", [""] * len(table))]


def _part(value: Any) -> str:
    """The official part that a cell names, "" for none."""
    return "" if is_missing(value) else PART_NAMES.get(str(value).strip().lower(), "")


def _require(table: Table, column: str, hint: str) -> None:
    if column not in table.columns:
        raise DataError(
            f"no column {column!r} in {table.source}", expected=f"one of {table.listing}", hint=hint
        )


def _target_column(table: Table, target: str | None) -> str:
    if target is not None:
        if target not in table.columns:
            raise TargetError(
                f"no column {target!r} in {table.source}",
                expected=f"one of {table.listing}",
                hint="Name the label column with --target COL.",
            )
        return target
    by_name = {name.lower(): name for name in reversed(table.columns)}
    found = next((by_name[name] for name in TARGET_NAMES if name in by_name), None)
    if found is None:
        raise TargetError(
            f"cannot tell which column of {table.source} is the target",
            found=table.listing,
            hint="Name it with --target COL.",
        )
    return found


def _find_inputs(
    table: Table, goal: str, group: str | None, kinds: Mapping[str, Modality]
) -> tuple[str, tuple[str, ...]]:
    """The modality and the input columns, by what the values look like."""
    found: dict[str, list[str]] = {}
    for column, values in table.columns.items():
        if column in (goal, group) or _NO_INPUT.match(column.lower()) or _TARGET_LIKE.search(column.lower()):
            continue
        kind = _kind_of(values, kinds, table.folder)
        if kind is not None and not _restates(values, table.columns[goal]):
            found.setdefault(kind.name, []).append(column)
    files = [name for name in found if kinds[name].extensions]
    if files:
        if len(found[files[0]]) > 1:
            raise DataError(
                f"several columns of {table.source} name {files[0]} files",
                found=", ".join(found[files[0]]),
                expected="one",
                hint=f"Name it with --{files[0]} COL.",
            )
        return files[0], (found[files[0]][0],)
    if not found:
        options = " or ".join(f"--{kind} COL" for kind in ("text", "image") if kind in kinds)
        raise DataError(
            f"no column of {table.source} looks like an input",
            found=", ".join(name + _poverty(values) for name, values in table.columns.items()),
            expected=f"a column of {' or '.join(kinds)}",
            hint=f"Name it with {options}." if options else None,
        )
    name = max(found, key=lambda kind: len(found[kind]))
    return name, _belonging(found[name])


def _poverty(values: list[Any]) -> str:
    """What keeps a column from being an input whatever it holds, in brackets."""
    distinct = {str(value) for value in values if not is_missing(value)} - {""}
    return " (empty)" if not distinct else " (one value only)" if len(distinct) == 1 else ""


def _kind_of(values: list[Any], kinds: Mapping[str, Modality], folder: Path) -> Modality | None:
    """The modality that claims a column's values most surely."""
    present = [value for value in values if not is_missing(value) and not _is_empty_text(value)]
    sample = present[:: max(1, len(present) // _SAMPLE)][:_SAMPLE]
    if not sample:
        return None
    inputs = [_value(value, False, folder) for value in sample]
    by_ending = [kind for kind in kinds.values() if kind.extensions and _named_files(inputs, kind)]
    if by_ending:
        return by_ending[0]
    nested = [
        isinstance(v, (Mapping, list)) and isinstance(i, str) for v, i in zip(sample, inputs, strict=True)
    ]
    if sum(nested) > 0.1 * len(nested):
        return None
    if all(isinstance(value, str) for value in sample) and len(set(present)) < max(
        min(3, len(present)), 0.05 * len(present)
    ):
        return None
    scores = {kind.name: kind.sniff(inputs) for kind in kinds.values()}
    best = max(scores, key=lambda name: scores[name])
    return kinds[best] if scores[best] >= SURE else None


def _is_empty_text(value: Any) -> bool:
    return isinstance(value, str) and value == ""


def _named_files(sample: list[Any], kind: Modality) -> bool:
    named = [isinstance(v, (str, Path)) and Path(v).suffix.lower() in kind.extensions for v in sample]
    return sum(named) > 0.9 * len(named)


def _restates(values: list[Any], labels: list[Any]) -> bool:
    """Whether a column is the target in other words (`label_text` beside `label`)."""
    pairs = {(repr(value), repr(label)) for value, label in zip(values, labels, strict=True)}
    distinct = len({label for _, label in pairs})
    return len(pairs) == distinct == len({value for value, _ in pairs}) and distinct < len(labels) / 2


def _belonging(columns: list[str]) -> tuple[str, ...]:
    """Of several candidate columns: a known pair, else the one called "text" or alike, else all."""
    lower = {column.lower(): column for column in columns}
    for pair in _PAIRS:
        if pair <= lower.keys():
            return tuple(column for column in columns if column.lower() in pair)
    stems: dict[str, list[str]] = {}
    for name, column in lower.items():
        if match := _NUMBERED.match(name):
            stems.setdefault(match[1], []).append(column)
    numbered = next((found for found in stems.values() if len(found) == 2), None)
    if numbered:
        return tuple(numbered)
    single = next((lower[name] for name in _TEXT_NAMES if name in lower), None)
    return (single,) if single else tuple(columns)


def _value(value: Any, is_path: bool, folder: Path) -> Item:
    """One cell as an input: a path from the table's folder, encoded bytes, or a text.

    Records hold `bytes`, or where these are None the `path` of a file, as the Hugging Face hub has them.
    """
    if isinstance(value, Mapping) and value.get("bytes") is not None:
        return value["bytes"]
    if isinstance(value, Mapping) and isinstance(value.get("path"), str):
        return folder / value["path"]
    if isinstance(value, bytes) or _is_pixels(value):
        return value
    if is_path:
        return folder / ("" if is_missing(value) else str(value))
    if is_missing(value):
        return ""
    return value if isinstance(value, (str, Path)) else str(value)


def _is_pixels(value: Any) -> bool:
    """Whether a cell is an array, a tensor or a Pillow image (whose type is asked: it would copy itself)."""
    is_array = hasattr(value, "shape") or hasattr(type(value), "__array_interface__")
    return is_array and not isinstance(value, (str, np.generic))


def _drop_missing_files(rows: Rows, table: Table) -> Rows:
    there = [not isinstance(item, Path) or item.is_file() for item in rows.items]
    lost = [i for i, exists in enumerate(there) if not exists]
    if not lost:
        return rows
    absent = f"named in {table.source} {verb(len(lost), 'does', 'do')} not exist"
    if len(lost) >= MISSING_FILES * len(there):
        raise DataError(
            f"{plural(len(lost), 'file')} of {len(there):,} {absent}",
            found=some([f"{rows.items[i].as_posix()} ({rows.names[i]})" for i in lost], 2),
            expected=f"paths relative to the folder of {table.source}",
        )
    names = tuple(rows.names[i] for i in lost)
    finding = Finding(
        "missing_file", "warning", f"{plural(len(lost), 'file')} {absent}.",
        names[:1000], "rows dropped",
    )  # fmt: skip
    kept = [i for i, exists in enumerate(there) if exists]
    return replace(rows.take(kept), findings=(*rows.findings, finding))
