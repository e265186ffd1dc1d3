"""Which rows of findings a page shows as pictures or texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from autotl.report.recorded import mapping, sequence, text

#: Rows of a finding that are shown, and of all findings together.
SHOWN, _MOST_SHOWN = 24, 240


def previewed_rows(findings: Iterable[Mapping[str, Any]]) -> list[str]:
    """Names of the rows that a page shows, each once: the first ones of findings that say something of rows.

    Args:
        findings: As a run records them; keys may be missing or malformed.
    """
    named = (
        text(name)
        for finding in map(mapping, findings)
        if sequence(finding.get("details"))
        for name in sequence(finding.get("rows"))[:SHOWN]
    )
    return list(dict.fromkeys(named))[:_MOST_SHOWN]
