"""The verdict of a check in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.serve.monitoring.findings import Finding, Status
from autotl.serve.monitoring.reference import GIVEN, Reference

Array = NDArray[Any]

#: What may be all that changed the inputs.
CAUSES = {"outliers": "the outliers", "classes": "the shares of classes"}
_DRIFTS = {
    "inputs": "the inputs look unlike the held-out rows",
    "outliers": "more inputs lie far from all that the model was measured on",
    "classes": "other classes are predicted than before",
    "labels": "other labels are given than before",
    "values": "other values are predicted than before",
    "confidence": "the model is less sure than it was",
}
_NAMED = 3


def origin(part: str) -> str:
    """Which held-out rows: "of the test part", or those that were named."""
    return "given with --reference" if part == GIVEN else f"of the {part} part"


def too_few(rows: int, reference: Reference, fewest: int) -> tuple[str, ...]:
    """What to say of fewer rows than `fewest`, here or in the reference."""
    if rows < fewest:
        return (f"Too few rows to tell: {rows:,} given, at least {fewest} needed.",)
    return (
        f"Too few rows to compare with: the bundle describes {reference.count:,} held-out rows, at least "
        f"{fewest} are needed. Name more that the model was not fitted on: --reference HELD_OUT.",
    )


def summary(findings: Sequence[Finding], rows: int, reference_rows: int) -> tuple[str, ...]:
    """The verdict of a check of rows enough."""
    drifts = [finding for finding in findings if finding.status is Status.DRIFT]
    if not drifts:
        return (_nothing(findings, rows, reference_rows),)
    said = [f"Drift: {'; '.join(_DRIFTS[finding.name] for finding in drifts)}."]
    names = {finding.name for finding in drifts}
    for finding in drifts:
        if finding.name == "classes":
            said.append(_classes(finding, "inputs" in names))
    said.append("To see what it costs, label some of these rows: autotl evaluate BUNDLE DATA.")
    return tuple(said)


def _nothing(findings: Sequence[Finding], rows: int, reference_rows: int) -> str:
    small = [finding.name for finding in findings if finding.status is Status.SMALL]
    said = f"No drift that matters was found in {rows:,} rows"
    if small:
        said += f"; {' and '.join(small)} differ, but by little"
    return (
        f"{said}. That is no proof that there is none: smaller changes go unseen, the more so the fewer rows "
        f"there are to compare ({reference_rows:,} held out)."
    )


def _classes(finding: Finding, inputs_drifted: bool) -> str:
    """Which classes gained and lost, and what that may mean."""
    facts = finding.more or {}
    before, now = facts["reference_shares"], facts["shares"]
    order = sorted(now, key=lambda name: -abs(now[name] - before[name]))[:_NAMED]
    said = (
        "Predicted: " + ", ".join(f"{name} {now[name]:.0%} (was {before[name]:.0%})" for name in order) + "."
    )
    estimate = facts.get("estimated_true_shares")
    if inputs_drifted:
        return f"{said} As the inputs changed too, these may be errors of the model."
    if estimate:
        named = ", ".join(f"{name} {estimate[name]:.0%}" for name in order)
        return f"{said} Allowing for its known errors, the true shares are about: {named}."
    return said


def largest_change(classes: Sequence[str], shares: Array, before: Array) -> str:
    """The class or label whose share changed most."""
    most = int(np.argmax(np.abs(shares - before)))
    return f"{classes[most]} on {shares[most]:.0%} of rows, was {before[most]:.0%}"


def figure(value: float) -> str:
    """A number in four digits."""
    return f"{value:.4g}"
