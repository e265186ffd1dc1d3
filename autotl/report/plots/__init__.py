"""The figures of a report, as inline SVG by name: a module for each thing that they are about."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from html import escape

from autotl.report.plots import data, errors, outcome, pareto, search
from autotl.report.recorded import plain
from autotl.report.summarize import Summary
from autotl.report.svg import Draw, check_drawable
from autotl.search.local import guarded

logger = logging.getLogger(__name__)


def figures(summary: Summary) -> dict[str, str]:
    """Every figure that the summary has data for, as SVG by name; a line in place of one that fails.

    Raises:
        ImportError: Matplotlib is not installed.
    """
    check_drawable()
    drawn = {name: _drawn(name, draw) for name, draw in charts(summary).items()}
    return {name: markup for name, markup in drawn.items() if markup}


def charts(summary: Summary) -> Mapping[str, Draw]:
    """What draws each figure that suits the kind of task, by name."""
    return {
        **outcome.figures(summary),
        **pareto.figures(summary),
        **search.figures(summary),
        **errors.figures(summary.mistakes),
        **data.figures(summary),
    }


def _drawn(name: str, draw: Draw) -> str | None:
    """A figure; one that fails costs no other."""
    error, markup = guarded(draw)
    if error is None:
        return markup
    logger.warning("the figure %s could not be drawn: %s", name, error)
    return f'<p class="missing">This figure could not be drawn: {escape(plain(error))}</p>'
