"""Which rows of findings a page shows as pictures or texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from autotl.report.recorded import mapping, sequence, text


def previewed_rows(findings: Iterable[Mapping[str, Any]], *, each: int, most: int) -> list[str]:
    """Names of the rows that a page shows, each once: the first ones of each finding.

    Args:
        findings: As a run records them; keys may be missing or malformed.
        each: Rows of a finding that are shown.
        most: Rows of all findings together.
    """
    named = (
        text(name) for finding in map(mapping, findings) for name in sequence(finding.get("rows"))[:each]
    )
    return list(dict.fromkeys(named))[:most]
