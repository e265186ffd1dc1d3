"""What was found, as `Finding`s: a sentence with counts, the rows, and a phrase for each of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate

from autotl.audit.copies import Copies
from autotl.audit.labels import Suspect
from autotl.audit.leaks.leak import Leak
from autotl.audit.outliers import Outlier
from autotl.audit.rows import Found, Rows
from autotl.data.components import rows_by_code
from autotl.data.dataset import Finding
from autotl.data.rows import plural, some, verb
from autotl.task import TaskKind

#: Share of the rows from which on suspects and copies should be looked at.
WORTH_A_LOOK = 0.01
_MOST_ROWS, _LEAK_ROWS = 1000, 24
SUSPECT, OUTLIER, COPY, COPY_ACROSS = "suspect_label", "outlier", "copy", "copy_across_parts"
#: Parts that judge others, the stricter the higher.
_JUDGES = {"val": 1, "test": 2}
_ROW = tuple[int, str]


def findings(rows: Rows, found: Found) -> tuple[Finding, ...]:
    """Findings on rows that were looked at, those that matter most first.

    Args:
        rows: The rows.
        found: What `look` found there.
    """
    listed = [*_leaks(rows, found.leaks)]
    if found.copies is not None:
        listed += copy_findings(rows, found.copies)
    listed += [*_suspects(rows, found.suspects), *_outliers(rows, found.outliers)]
    return tuple(sorted(listed, key=lambda finding: finding.severity != "warning"))


def _finding(
    kind: str,
    severity: str,
    message: str,
    rows: Rows,
    phrases: Sequence[_ROW],
    groups: Sequence[Sequence[int]] = (),
) -> Finding:
    shown = phrases[:_MOST_ROWS]
    names = tuple(rows.names[row] for row, _ in shown)
    ends = accumulate(map(len, groups))
    named = tuple(
        tuple(rows.names[row] for row in group)
        for group, end in zip(groups, ends, strict=True)
        if end <= _MOST_ROWS
    )
    return Finding(kind, severity, message, names, None, tuple(phrase for _, phrase in shown), named)


def _severity(count: int, rows: Rows) -> str:
    return "warning" if count >= WORTH_A_LOOK * len(rows) else "info"


def _suspects(rows: Rows, suspects: Sequence[Suspect]) -> Iterator[Finding]:
    if not suspects:
        return
    phrases = [(suspect.row, _doubt(rows, suspect)) for suspect in suspects]
    count = len({row for row, _ in phrases})
    message = (
        f"{plural(count, 'label')} of {len(rows):,} {verb(count, 'seems', 'seem')} wrong, the surest first."
    )
    yield _finding(SUSPECT, _severity(count, rows), message, rows, phrases)


def _doubt(rows: Rows, suspect: Suspect) -> str:
    """What is doubted of a row: "labelled cat, looks like dog (0.97)"."""
    task, target = rows.task, rows.targets[suspect.row]
    if task.kind is TaskKind.REGRESSION:
        times = f"off by {suspect.sureness:.1f} times the usual error"
        return f"given as {float(target):.4g}, looks like {suspect.value:.4g} ({times})"
    label = task.classes[suspect.column]
    if task.kind is TaskKind.MULTILABEL:
        what = (
            "labelled {}, does not look like it"
            if target[suspect.column] > 0
            else "not labelled {}, looks like it"
        )
        return f"{what.format(label)} ({suspect.sureness:.2f})"
    return f"labelled {task.classes[int(target)]}, looks like {label} ({suspect.sureness:.2f})"


def _outliers(rows: Rows, outliers: Sequence[Outlier]) -> Iterator[Finding]:
    if not outliers:
        return
    phrases = []
    for outlier in outliers:
        whom = "its neighbours"
        if outlier.in_class:
            whom = f"the nearest of {rows.task.classes[int(rows.targets[outlier.row])]}"
        phrases.append((outlier.row, f"{outlier.times:.1f} times as far from {whom} as usual"))
    count = f"{plural(len(phrases), 'row')} of {len(rows):,}"
    message = f"{count} {verb(len(phrases), 'lies', 'lie')} far from all others."
    yield _finding(OUTLIER, "info", message, rows, phrases)


def copy_findings(rows: Rows, copies: Copies) -> Iterator[Finding]:
    """Copies that stand in different parts, then groups of copies anywhere.

    Args:
        rows: Their names and parts are what is needed of them.
        copies: Of these rows.
    """
    across = _across(rows, copies)
    if across:
        are = verb(len(across), "row is a changed copy", "rows are changed copies")
        message = f"{len(across):,} {are} of rows in another part; scores may be too good."
        said = [(row, f"like {rows.names[o]} of {rows.parts[o]}{like}") for row, o, like in across]
        pairs = [(row, other) for row, other, _ in across]
        yield _finding(COPY_ACROSS, "warning", message, rows, said, pairs)
    groups = sorted((g.tolist() for g in rows_by_code(copies.groups) if len(g) > 1), key=len, reverse=True)
    phrases = [(row, _place(rows, group, i)) for group in groups for i, row in enumerate(group)]
    if phrases:
        extent = f"{plural(len(phrases), 'row')} of {len(rows):,}, up to {len(groups[0])} a group"
        message = f"{plural(len(groups), 'group')} of changed copies ({extent})."
        yield _finding(COPY, _severity(len(phrases), rows), message, rows, phrases, groups)


def _across(rows: Rows, copies: Copies) -> list[tuple[int, int, str]]:
    """Rows with a copy in a part that judges theirs, that copy, and how alike they are, where that is known.

    Test judges validation, and both judge training; each row comes once.
    """
    rank = [_JUDGES.get(part, 0) for part in rows.parts.tolist()]
    found: dict[int, tuple[int, int, str]] = {}
    for pair, like in zip(copies.pairs.tolist(), copies.likeness.tolist(), strict=True):
        row, other = sorted(pair, key=lambda one: rank[one])
        if rank[row] < rank[other]:
            found.setdefault(row, (row, other, f" ({like:.2f})"))
    for group in rows_by_code(copies.groups):
        judge = max(group.tolist(), key=lambda one: rank[one])
        for row in group[[rank[one] < rank[judge] for one in group.tolist()]].tolist():
            found.setdefault(row, (row, judge, ""))
    return list(found.values())


def _place(rows: Rows, group: Sequence[int], place: int) -> str:
    """What is said of a row of a group of copies."""
    if place:
        return f"like {rows.names[group[0]]}"
    return f"has {plural(len(group) - 1, 'copy', 'copies')}"


def _leaks(rows: Rows, leaks: Sequence[Leak]) -> Iterator[Finding]:
    """One finding for each thing that leaks, with the classes that it tells."""
    by_what: dict[tuple[str, str], list[Leak]] = {}
    for leak in leaks:
        same = by_what.setdefault((leak.kind, leak.what), [])
        if not same or rows.task.kind is not TaskKind.BINARY:  # what tells one of two classes tells the other
            same.append(leak)
    for (kind, what), same in by_what.items():
        classes = some([f"'{rows.task.classes[leak.column]}'" for leak in same])
        noun = _noun(rows.task.kind, len(same))
        begin = f"{what[0].upper()}{what[1:]} tells {noun} {classes} from others"
        message = f"{begin} ({same[0].measure}); {same[0].remedy}."
        shown = [
            (int(row), f"of {rows.task.classes[leak.column]}")
            for leak in same
            for row in leak.rows[:_LEAK_ROWS]
        ]
        yield _finding(f"leak_{kind}", "warning", message, rows, shown)


def _noun(kind: TaskKind, count: int) -> str:
    if kind is TaskKind.MULTILABEL:
        return verb(count, "label", "labels")
    return verb(count, "class", "classes")
