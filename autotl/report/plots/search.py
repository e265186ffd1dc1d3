"""Figures of how the search went: best score over time, learning curves, ranks, strategies, what mattered."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from autotl.report import words
from autotl.report.expected import Expected
from autotl.report.importance import Importance
from autotl.report.plots.bars import bars
from autotl.report.strategies import StrategyRow
from autotl.report.summarize import Summary
from autotl.report.svg import ACCENTS, DASHES, LINE, SOFT, Draw, drawing
from autotl.report.timeline import Curve, Progress

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LOUD_CURVES = 6
_QUIET_CURVES = 60
_MOST_RANKS = 12
_MOST_IMPORTANT = 12
#: Share of the time from which a stage is named.
_NAMED_STAGE = 0.05


def figures(summary: Summary) -> dict[str, Draw]:
    """What draws each of them."""
    name = words.label(summary.metric)
    return {
        "progress": partial(progress, summary.progress, name),
        "curves": partial(curves, summary.curves, name, summary.winner.get("trial")),
        "strategies": partial(strategies, summary.strategies, name),
        "importance": partial(importance, summary.importance),
        "ranks": partial(ranks, summary.expected, summary.winner.get("backbone")),
    }


def progress(found: Progress | None, metric: str) -> str | None:
    """Best validation score so far against seconds, with the stages of the run behind it."""
    if found is None or found.seconds[-1] <= 0:
        return None
    first, last = found.best[0], found.best[-1]
    said = f"From {words.score(first)} to {words.score(last)} in {words.seconds(found.seconds[-1])}."
    if found.stages:
        said += " Stages: " + ", ".join(f"{s.name} {words.seconds(s.end - s.start)}" for s in found.stages)
    with drawing("progress", "Best score so far over time", said) as figure:
        axes = figure.axes
        axes.step(found.seconds, found.best, where="post", color=ACCENTS[0], linewidth=2)
        axes.plot(found.seconds[:-1], found.best[:-1], "o", color=ACCENTS[0], markersize=4)
        _stages(axes, found)
        axes.set_xlim(0, found.seconds[-1])
        axes.set(
            xlabel="seconds since the start" if found.stages else "seconds spent in trials",
            ylabel=f"best validation {metric}",
        )
        axes.grid(axis="y")
    return figure.svg


def _stages(axes: Axes, found: Progress) -> None:
    """Every other stage shaded, the longer ones named above."""
    for place, stage in enumerate(found.stages):
        if place % 2:
            axes.axvspan(stage.start, stage.end, color=LINE, alpha=0.45, linewidth=0, zorder=0)
        if stage.end - stage.start >= _NAMED_STAGE * found.seconds[-1]:
            middle = (stage.start + stage.end) / 2
            place_above: dict[str, Any] = {
                "xycoords": ("data", "axes fraction"),
                "ha": "left",
                "va": "bottom",
            }
            axes.annotate(
                stage.name, (middle, 1.01), color=SOFT, fontsize=7, rotation=35, rotation_mode="anchor",
                **place_above,
            )  # fmt: skip


def curves(found: Sequence[Curve], metric: str, winner: object) -> str | None:
    """Validation score by epoch; the best trials in colour, the others in grey behind."""
    if not found:
        return None
    loud, quiet = found[:_LOUD_CURVES], found[_LOUD_CURVES : _LOUD_CURVES + _QUIET_CURVES]
    said = "; ".join(f"{c.name}: {words.score(c.scores[0])} to {words.score(c.scores[-1])}" for c in loud)
    with drawing("curves", "Learning curves", said, height=3.0) as figure:
        axes = figure.axes
        for curve in quiet:
            axes.plot(curve.epochs, curve.scores, color=SOFT, linewidth=0.7, alpha=0.35)
        for curve, colour, dash in reversed(list(zip(loud, ACCENTS, DASHES, strict=False))):
            width = 2.6 if curve.trial == winner else 1.5
            label = f"{curve.trial}: {words.clip(curve.name, 44)}"
            axes.plot(curve.epochs, curve.scores, color=colour, linestyle=dash, linewidth=width, label=label)
        _whole_ticks(axes)
        axes.set(xlabel="epoch", ylabel=f"validation {metric}")
        axes.grid(axis="y")
        handles, labels = axes.get_legend_handles_labels()
        place = {
            "loc": "upper left",
            "bbox_to_anchor": (-0.12, -0.2),
            "borderaxespad": 0,
            "handlelength": 2.6,
        }
        axes.legend(handles[::-1], labels[::-1], **place)
    return figure.svg


def strategies(found: Sequence[StrategyRow], metric: str) -> str | None:
    """The scores of every strategy on a line of its own, the best one filled."""
    known = [row for row in found if row.scores]
    if len(known) < 2:
        return None
    said = ", ".join(f"{row.name} {words.score(row.best)} of {row.trials}" for row in known)
    with drawing("strategies", "Scores by strategy", said, height=0.6 + 0.26 * len(known)) as figure:
        axes = figure.axes
        for place, row in enumerate(known):
            colour = ACCENTS[1] if row.winner else ACCENTS[0]
            axes.plot(row.scores, [place] * len(row.scores), "|", color=colour, markersize=9, alpha=0.7)
            axes.plot(row.scores[0], place, "D" if row.winner else "o", color=colour, markersize=6)
        axes.set_yticks(range(len(known)), [words.clip(row.name, 26) for row in known], fontsize=8)
        axes.set_ylim(len(known) - 0.5, -0.5)
        axes.set_xlabel(f"validation {metric}")
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x")
    return figure.svg


def importance(found: Importance | None) -> str | None:
    """What each choice accounts for."""
    if found is None:
        return None
    known = list(zip(found.shares.tolist(), map(words.label, found.names), strict=True))[:_MOST_IMPORTANT]
    return bars("importance", "Importance of choices", known, "share of what differs", words.share)


def ranks(found: Sequence[Expected], winner: object) -> str | None:
    """Predicted rank of each backbone on the left, the one that it reached on the right."""
    both = [row for row in found if row.predicted_rank is not None and row.realised_rank is not None]
    both = sorted(both, key=lambda row: row.predicted_rank or 0)[:_MOST_RANKS]
    if len(both) < 2:
        return None
    said = ", ".join(f"{row.backbone} {row.predicted_rank} to {row.realised_rank}" for row in both)
    with drawing("ranks", "Predicted and realised rank", said, height=0.7 + 0.3 * len(both)) as figure:
        axes = figure.axes
        left = np.argsort(np.argsort([row.predicted_rank or 0 for row in both], kind="stable"))
        right = np.argsort(np.argsort([row.realised_rank or 0 for row in both], kind="stable"))
        for row, start, end in zip(both, left.tolist(), right.tolist(), strict=True):
            won = row.backbone == winner
            line: dict[str, Any] = {
                "color": ACCENTS[1] if won else ACCENTS[0],
                "linewidth": 2.6 if won else 1.4,
            }
            axes.plot([0, 1], [start, end], marker="o", **line)
            name = words.clip(row.backbone, 26)
            axes.annotate(f"{row.predicted_rank}  {name}", (-0.04, start), ha="right", va="center")
            axes.annotate(f"{row.realised_rank}", (1.04, end), ha="left", va="center")
        axes.set(xlim=(-0.9, 1.25), ylim=(len(both) - 0.5, -0.5))
        axes.set_xticks([0, 1], ["predicted", "realised"])
        axes.set_yticks([])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    return figure.svg


def _whole_ticks(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
