"""The figures of a report: one function a figure, from the plain data of a `Summary` to inline SVG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autotl.report import words
from autotl.report.mistakes import ClassScore, Confusion, Reliability
from autotl.report.recorded import number, plain
from autotl.report.summarize import Curve, Outcome, Progress, Summary
from autotl.report.svg import ACCENTS, DASHES, INK, LINE, PAPER, SOFT, drawing
from autotl.task import TaskKind

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_POINTS = 2_000
_MOST_BARS = 20
_LOUD_CURVES = 6
_QUIET_CURVES = 60
_NARROW_CONFUSION = 8


def figures(summary: Summary) -> dict[str, str]:
    """Every figure that the summary has data for, as SVG by name."""
    name, found = words.label(summary.metric), summary.mistakes
    drawn: dict[str, str | None] = {
        "outcome": outcome(summary.outcome),
        "curves": curves(summary.curves, name, summary.winner.get("trial")),
        "progress": progress(summary.progress, name),
        "balance": balance(summary),
    }
    if found is not None:
        drawn["confusion"] = confusion(found.confusion)
        drawn["reliability"] = reliability(found.reliability, found.kind)
        if found.kind is TaskKind.MULTILABEL:
            drawn["labels"] = label_scores(found.classes)
        if found.targets is not None and found.values is not None:
            drawn["scatter"] = scatter(found.targets, found.values)
            drawn["residuals"] = residuals(found.values - found.targets)
    return {key: svg for key, svg in drawn.items() if svg}


def outcome(result: Outcome) -> str | None:
    """The winner's test score with its interval beside the baselines."""
    rows = [
        ("ignoring the input", result.trivial),
        ("from scratch", result.from_scratch),
        ("winner", result.score),
    ]
    known = [(name, value) for name, value in rows if value is not None]
    if result.score is None or len(known) < 2:
        return None
    said = ", ".join(f"{name} {words.score(value)}" for name, value in known)
    title = f"Test {words.label(result.metric)} of the winner and the baselines"
    with drawing("outcome", title, said, height=0.5 + 0.34 * len(known)) as figure:
        axes = figure.axes
        for y, (name, value) in enumerate(known):
            won = name == "winner"
            if won and result.low is not None and result.high is not None:
                axes.plot([result.low, result.high], [y, y], color=ACCENTS[0], linewidth=3.5, alpha=0.45)
            axes.plot(value, y, "o" if won else "D", color=ACCENTS[0] if won else SOFT, ms=7 if won else 5)
            axes.annotate(words.score(value), (1.02, y), xycoords=("axes fraction", "data"), va="center")
        axes.set_yticks(range(len(known)), [name for name, _ in known])
        axes.set_ylim(-0.6, len(known) - 0.4)
        axes.margins(x=0.08)
        axes.set_xlabel(_direction(result.metric, result.greater_is_better))
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")
    return figure.svg


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


def progress(found: Progress | None, metric: str) -> str | None:
    """Best validation score so far against seconds."""
    if found is None or found.seconds[-1] <= 0:
        return None
    first, last = found.best[0], found.best[-1]
    said = f"From {words.score(first)} to {words.score(last)} in {words.seconds(found.seconds[-1])}."
    with drawing("progress", "Best score so far over time", said) as figure:
        axes = figure.axes
        axes.step(found.seconds, found.best, where="post", color=ACCENTS[0], linewidth=2)
        axes.plot(found.seconds[:-1], found.best[:-1], "o", color=ACCENTS[0], markersize=4)
        axes.set_xlim(0, None)
        axes.set(xlabel="seconds spent in trials", ylabel=f"best validation {metric}")
        axes.grid(axis="y")
    return figure.svg


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


def reliability(found: Reliability | None, kind: TaskKind) -> str | None:
    """Calibration diagram: how often a prediction of a given confidence is right."""
    if found is None:
        return None
    several = kind is TaskKind.MULTILABEL
    given, observed = (
        ("probability", "share of labels that apply") if several else ("confidence", "share right")
    )
    said = f"Expected calibration error {found.error:.3f}. " + ", ".join(
        f"{given} {c:.2f}: {observed} {f:.2f}" for c, f in zip(found.confidence, found.frequency, strict=True)
    )
    with drawing("reliability", "Calibration", said, 3.6, 3.3) as figure:
        axes = figure.axes
        axes.plot([0, 1], [0, 1], color=SOFT, linewidth=1, linestyle=":", label="perfect")
        area = 14 + 170 * found.counts / found.counts.max()
        axes.vlines(found.confidence, *_wilson(found.frequency, found.counts), color=ACCENTS[0], linewidth=1)
        axes.scatter(
            found.confidence,
            found.frequency,
            s=area,
            color=ACCENTS[0],
            alpha=0.65,
            linewidths=0,
            clip_on=False,
        )
        axes.set(xlim=(0, 1.03), ylim=(0, 1.03), xlabel=given, ylabel=observed)
        axes.set_aspect("equal")
        axes.grid()
    return figure.svg


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
    return _bars("labels", "F1 by label, the worst first", known, "F1", words.score)


def balance(summary: Summary) -> str | None:
    """Training rows by class; the largest and the smallest where there are many."""
    counts = summary.profile.get("class_counts")
    items = counts.items() if isinstance(counts, dict) else ()
    known = sorted(((n, plain(k)) for k, v in items if (n := number(v)) is not None), reverse=True)
    if len(known) > _MOST_BARS:
        known = known[: _MOST_BARS // 2] + known[-_MOST_BARS // 2 :]
    return _bars("balance", "Training rows by class", known, "training rows", words.count)


def _bars(name: str, title: str, known: Sequence[tuple[float, str]], axis: str, say: Any) -> str | None:
    """Horizontal bars, the first at the top."""
    if not known:
        return None
    said = ", ".join(f"{label} {say(value)}" for value, label in known)
    with drawing(name, title, said, height=0.6 + 0.2 * len(known)) as figure:
        axes, places = figure.axes, range(len(known))
        axes.barh(places, [value for value, _ in known], color=ACCENTS[0], alpha=0.8, height=0.7)
        for place, (value, _) in zip(places, known, strict=True):
            axes.annotate(
                say(value), (value, place), (3, 0), textcoords="offset points", va="center", fontsize=8
            )
        axes.set_yticks(places, [words.clip(label, 26) for _, label in known], fontsize=8)
        axes.set_ylim(len(known) - 0.4, -0.6)
        axes.margins(x=0.1)
        axes.set_xlabel(axis)
        axes.tick_params(axis="y", length=0)
    return figure.svg


def _whole_ticks(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _direction(metric: str, greater_is_better: bool) -> str:
    return f"test {words.label(metric)} ({'higher' if greater_is_better else 'lower'} is better)"
