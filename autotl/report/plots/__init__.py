"""The figures of a report, as inline SVG by name: a module for each thing that they are about."""

from __future__ import annotations

from autotl.report.plots import data, errors, outcome, pareto, search
from autotl.report.summarize import Summary


def figures(summary: Summary) -> dict[str, str]:
    """Every figure that the summary has data for, as SVG by name."""
    drawn: dict[str, str | None] = {
        "outcome": outcome.outcome(summary.outcome),
        **pareto.figures(summary),
        **search.figures(summary),
        **errors.figures(summary.mistakes),
        **data.figures(summary),
    }
    return {name: svg for name, svg in drawn.items() if svg}
