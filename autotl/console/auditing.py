"""`autotl audit`: looks at data and shows what was found.

Exit codes: 0 where nothing needs a look, 3 where something does. Errors are 2.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autotl.atomic import folder_at, write_texts
from autotl.console import output
from autotl.data.rows import plural

if TYPE_CHECKING:
    from rich.table import Table

    from autotl.automl.audit import Audited
    from autotl.automl.cleaned import Cleaned
    from autotl.data.dataset import Finding

TO_LOOK_AT = 3
RECORD, PAGE = "audit.json", "audit.html"
#: What lies in the nature of data, and is no fault of theirs.
_NATURE = frozenset({"imbalance", "rare_class", "absent_class", "unlabelled_part"})
_SHOWN, _STYLES = 3, {"warning": "bold yellow"}


def exit_code(audited: Audited) -> int:
    """What the verb ends with."""
    return TO_LOOK_AT if any(_is_serious(finding) for finding in audited.findings) else 0


def show(audited: Audited, cleaned: Cleaned | None, out: Path | None, *, as_json: bool) -> None:
    """Print what was found, and write it to a folder if one is named.

    Raises:
        StorageError: The folder cannot be written.
    """
    value = audited.to_json()
    if cleaned is not None:
        told = {"rows": cleaned.rows, "left_out": list(cleaned.left_out), "next": cleaned.command}
        value["cleaned"] = {"path": str(cleaned.path), **told}
    if out is not None:
        _write(out, value, audited)
    if as_json:
        output.show_json(value)
        return
    if audited.findings:
        output.show(_table(audited.findings), "")
    output.show_text(_summary(audited))
    if out is not None:
        output.show_line(f"\npage     {out / PAGE}")
    if cleaned is not None:
        _show_cleaned(cleaned)


def _is_serious(finding: Finding) -> bool:
    return finding.severity == "warning" and finding.kind not in _NATURE


def _summary(audited: Audited) -> str:
    count = sum(map(_is_serious, audited.findings))
    verdict = f"{plural(count, 'finding')} to look at" if count else "Nothing that must be looked at"
    rows = f"{len(audited.dataset):,} rows"
    return f"{verdict} in {rows}. " + " ".join(f"{note[0].upper()}{note[1:]}." for note in audited.notes)


def _table(findings: Sequence[Finding]) -> Table:
    """One row a finding, with the first rows that it names."""
    from rich.markup import escape

    table = output.plain_table("severity", "rows", "what was found")
    for finding in findings:
        lines = [finding.message]
        if finding.repaired:
            lines.append(f"Repaired: {finding.repaired}.")
        lines += [f"  {line}" for line in _first_rows(finding)]
        count = f"{len(finding.rows):,}" if finding.rows else ""
        table.add_row(
            finding.severity, count, escape("\n".join(lines)), style=_STYLES.get(finding.severity, "")
        )
    return table


def _first_rows(finding: Finding) -> list[str]:
    """The first rows of a finding, each with what is said of it; the number of the others."""
    details = finding.details or ("",) * len(finding.rows)
    pairs = list(zip(finding.rows, details, strict=True))[:_SHOWN]
    lines = [f"{name}: {detail}" if detail else name for name, detail in pairs]
    more = len(finding.rows) - len(lines)
    return [*lines, f"and {more:,} more"] if more > 0 else lines


def _show_cleaned(cleaned: Cleaned) -> None:
    output.show_line(f"\nindex    {cleaned.path} ({cleaned.rows:,} rows)")
    for reason in cleaned.left_out:
        output.show_text(f"left out {reason}")
    output.show_line(f"next     {cleaned.command}")


def _write(folder: Path, value: dict[str, Any], audited: Audited) -> None:
    from autotl.report.audited import audit_page

    files = {
        RECORD: json.dumps(value, indent=1, ensure_ascii=False) + "\n",
        PAGE: audit_page(value, _facts(audited), audited.preview()),
    }
    write_texts(folder_at(folder), files)


def _facts(audited: Audited) -> list[tuple[str, str]]:
    task = audited.dataset.task
    found = [("rows", f"{len(audited.dataset):,}"), ("task", f"{task.kind.value}, target {task.target}")]
    return [*found, *(("note", note) for note in audited.notes)]
