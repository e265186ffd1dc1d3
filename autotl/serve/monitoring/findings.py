"""What a check gives: a `Finding` a question, and the `DriftReport` of all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """The answer to one question."""

    #: Significant, and large enough to matter.
    DRIFT = "drift"
    #: Significant, yet too small to matter.
    SMALL = "small"
    #: Significant, but nothing beyond what another finding explains.
    EXPLAINED = "explained"
    #: No difference was found, which is no proof that there is none.
    NONE = "none found"
    #: Not asked; the words say why.
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Finding:
    """The answer to one question about new rows.

    Attributes:
        name: "inputs", "outliers", "classes" ("labels", "values"), or "confidence".
        status: The answer.
        words: What was found, in a sentence without a full stop.
        test: The name of the statistical test.
        statistic: Its statistic.
        p_value: Its p-value.
        corrected: The p-value corrected for the number of questions asked (Holm 1979).
        effect: Size of the difference.
        effect_name: What that size is.
        least_effect: Size from which on it matters.
        more: Further facts, ready for JSON.
    """

    name: str
    status: Status
    words: str
    test: str = ""
    statistic: float | None = None
    p_value: float | None = None
    corrected: float | None = None
    effect: float | None = None
    effect_name: str = ""
    least_effect: float | None = None
    more: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class DriftReport:
    """What is known of new rows.

    Attributes:
        rows: New rows.
        reference_rows: Held-out rows that they were compared with.
        part: What those are called.
        alpha: Chance, at most, of finding any drift where there is none.
        enough: Whether there are rows enough to say anything.
        findings: The answers; empty where there are too few rows.
        summary: The verdict in sentences.
    """

    rows: int
    reference_rows: int
    part: str
    alpha: float
    enough: bool
    findings: tuple[Finding, ...]
    summary: tuple[str, ...]

    @property
    def drifted(self) -> tuple[str, ...]:
        """Names of the findings that are drift."""
        return tuple(finding.name for finding in self.findings if finding.status is Status.DRIFT)

    @property
    def verdict(self) -> str:
        """What all findings come to: "drift", "no drift found" or "too few rows"."""
        if not self.enough:
            return "too few rows"
        return "drift" if self.drifted else "no drift found"

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {"verdict": self.verdict, "drifted": list(self.drifted), **asdict(self)}
