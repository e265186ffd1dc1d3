"""Rows that repeat others, exactly or nearly: findings that say which belong together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autotl.data.checks import codes_of_several, described
from autotl.data.components import rows_by_code
from autotl.data.dataset import Dataset, Finding
from autotl.data.rows import plural, verb
from autotl.task import TaskKind

Array = NDArray[Any]
_ROWS = 1000


class JudgedPart(NamedTuple):
    """An official part, and the parts that judge what is fitted on it.

    Attributes:
        rows: (N,) bool, its rows.
        judges: (N,) bool, those of the others.
        name, adjective: What it is called, and its rows.
        judged_by: What the others are called.
    """

    rows: Array
    judges: Array
    name: str
    adjective: str
    judged_by: str


def judged_parts(parts: Array) -> tuple[JudgedPart, JudgedPart]:
    """Training, which validation and test judge, and validation, which test judges.

    Args:
        parts: (N,) official parts.
    """
    val, test = parts == "val", parts == "test"
    return (
        JudgedPart(~val & ~test, val | test, "train", "training", "validation or test"),
        JudgedPart(val, test, "validation", "validation", "test"),
    )


def conflicting_labels(dataset: Dataset) -> Iterator[Finding]:
    """Equal inputs with different targets."""
    prints = np.unique(np.asarray(dataset.fingerprints), return_inverse=True)[1]
    first = np.unique(prints, return_index=True)[1]
    differs = dataset.targets != dataset.targets[first[prints]]
    if differs.ndim == 2:
        differs = differs.any(axis=1)
    codes = np.unique(prints[differs])
    if len(codes):
        groups = groups_of(prints, np.flatnonzero(np.isin(prints, codes)))
        rows = np.concatenate(groups)
        severity = "info" if dataset.task.kind is TaskKind.REGRESSION else "warning"
        message = (
            f"{plural(len(codes), 'input')} {verb(len(codes), 'has', 'have')} "
            f"different targets in different rows ({plural(len(rows), 'row')} in all)."
        )
        said = [f"labelled {described(dataset, row)}" for row in rows[:_ROWS].tolist()]
        together = _names_together(dataset, groups)
        yield _finding("conflicting_labels", severity, message, dataset, rows, said, groups=together)


def exact_duplicates(dataset: Dataset) -> Iterator[Finding]:
    """Inputs that stand in several rows."""
    prints, counts = np.unique(np.asarray(dataset.fingerprints), return_inverse=True, return_counts=True)[1:]
    rows = np.flatnonzero(counts[prints] > 1)
    if len(rows):
        copies = len(rows) - int((counts > 1).sum())
        message = f"{plural(copies, 'row')} {verb(copies, 'repeats', 'repeat')} the input of another row."
        yield _copies("duplicate", message, dataset, groups_of(prints, rows))


def near_duplicates(dataset: Dataset) -> Iterator[Finding]:
    """Inputs that are nearly equal, across official parts and elsewhere."""
    if dataset.clusters is None:
        return
    prints = np.unique(np.asarray(dataset.fingerprints), return_inverse=True)[1]
    several = codes_of_several(dataset.clusters, prints)
    rows = np.flatnonzero(np.isin(dataset.clusters, several))
    if not len(rows):
        return
    message = f"{plural(len(several), 'set')} of near duplicates ({plural(len(rows), 'row')} in all)."
    yield _copies("near_duplicate", message, dataset, groups_of(dataset.clusters, rows))
    if dataset.parts is None:
        return
    for part in judged_parts(dataset.parts):
        judged = several[np.isin(several, dataset.clusters[part.judges])]
        leaking = rows[part.rows[rows] & np.isin(dataset.clusters[rows], judged)]
        if len(leaking):
            nearly = "row nearly repeats" if len(leaking) == 1 else "rows nearly repeat"
            message = (
                f"{len(leaking):,} {part.adjective} {nearly} an input of the {part.judged_by} part; "
                "scores on these parts may be too good."
            )
            alike = first_alike(dataset.clusters, leaking, np.flatnonzero(part.judges))
            yield repeated_rows("near_duplicate_across_parts", message, dataset, leaking, alike)


def groups_of(codes: Array, rows: Array) -> list[Array]:
    """Rows of one code together, each group ascending, the groups in the order of their first rows.

    Args:
        codes: (N,) of all rows.
        rows: Those to group, at least one, ascending.
    """
    return sorted((rows[group] for group in rows_by_code(codes[rows])), key=lambda group: int(group[0]))


def first_alike(codes: Array, rows: Array, others: Array) -> Array:
    """(n,) the first of the other rows that has the code of each of n rows; there is one for each."""
    known, first = np.unique(codes[others], return_index=True)
    return np.asarray(others[first[np.searchsorted(known, codes[rows])]])


def repeated_rows(
    kind: str, message: str, dataset: Dataset, rows: Array, others: Array, repaired: str | None = None
) -> Finding:
    """A finding on rows that repeat, or nearly, rows of parts that judge them.

    Args:
        kind: Of the finding.
        message: Its sentence.
        dataset: Where the rows are; it has parts.
        rows: (n,) rows that repeat.
        others: (n,) what each repeats.
        repaired: What was done about them.
    """
    assert dataset.parts is not None
    names, pairs = dataset.names, list(zip(rows.tolist(), others.tolist(), strict=True))[:_ROWS]
    said = [f"like {names[other]} of {dataset.parts[other]}" for _, other in pairs]
    together = tuple((names[row], names[other]) for row, other in pairs[: _ROWS // 2])
    return _finding(kind, "warning", message, dataset, rows, said, repaired, together)


def _copies(kind: str, message: str, dataset: Dataset, groups: Sequence[Array]) -> Finding:
    """A finding on rows that are copies of one another."""
    rows, together = np.concatenate(groups), _names_together(dataset, groups)
    said = [
        f"like {dataset.names[group[0]]}" if place else f"has {plural(len(group) - 1, 'copy', 'copies')}"
        for group in groups
        for place in range(len(group))
    ]
    return _finding(kind, "info", message, dataset, rows, said, _together(dataset), together)


def _finding(
    kind: str,
    severity: str,
    message: str,
    dataset: Dataset,
    rows: Array,
    said: Sequence[str],
    repaired: str | None = None,
    groups: tuple[tuple[str, ...], ...] = (),
) -> Finding:
    names = tuple(dataset.names[row] for row in rows[:_ROWS].tolist())
    return Finding(kind, severity, message, names, repaired, tuple(said[: len(names)]), groups)


def _names_together(dataset: Dataset, groups: Sequence[Array]) -> tuple[tuple[str, ...], ...]:
    """Names of the rows of each group, whole groups as far as they go."""
    ends = np.cumsum([len(group) for group in groups])
    return tuple(
        tuple(dataset.names[row] for row in group[:_ROWS])
        for group, end in zip(groups, ends.tolist(), strict=True)
        if end <= _ROWS or end == ends[0]
    )


def _together(dataset: Dataset) -> str | None:
    """What is done about duplicates: splits that are drawn keep them together."""
    drawn = dataset.parts is None or not {"val", "test"} <= set(dataset.parts)
    return "kept together when parts are drawn" if drawn else None
