"""What is found in data: faults that were planted, and drift."""

from __future__ import annotations

from pathlib import Path

from docs.making.figures.cells import MISSED, Target, table
from docs.making.figures.results import RESULTS, Line, last, lines_of, origin

#: Figures of an audit: key, words, target, and what is said where there is none.
_AUDIT = (
    ("wrong_labels", "wrong labels found", Target(0.6, "{:.0%}"), "none planted"),
    ("precision", "of its suspects wrong", Target(0.5, "{:.0%}"), "no suspects"),
    ("copies", "copies found", Target(0.9, "{:.0%}"), "none planted"),
    ("torn", "torn files found", Target(0.9, "{:.0%}"), "none planted"),
)


def audit(folder: Path = RESULTS) -> str:
    """How much of what was planted an audit finds, beside the targets, and which of them it misses."""
    found = last(lines_of("audit", folder), ("set",))
    targets = [f"{words}, {target}" for _, words, target, _ in _AUDIT]
    head = ("set", "rows", *targets, "leak named", "targets met")
    return f"{table(head, map(_audited, found))}\n\n{origin(found)}"


def _audited(line: Line) -> tuple[str, ...]:
    shares, missed = [], []
    for key, words, target, nothing in _AUDIT:
        value = line.get(key)
        if value is None:
            shares.append(nothing)
            continue
        share = target.form.format(value)
        if not target.is_met(value):
            missed.append(words)
            share = f"**{share}**"
        shares.append(share)
    leak, named = line.get("leak"), "none planted"
    if leak is not None:
        named = "yes" if leak["named"] else MISSED
        missed += [] if leak["named"] else ["leak named"]
    met = f"{MISSED}: {', '.join(missed)}" if missed else "yes"
    return line["set"], f"{line['rows']:,}", *shares, named, met


def monitoring(folder: Path = RESULTS) -> str:
    """How often drift was reported, by what was changed and how many rows came."""
    found = last(lines_of("monitoring", folder), ("set", "kind", "rows"))
    head = ("set", "what was changed", "rows", "windows", "reported as drift")
    cells = [
        (line["set"], line["kind"], str(line["rows"]), str(line["checks"]), f"{line['drift']:.0%}")
        for line in found
    ]
    return f"{table(head, cells)}\n\n{origin(found)}"
