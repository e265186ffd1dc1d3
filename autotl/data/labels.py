"""From raw labels to a `Task` and its targets: which kind of task it is, and which classes there are.

Decisions that cost a user dearly when wrong (several labels a row, regression) are taken only on clear
evidence, and told as a finding with the option that changes them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.data.dataset import Finding
from autotl.data.label_lists import find_separator, parse_list, split_labels
from autotl.data.rows import is_missing, plural, some, verb
from autotl.errors import TargetError
from autotl.task import Task, TaskKind, default_metric, metric

Array = NDArray[Any]
#: Largest share of rows without a label that is dropped rather than refused.
MISSING_SHARE = 0.05
#: Whole numbers with up to this many distinct values are classes.
FEW_VALUES = 20
_QUANTITIES = frozenset({"score", "price", "value", "age", "amount", "count", "rating", "year", "days"})
_NUMERIC_GAPS = frozenset({"na", "n/a", "null", "none", "-", "?"})


@dataclass(frozen=True)
class Labels:
    """Labels as a network takes them.

    Attributes:
        task: The task that was found or asked for.
        targets: One row for each kept row, as `Dataset.targets`.
        kept: (N,) bool, False where the label is missing and the row is to be dropped.
        findings: What was decided and dropped.
    """

    task: Task
    targets: Array
    kept: Array
    findings: tuple[Finding, ...]


def understand_labels(
    labels: Sequence[Any],
    names: Sequence[str],
    *,
    target: str = "label",
    task: str | Task = "auto",
    metric_name: str | None = None,
    separator: str | None = None,
    are_classes: bool = False,
) -> Labels:
    """Find the task and encode the labels.

    Args:
        labels: N raw labels.
        names: N row names, for messages.
        target: Name of the target, for messages and for telling quantities from codes.
        task: "auto", a kind of task, or a `Task` whose classes are to be used as they are.
        metric_name: The selection metric; the default of the kind where None.
        separator: What separates several labels in one text.
        are_classes: Whether labels are classes where nothing else is asked for, whatever they look like.

    Raises:
        TargetError: Labels are missing, mixed, or do not fit the task or metric asked for.
    """
    wanted = _wanted_kind(task)
    several = wanted is TaskKind.MULTILABEL or separator is not None
    values, kept, findings = _drop_missing(labels, names, target, keep_blank=several)
    values = _one_type(values, [name for name, keep in zip(names, kept, strict=True) if keep], target)
    are_classes = are_classes and wanted is None and separator is None
    split = None if are_classes else _as_lists(values, target, separator, wanted)
    fixed = task if isinstance(task, Task) else None
    if split is not None:
        kind, (classes, targets) = TaskKind.MULTILABEL, _indicators(split, fixed, target)
    elif wanted is TaskKind.REGRESSION or (
        wanted is None and not are_classes and _is_quantity(values, target)
    ):
        kind, classes, targets = TaskKind.REGRESSION, (), _as_values(values, names, kept, target)
    else:
        classes, targets = _class_indices(values, fixed, target)
        kind = _class_kind(classes, wanted, target)
    _refuse_unwritable(classes, target)
    chosen = metric_name or (fixed.metric if fixed else default_metric(kind))
    metric(chosen, kind)
    if wanted is None:
        findings = (*findings, _decision(kind, classes, target))
    return Labels(Task(kind, classes, chosen, target), targets, kept, findings)


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key that orders numbers inside names by value: a2 before a10."""
    pieces = [piece for piece in re.split(r"(\d+)", text) if piece]
    return tuple((0, int(p), p) if p.isdecimal() else (1, 0, p.casefold()) for p in pieces)


def sort_classes(classes: set[str]) -> tuple[str, ...]:
    """Class names by value where all are numbers, in natural order otherwise."""
    numbers = {name: _number(name) for name in classes}
    if all(number is not None for number in numbers.values()):
        return tuple(sorted(classes, key=lambda name: (numbers[name] or 0.0, name)))
    return tuple(sorted(classes, key=lambda name: (natural_key(name), name)))


def _wanted_kind(task: str | Task) -> TaskKind | None:
    if isinstance(task, Task):
        return task.kind
    if task == "auto":
        return None
    known = [kind.value for kind in TaskKind]
    if task not in known:
        raise TargetError("unknown task", found=repr(task), expected=", ".join(["auto", *known]))
    return TaskKind(task)


def _drop_missing(
    labels: Sequence[Any], names: Sequence[str], target: str, keep_blank: bool
) -> tuple[list[Any], Array, tuple[Finding, ...]]:
    """Labels that are there, which rows they belong to, and a finding on those that are not."""
    texts = [value.strip() for value in labels if isinstance(value, str)]
    numeric = sum(_number(text) is not None for text in texts)
    gaps = {"nan"} | (set() if keep_blank else {""})
    if numeric and numeric >= sum(text.lower() not in _NUMERIC_GAPS | {"", "nan"} for text in texts):
        gaps |= _NUMERIC_GAPS

    def missing(value: Any) -> bool:
        return value.strip().lower() in gaps if isinstance(value, str) else is_missing(value)

    kept = np.array([not missing(value) for value in labels], dtype=bool)
    lost = [name for name, keep in zip(names, kept, strict=True) if not keep]
    if not lost:
        return list(labels), kept, ()
    share = len(lost) / len(labels)
    if share >= MISSING_SHARE:
        raise TargetError(
            f"{plural(len(lost), 'row')} of {len(labels):,} "
            f"{verb(len(lost), 'has', 'have')} no value in the target '{target}'",
            found=some(lost),
            expected=f"fewer than {MISSING_SHARE:.0%}",
            hint="Fill in or take out these rows, or choose another column with --target COL.",
        )
    finding = Finding(
        "missing_label",
        "warning",
        f"{plural(len(lost), 'row')} of {len(labels):,} without a label ({share:.1%}).",
        tuple(lost[:1000]),
        "rows dropped",
    )
    return [value for value, keep in zip(labels, kept, strict=True) if keep], kept, (finding,)


def _one_type(values: list[Any], names: list[str], target: str) -> list[Any]:
    """The values as all texts, all numbers, all truth values or all lists."""
    types = Counter(_type_name(value) for value in values)
    if len(types) > 1:
        ordered = types.most_common()
        odd = [name for name, value in zip(names, values, strict=True) if _type_name(value) == ordered[-1][0]]
        raise TargetError(
            f"the target '{target}' mixes types",
            found=f"{', '.join(f'{n} {kind}' for kind, n in ordered)} (row {some(odd, 1)})",
            expected="values of one type",
        )
    kind = next(iter(types), "text")
    if kind == "text":
        return [value.strip() for value in values]
    return [_plain(value) for value in values] if kind == "number" else values


def _plain(value: Any) -> int | float:
    """A number as Python's own; whole ones stay exact, however large."""
    if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value():
        return int(value)
    return int(value) if isinstance(value, (int, np.integer)) else float(value)


def _type_name(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "truth value"
    if isinstance(value, (int, float, np.number, Decimal)):
        return "number"
    if isinstance(value, (list, tuple, set, frozenset, np.ndarray)):
        return "list"
    return "text" if isinstance(value, str) else type(value).__name__


def _as_lists(
    values: list[Any], target: str, separator: str | None, wanted: TaskKind | None
) -> list[list[str]] | None:
    """Each row's labels where a row has several; None where it has one."""
    if values and _type_name(values[0]) == "list":
        if wanted not in (None, TaskKind.MULTILABEL):
            raise TargetError(
                f"the target '{target}' holds lists", expected=f"one value a row for a {wanted.value} task"
            )
        return [[_class_name(label) for label in row] for row in values]
    if wanted not in (None, TaskKind.MULTILABEL):
        return None
    texts = [_class_name(value) for value in values]
    if separator is not None:
        return split_labels(texts, separator)
    parsed = parse_list(texts)
    if parsed is not None:
        return parsed
    found = find_separator(texts, target, wanted is TaskKind.MULTILABEL)
    if found is not None:
        return split_labels(texts, found)
    return [[text] if text else [] for text in texts] if wanted is TaskKind.MULTILABEL else None


def _class_name(value: Any) -> str:
    """A label as text; whole numbers without a fraction."""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def _number(text: str) -> float | None:
    """The value of a plain decimal number, else None."""
    if not text or not (text[0].isdigit() or text[0] in "+-."):
        return None
    try:
        return float(text) if "_" not in text else None
    except ValueError:
        return None


def _is_quantity(values: list[Any], target: str) -> bool:
    """Whether numbers measure something (regression) rather than name classes.

    Numbers with a fraction measure, from three distinct values on. Whole numbers name classes where they are
    few, or are codes: counted up from 0 or 1 without a gap, each several times, in a column that is not
    named after a quantity.
    """
    numbers = [
        float(v) if _type_name(v) == "number" else _number(v) if isinstance(v, str) else None for v in values
    ]
    known = np.array([n for n in numbers if n is not None])
    if not len(known) or len(known) < 0.9 * len(values):
        return False
    distinct = np.unique(known)
    if not np.all(np.isfinite(distinct)) or np.any(distinct != np.round(distinct)):
        return len(distinct) >= 3
    if len(distinct) <= FEW_VALUES:
        return False
    codes = distinct[0] in (0, 1) and distinct[-1] - distinct[0] + 1 == len(distinct)
    return not (codes and len(known) >= 5 * len(distinct) and target.lower() not in _QUANTITIES)


def _as_values(values: list[Any], names: Sequence[str], kept: Array, target: str) -> Array:
    """Targets of a regression, (N,) float64."""
    numbers = [
        _number(v) if isinstance(v, str) else float(v) if isinstance(v, (int, float)) else None
        for v in values
    ]
    bad = [i for i, number in enumerate(numbers) if number is None or not np.isfinite(number)]
    if bad:
        rows = np.flatnonzero(kept)
        raise TargetError(
            f"the target '{target}' of a regression task holds what is no finite number",
            found=", ".join(f"{values[i]!r} ({names[rows[i]]})" for i in bad[:3]),
            expected="numbers",
            hint="For classes, give --task multiclass.",
        )
    return np.array(numbers, dtype=np.float64)


def _class_indices(values: list[Any], fixed: Task | None, target: str) -> tuple[tuple[str, ...], Array]:
    names = [_class_name(value) for value in values]
    classes = fixed.classes if fixed else sort_classes(set(names))
    index = {name: i for i, name in enumerate(classes)}
    _refuse_unknown(set(names), index, target)
    return classes, np.array([index[name] for name in names], dtype=np.int64)


def _indicators(rows: list[list[str]], fixed: Task | None, target: str) -> tuple[tuple[str, ...], Array]:
    present = {label for row in rows for label in row}
    classes = fixed.classes if fixed else sort_classes(present)
    index = {name: i for i, name in enumerate(classes)}
    _refuse_unknown(present, index, target)
    targets = np.zeros((len(rows), len(classes)), dtype=np.float32)
    for i, row in enumerate(rows):
        targets[i, [index[label] for label in row]] = 1
    return classes, targets


def _refuse_unknown(names: set[str], index: dict[str, int], target: str) -> None:
    unknown = sort_classes(names - index.keys())
    if unknown:
        raise TargetError(
            f"the target '{target}' holds classes that the model does not know",
            found=some(unknown),
            expected=some(list(index), 10),
        )


def _refuse_unwritable(classes: tuple[str, ...], target: str) -> None:
    """Refuse names that a model could not carry: its file, reports and answers are UTF-8."""
    bad = [name for name in classes if name.encode("utf-8", "replace").decode("utf-8") != name]
    if bad:
        raise TargetError(
            f"class names of '{target}' have no UTF-8 form",
            found=some([ascii(name) for name in bad]),
            expected="UTF-8",
            hint="Rename these folders or labels.",
        )


def _class_kind(classes: tuple[str, ...], wanted: TaskKind | None, target: str) -> TaskKind:
    if wanted is TaskKind.BINARY and len(classes) > 2:
        raise TargetError(
            f"the target '{target}' does not fit a binary task",
            found=f"{plural(len(classes), 'class', 'classes')} ({some(classes)})",
            expected="2",
            hint="Give --task multiclass.",
        )
    return wanted or (TaskKind.BINARY if len(classes) == 2 else TaskKind.MULTICLASS)


def _decision(kind: TaskKind, classes: tuple[str, ...], target: str) -> Finding:
    what = "numbers" if kind is TaskKind.REGRESSION else plural(len(classes), "class", "classes")
    return Finding(
        "task", "info", f"Target '{target}' was read as {kind.value}: {what}; --task KIND changes this."
    )
