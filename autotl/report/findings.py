"""Findings as a page shows them: which rows belong together, what is said of each, which are pictured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from autotl.report.recorded import mapping, sequence, text

#: Rows of a group, groups and lone rows of a finding that a page names.
_MEMBERS, _GROUPS, _ROWS = 6, 24, 50


@dataclass(frozen=True)
class NamedRow:
    """A row of a finding, and what is said of it, "" for nothing."""

    name: str
    said: str


@dataclass(frozen=True)
class Group:
    """Rows that belong together, the first few; `left_out` others are not named."""

    rows: tuple[NamedRow, ...]
    left_out: int


@dataclass(frozen=True)
class ShownFinding:
    """A finding.

    Attributes:
        kind, severity, message, repaired: As recorded, "" for nothing.
        count: Rows that it names.
        groups: Where rows belong together, the first of them.
        groups_left_out: Groups that are not shown.
        rows: Where they do not, the first of them.
    """

    kind: str
    severity: str
    message: str
    repaired: str
    count: int
    groups: tuple[Group, ...]
    groups_left_out: int
    rows: tuple[NamedRow, ...]


def shown_findings(findings: Iterable[Mapping[str, Any]]) -> list[ShownFinding]:
    """Findings as a run or an audit records them; keys may be missing or malformed."""
    return [_shown(finding) for finding in map(mapping, findings) if finding]


def pictured(findings: Iterable[ShownFinding], *, each: int, most: int) -> list[str]:
    """Names of the rows that are shown as pictures or texts, each once: the first ones of each finding.

    Args:
        findings: As a page shows them.
        each: Rows of a finding, or as many more as the first group has.
        most: Rows of all findings together.
    """
    named = (name for finding in findings for name in _first(finding, each))
    return list(islice(dict.fromkeys(named), most))


def _first(finding: ShownFinding, each: int) -> Iterator[str]:
    """The first rows of a finding; of groups only whole ones, as far as they are named."""
    yield from (row.name for row in finding.rows[:each])
    count = 0
    for group in finding.groups:
        count += len(group.rows)
        if count > each and group is not finding.groups[0]:
            return
        yield from (row.name for row in group.rows)


def _shown(finding: Mapping[str, Any]) -> ShownFinding:
    names = [text(name) for name in sequence(finding.get("rows"))]
    details = [text(said) for said in sequence(finding.get("details"))]
    said = dict(zip(names, details, strict=True)) if len(details) == len(names) else {}
    groups = [list(map(text, group)) for group in map(sequence, sequence(finding.get("groups"))) if group]
    lone = () if groups else tuple(NamedRow(name, said.get(name, "")) for name in names[:_ROWS])
    return ShownFinding(
        kind=text(finding.get("kind")),
        severity=text(finding.get("severity")) or "info",
        message=text(finding.get("message")),
        repaired=text(finding.get("repaired")),
        count=len(names),
        groups=tuple(_group(group, said) for group in groups[:_GROUPS]),
        groups_left_out=max(len(groups) - _GROUPS, 0),
        rows=lone,
    )


def _group(names: Sequence[str], said: Mapping[str, str]) -> Group:
    rows = tuple(NamedRow(name, said.get(name, "")) for name in names[:_MEMBERS])
    return Group(rows, max(len(names) - _MEMBERS, 0))
