"""Figures of what the winner gets wrong: confusion, calibration, thresholds, residuals, scores by label."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autotl.report import words
from autotl.report.mistakes import ClassScore, Confusion, Mistakes
from autotl.report.plots.bars import bars
from autotl.report.reliability import Reliability
from autotl.report.svg import ACCENTS, DASHES, INK, LINE, PAPER, SOFT, Draw, drawing
from autotl.report.thresholds import Thresholds
from autotl.task import THRESHOLD, TaskKind

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_POINTS = 2_000
_MOST_BARS = 20
_NARROW_CONFUSION = 8
#: Panels of a figure of many, side by side.
_PANELS_ACROSS = 3


def figures(found: Mistakes | None) -> dict[str, Draw]:
    """What draws each of them that suits the kind of task."""
    if found is None:
        return {}
    drawn: dict[str, Draw] = {
        "confusion": partial(confusion, found.confusion),
        "reliability": partial(reliability, found.reliability, found.uncalibrated, found.kind),
        "thresholds": partial(thresholds, found.thresholds),
    }
    if found.kind is TaskKind.MULTILABEL:
        drawn["labels"] = partial(label_scores, found.classes)
        drawn["label-thresholds"] = partial(label_thresholds, found.label_thresholds)
    if found.targets is not None and found.values is not None:
        drawn["scatter"] = partial(scatter, found.targets, found.values)
        drawn["residuals"] = partial(residuals, found.values - found.targets)
    return drawn


def confusion(found: Confusion | None) -> str | None:
    """Confusion matrix: shade is the share of the true class's rows, the figure in a cell its count."""
    if found is None or not len(found.counts):
        return None
    names, k = [words.clip(name, 22) for name in found.names], len(found.names)
    shares = found.counts / np.maximum(found.row_totals, 1)[:, None]
    said = f"Rows are true classes, columns predicted ones; {k} classes."
    side = (1.3 + 0.38 * k) if k <= _NARROW_CONFUSION else (1.2 + 0.255 * k)
    with drawing("confusion", "Confusion matrix", said, max(side, 2.4), max(side - 0.3, 2.2)) as figure:
        axes = figure.axes
        small = 8 if k <= _NARROW_CONFUSION else 6.5
        for i, j in zip(*np.nonzero(found.counts), strict=True):
            _cell(axes, int(i), int(j), float(shares[i, j]), int(found.counts[i, j]), small)
        turn: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if k > 2 else {}
        axes.set_xticks(range(k), names, fontsize=small, **turn)
        axes.set_yticks(range(k), names, fontsize=small)
        axes.set(xlim=(-0.5, k - 0.5), ylim=(k - 0.5, -0.5), xlabel="predicted", ylabel="true")
        axes.set_aspect("equal")
        axes.tick_params(length=0)
        axes.hlines(np.arange(k + 1) - 0.5, -0.5, k - 0.5, color=LINE, linewidth=0.6)
        axes.vlines(np.arange(k + 1) - 0.5, -0.5, k - 0.5, color=LINE, linewidth=0.6)
        axes.spines[:].set_visible(False)
    return figure.svg


def _cell(axes: Axes, i: int, j: int, share: float, count: int, size: float) -> None:
    """A cell: hits in the first accent, errors in the second, deeper where more of the class is there."""
    from matplotlib.patches import Rectangle

    opacity = 0.12 + 0.88 * share
    colour = ACCENTS[0] if i == j else ACCENTS[1]
    axes.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, facecolor=colour, edgecolor="none", alpha=opacity))
    ink = PAPER if opacity > 0.6 else INK
    axes.text(j, i, f"{count}", ha="center", va="center", color=ink, fontsize=size)


def reliability(found: Reliability | None, before: Reliability | None, kind: TaskKind) -> str | None:
    """Calibration diagram: how often a prediction of a given confidence is right, also before calibration."""
    if found is None:
        return None
    several = kind is TaskKind.MULTILABEL
    given, observed = (
        ("probability", "share of labels that apply") if several else ("confidence", "share right")
    )
    said = f"Expected calibration error {found.error:.3f}. " + ", ".join(
        f"{given} {c:.2f}: {observed} {f:.2f}" for c, f in zip(found.confidence, found.frequency, strict=True)
    )
    if before is not None:
        said += f" Before calibration the error was {before.error:.3f}."
    with drawing("reliability", "Calibration", said, 3.6, 3.3) as figure:
        axes = figure.axes
        axes.plot([0, 1], [0, 1], color=SOFT, linewidth=1, linestyle=":")
        if before is not None:
            line: dict[str, Any] = {"color": ACCENTS[1], "linewidth": 1, "linestyle": "--", "marker": "D"}
            axes.plot(before.confidence, before.frequency, label="before calibration", ms=3.5, **line)
        area = 14 + 170 * found.counts / found.counts.max()
        axes.vlines(found.confidence, *_wilson(found.frequency, found.counts), color=ACCENTS[0], linewidth=1)
        dots: dict[str, Any] = {"color": ACCENTS[0], "alpha": 0.65, "linewidths": 0, "clip_on": False}
        axes.scatter(found.confidence, found.frequency, s=area, label="as delivered", **dots)
        axes.set(xlim=(0, 1.03), ylim=(0, 1.03), xlabel=given, ylabel=observed)
        axes.set_aspect("equal")
        axes.grid()
        if before is not None:
            axes.legend(loc="lower right", scatterpoints=1, markerscale=0.6)
    return figure.svg


def thresholds(found: Thresholds | None) -> str | None:
    """Precision, recall and F1 against the threshold; the best one marked."""
    if found is None:
        return None
    said = (
        f"F1 is highest, {words.score(found.best_f1)}, from a threshold of {found.best:.2f} on; "
        f"at {THRESHOLD} it is {words.score(found.usual_f1)}."
    )
    with drawing("thresholds", f"Thresholds for {found.subject}", said, 3.9, 3.2) as figure:
        _threshold_curves(figure.axes, found)
        figure.axes.set_xlabel(f"threshold for {words.clip(found.subject, 30)}")
        figure.axes.legend(loc="lower left", handlelength=2.6)
    return figure.svg


def label_thresholds(found: Sequence[Thresholds]) -> str | None:
    """The same for single labels, a small panel each."""
    if len(found) < 2:
        return None
    said = "; ".join(
        f"{one.subject}: F1 is highest, {words.score(one.best_f1)}, at {one.best:.2f}" for one in found
    )
    columns = min(len(found), _PANELS_ACROSS)
    rows = -(-len(found) // columns)
    size = (0.4 + 2.1 * columns, 0.6 + 1.75 * rows)
    with drawing("label-thresholds", "Thresholds by label", said, *size, (rows, columns)) as figure:
        for axes, one in zip(figure.panels, found, strict=False):
            _threshold_curves(axes, one)
            axes.set_title(f"{words.clip(one.subject, 22)}: {one.best:.2f}", fontsize=8)
            axes.set(xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
        for axes in figure.panels[len(found) :]:
            axes.set_visible(False)
        figure.panels[0].legend(loc="lower left", handlelength=2.2, fontsize=6.5)
        figure.figure.supxlabel("threshold", y=0.03, color=SOFT, fontsize=9)
        figure.figure.subplots_adjust(wspace=0.12, hspace=0.3)
    return figure.svg


def _threshold_curves(axes: Axes, found: Thresholds) -> None:
    curves = (("precision", found.precision), ("recall", found.recall), ("F1", found.f1))
    for (name, values), colour, dash in zip(curves, ACCENTS, DASHES, strict=False):
        axes.plot(found.thresholds, values, color=colour, linestyle=dash, label=name)
    axes.axvline(found.best, color=SOFT, linewidth=1, linestyle=":")
    axes.plot(found.best, found.best_f1, "o", color=ACCENTS[2], markersize=5)
    axes.set(xlim=(0, 1), ylim=(0, 1.03))
    axes.grid(axis="y")


def _wilson(share: NDArray[Any], n: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """95 % interval of a share of n rows (Wilson 1927)."""
    z = 1.96
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return middle - half, middle + half


def scatter(targets: NDArray[Any], values: NDArray[Any]) -> str | None:
    """Predicted against true values, at most 2,000 of them."""
    rows = np.arange(len(targets))
    if len(rows) > _MOST_POINTS:
        rows = np.sort(np.random.default_rng(0).choice(rows, _MOST_POINTS, replace=False))
    said = f"{len(rows)} of {len(targets)} test rows; the dotted line is a perfect prediction."
    with drawing("scatter", "Predicted against true values", said, 3.6, 3.3) as figure:
        axes = figure.axes
        ends = [min(targets.min(), values.min()), max(targets.max(), values.max())]
        axes.plot(ends, ends, color=SOFT, linewidth=1, linestyle=":")
        axes.plot(targets[rows], values[rows], "o", color=ACCENTS[0], markersize=3, alpha=0.4, mew=0)
        axes.set(xlabel="true", ylabel="predicted")
        axes.grid()
    return figure.svg


def residuals(found: NDArray[Any]) -> str | None:
    """Histogram of prediction minus truth."""
    said = f"Mean {words.score(float(found.mean()))}, standard deviation {words.score(float(found.std()))}."
    if not np.ptp(found) > 0:
        return None
    with drawing("residuals", "Residuals", said, 3.9, 3.2) as figure:
        figure.axes.hist(found, bins=30, color=ACCENTS[0], alpha=0.75)
        figure.axes.axvline(0, color=SOFT, linewidth=1, linestyle=":")
        figure.axes.set(xlabel="predicted minus true", ylabel="test rows")
    return figure.svg


def label_scores(found: Sequence[ClassScore]) -> str | None:
    """F1 of the labels that do worst."""
    known = sorted((c.f1, c.name) for c in found if c.f1 is not None)[:_MOST_BARS]
    return bars("labels", "F1 by label, the worst first", known, "F1", words.score)
