"""What an audit checks: each function looks at one thing and gives findings, or refuses the data.

None of them changes the data.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.data.dataset import Dataset, Finding
from autotl.data.rows import plural, some, verb
from autotl.errors import DataError, TargetError
from autotl.task import TaskKind

Array = NDArray[Any]
MIN_ROWS = 10
MIN_ROWS_A_CLASS = 2
#: From this ratio of the largest to the smallest class on, imbalance is reported.
IMBALANCE = 10
_ROWS = 1000


def training_rows(dataset: Dataset) -> Array:
    """Rows that are neither in an official validation nor an official test part."""
    if dataset.parts is None:
        return np.arange(len(dataset))
    return np.flatnonzero(~np.isin(dataset.parts, ("val", "test")))


def check_usable(dataset: Dataset, state: str = "") -> None:
    """Refuse data that nothing can be learnt from.

    Args:
        dataset: The data set.
        state: Words for the message that say what was done to the data before.

    Raises:
        DataError: Fewer than 10 training rows, or fewer than 2 a class.
        TargetError: All training rows have the same target, or a class is missing among them.
    """
    rows = training_rows(dataset)
    task, targets = dataset.task, dataset.targets[rows]
    if len(rows) < MIN_ROWS:
        raise DataError(
            f"too few rows to train on{state}",
            found=plural(len(rows), "row"),
            expected=f"at least {MIN_ROWS}",
        )
    if len(targets) and np.all(targets == targets[0]):
        raise TargetError(
            f"the target '{task.target}' has one value only{state}, so there is nothing to learn",
            found=described(dataset, int(rows[0])),
            expected="two or more classes" if task.kind is not TaskKind.REGRESSION else "different numbers",
        )
    if not task.is_classification:
        return
    _refuse_absent(dataset, rows, state)
    if len(rows) < MIN_ROWS_A_CLASS * len(task.classes):
        raise DataError(
            f"too few rows for {len(task.classes)} classes{state}",
            found=plural(len(rows), "row"),
            expected=f"at least {MIN_ROWS_A_CLASS * len(task.classes)}, two a class",
            hint="Is the target right? Choose another column with --target COL, or --task regression.",
        )


def described(dataset: Dataset, row: int) -> str:
    """The target of a row, as a person gave it."""
    target = dataset.targets[row]
    if dataset.task.is_classification:
        return repr(dataset.task.classes[int(target)])
    if dataset.task.kind is TaskKind.MULTILABEL:
        return repr([dataset.task.classes[k] for k in np.flatnonzero(target)])
    return str(target)


def _refuse_absent(dataset: Dataset, rows: Array, state: str) -> None:
    """Classes that official parts ask for must stand in train."""
    if dataset.parts is None:
        return
    known = np.bincount(dataset.targets[rows], minlength=len(dataset.task.classes)) > 0
    for part in ("val", "test"):
        counts = np.bincount(dataset.targets[dataset.parts == part], minlength=len(known))
        absent = [f"{dataset.task.classes[k]!r} ({plural(int(counts[k]), 'row')})"
                  for k in np.flatnonzero((counts > 0) & ~known)]  # fmt: skip
        if absent:
            raise TargetError(
                f"the {part} part has classes that the train part lacks{state}",
                found=some(absent),
                expected="every class among the training rows",
                hint=f"Add training rows of them, or take them out of {part}.",
            )


def refuse_one_input(dataset: Dataset) -> None:
    """Refuse rows that all hold the same input.

    Raises:
        DataError: They do.
    """
    if len(set(dataset.fingerprints)) == 1:
        raise DataError(
            "all inputs are alike, so there is nothing to learn from them",
            found=f"{plural(len(dataset), 'row')} with the input of {dataset.names[0]}",
            expected="different inputs",
            hint="Is the input right? Choose another column with --text COL or --image COL.",
        )


def codes_of_several(codes: Array, values: Array) -> Array:
    """Codes (N,) that go with more than one distinct value (N,)."""
    pairs = np.unique(np.stack([codes, values]), axis=1)
    found, counts = np.unique(pairs[0], return_counts=True)
    return np.asarray(found[counts > 1])


def groups_across_parts(dataset: Dataset) -> Iterator[Finding]:
    """Groups that official parts divide."""
    if dataset.groups is None or dataset.parts is None:
        return
    parts = np.unique(dataset.parts, return_inverse=True)[1]
    divided = codes_of_several(dataset.groups, parts)
    if len(divided):
        rows = np.flatnonzero(np.isin(dataset.groups, divided))
        are = verb(len(divided), "is", "are")
        message = f"{plural(len(divided), 'group')} {are} in several official parts."
        yield Finding("group_across_parts", "warning", message, _names(dataset, rows))


def empty_inputs(dataset: Dataset, empty: Array) -> Iterator[Finding]:
    """Inputs that carry no information."""
    rows = np.flatnonzero(empty)
    if len(rows):
        are = "input is" if len(rows) == 1 else "inputs are"
        message = f"{len(rows):,} {are} empty or constant; kept, since such inputs may come again."
        yield Finding("empty_input", "warning", message, _names(dataset, rows))


def rare_classes(dataset: Dataset) -> Iterator[Finding]:
    """Classes with so few training rows that no part can judge them."""
    counts = _label_counts(dataset)
    rare = np.flatnonzero(counts == 1) if counts is not None else np.zeros(0, int)
    if len(rare):
        names = [dataset.task.classes[k] for k in rare]
        have = "class has" if len(rare) == 1 else "classes have"
        message = f"{len(rare)} {have} a single training row: {some(names)}; kept in train."
        yield Finding("rare_class", "warning", message)


def absent_labels(dataset: Dataset) -> Iterator[Finding]:
    """Labels of a multi-label task, seen in official parts only."""
    counts = _label_counts(dataset)
    absent = np.flatnonzero(counts == 0) if counts is not None else np.zeros(0, int)
    if len(absent):
        names = [dataset.task.classes[k] for k in absent]
        have = "label has" if len(absent) == 1 else "labels have"
        message = f"{len(absent)} {have} no training row: {some(names)}; not to be learnt from this."
        yield Finding("absent_class", "warning", message)


def imbalance(dataset: Dataset) -> Iterator[Finding]:
    """Classes of very different size."""
    counts = _label_counts(dataset)
    if counts is None or not (counts > 0).any():
        return
    present = np.flatnonzero(counts > 0)
    most, least = present[counts[present].argmax()], present[counts[present].argmin()]
    ratio = counts[most] / counts[least]
    if ratio >= IMBALANCE:
        classes = dataset.task.classes
        option = "balanced_accuracy" if dataset.task.is_classification else "macro_f1"
        message = (
            f"Classes are unbalanced, {ratio:.0f} to 1: {classes[most]} has {counts[most]:,} rows, "
            f"{classes[least]} {counts[least]:,}; consider --metric {option}."
        )
        yield Finding("imbalance", "warning" if dataset.task.is_classification else "info", message)


def _label_counts(dataset: Dataset) -> Array | None:
    """Training rows of each class or label, (K,); None for regression."""
    targets = dataset.targets[training_rows(dataset)]
    if dataset.task.kind is TaskKind.REGRESSION:
        return None
    if dataset.task.kind is TaskKind.MULTILABEL:
        return np.asarray((targets > 0).sum(axis=0))
    return np.bincount(targets, minlength=len(dataset.task.classes))


def _names(dataset: Dataset, rows: Array) -> tuple[str, ...]:
    return tuple(dataset.names[i] for i in rows[:_ROWS])
