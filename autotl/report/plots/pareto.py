"""Figures of what a better score costs: each trial's score against latency, size and training time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from autotl.report import words
from autotl.report.ranking import Row
from autotl.report.summarize import Summary
from autotl.report.svg import ACCENTS, SOFT, Draw, drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Trials beyond this ratio from the least cost are told apart on a logarithmic axis only.
_WIDE = 8.0
#: From this ratio on, only powers of ten are marked on it.
_DECADES = 60.0
#: Points of the front that are named.
_NAMED = 6


def figures(summary: Summary) -> dict[str, Draw]:
    """What draws each of them."""
    costs: tuple[tuple[str, str, Callable[[Row], float | None]], ...] = (
        ("pareto-latency", "latency in ms", lambda row: row.latency_ms),
        ("pareto-size", "size in MB", lambda row: None if row.size_bytes is None else row.size_bytes / 1e6),
        ("pareto-time", "training time in s", lambda row: row.seconds),
    )
    metric, greater = words.label(summary.metric), summary.greater_is_better
    return {
        name: partial(pareto, name, [(cost(row), row) for row in summary.rows], axis, metric, greater)
        for name, axis, cost in costs
    }


def pareto(
    name: str, costs: Sequence[tuple[float | None, Row]], axis: str, metric: str, greater: bool
) -> str | None:
    """Score against one cost; the line joins the trials that none is better than in both."""
    known = [(cost, row.score, row) for cost, row in costs if cost is not None and row.score is not None]
    if len({cost for cost, _, _ in known}) < 2:
        return None
    front = best_at_cost([(cost, score) for cost, score, _ in known], greater)
    shown = [known[i] for i in front]
    said = "None is better in both: " + "; ".join(
        f"trial {row.trial}, {words.score(score)} at {words.score(cost)}" for cost, score, row in shown
    )
    with drawing(name, f"Score against {axis}", said, 3.6, 2.9) as figure:
        axes = figure.axes
        axes.plot([c for c, _, _ in known], [s for _, s, _ in known], "o", color=SOFT, ms=4, alpha=0.55)
        axes.step([c for c, _, _ in shown], [s for _, s, _ in shown], where="post", color=ACCENTS[0])
        axes.plot([c for c, _, _ in shown], [s for _, s, _ in shown], "o", color=ACCENTS[0], ms=5)
        for cost, score, _ in [point for point in known if point[2].winner]:
            axes.plot(cost, score, "D", color=ACCENTS[1], markersize=7)
        for cost, score, row in shown[-_NAMED:]:
            axes.annotate(f"{row.trial}", (cost, score), (4, -9), textcoords="offset points", fontsize=7.5)
        least, most = min(c for c, _, _ in known), max(c for c, _, _ in known)
        if least > 0 and most / least > _WIDE:
            axes.set_xscale("log")
            _plain_ticks(axes, most / least)
        else:
            axes.locator_params(axis="x", nbins=4)
            axes.ticklabel_format(axis="x", useOffset=False)
        axes.set(xlabel=axis, ylabel=f"validation {metric}")
        axes.grid()
    return figure.svg


def best_at_cost(points: Sequence[tuple[float, float]], greater: bool) -> list[int]:
    """Indices of the points (cost, score) that no other one is as good as at a lower cost, by cost."""
    sign = 1 if greater else -1
    order = sorted(range(len(points)), key=lambda i: (points[i][0], -sign * points[i][1]))
    front: list[int] = []
    for i in order:
        if not front or sign * points[i][1] > sign * points[front[-1]][1]:
            front.append(i)
    return front


def _plain_ticks(axes: Axes, ratio: float) -> None:
    """Numbers as people write them on a logarithmic axis that spans such a ratio, few of them."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    steps = (1.0, 2.0, 5.0) if ratio < _DECADES else (1.0,)
    axes.xaxis.set_major_locator(LogLocator(subs=steps))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
