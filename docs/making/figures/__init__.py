"""Tables of what was measured, from `benchmarks/results`: each with date, commit and machine.

A target that was missed is shown as missed. Functions give Markdown, and take the folder of the results.
"""

from docs.making.figures.bundles import deliverable, explanations, int8, parity, serving
from docs.making.figures.cells import table
from docs.making.figures.data import audit, monitoring
from docs.making.figures.search import (
    ablations,
    beside_ten_lines,
    cache,
    foundation,
    rankings,
    schedulers,
    schedulers_for_real,
)

__all__ = [
    "ablations",
    "audit",
    "beside_ten_lines",
    "cache",
    "deliverable",
    "explanations",
    "foundation",
    "int8",
    "monitoring",
    "parity",
    "rankings",
    "schedulers",
    "schedulers_for_real",
    "serving",
    "table",
]
