"""Figures of the data: rows by class, and the map of all rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.report import words
from autotl.report.landscape import Landscape
from autotl.report.plots.bars import bars
from autotl.report.recorded import number, plain
from autotl.report.summarize import Summary
from autotl.report.svg import ACCENTS, SOFT, Draw, drawing

_MOST_BARS = 20
#: Shapes that go with the accents, so that colour is never the only difference.
_SHAPES = ("o", "s", "^", "D", "v", "P")
#: Classes that a map tells apart; the others are drawn in grey.
_MOST_CLASSES = len(ACCENTS) * 2


def figures(summary: Summary) -> dict[str, Draw]:
    """What draws each of them."""
    return {
        "balance": partial(balance, summary),
        "map-classes": partial(classes_map, summary.landscape, summary.classes),
        "map-errors": partial(errors_map, summary.landscape),
    }


def balance(summary: Summary) -> str | None:
    """Training rows by class; the largest and the smallest where there are many."""
    counts = summary.profile.get("class_counts")
    items = counts.items() if isinstance(counts, dict) else ()
    known = sorted(((n, plain(k)) for k, v in items if (n := number(v)) is not None), reverse=True)
    if len(known) > _MOST_BARS:
        known = known[: _MOST_BARS // 2] + known[-_MOST_BARS // 2 :]
    return bars("balance", "Training rows by class", known, "training rows", words.count)


def classes_map(found: Landscape | None, classes: Sequence[str]) -> str | None:
    """The map coloured by class, or shaded by value where there are none."""
    if found is None:
        return None
    if found.targets.ndim != 1:
        return None
    if not classes:
        return _values_map(found)
    groups = list(_groups(found, classes))
    said = f"{len(found.xy)} rows of {len(classes)} classes; near rows have like features."
    with drawing("map-classes", "Rows by class", said, 4.2, 3.6) as figure:
        axes = figure.axes
        for name, rows, colour, shape in groups:
            dots: dict[str, Any] = {"color": colour, "marker": shape, "s": 11, "alpha": 0.65, "linewidths": 0}
            _dots(axes, found.xy[rows], label=words.clip(name, 24), **dots)
        _bare(axes)
        place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0), "borderaxespad": 0}
        axes.legend(markerscale=1.6, handletextpad=0.2, **place)
    return figure.svg


def _groups(found: Landscape, classes: Sequence[str]) -> Iterator[tuple[str, NDArray[Any], str, str]]:
    """Name, rows, colour and shape of each class, the largest first; those beyond twelve together."""
    counts = [(int((found.targets == code).sum()), code) for code in range(len(classes))]
    order = [code for count, code in sorted(counts, key=lambda item: (-item[0], item[1])) if count]
    others = order[_MOST_CLASSES:]
    if others:
        rows = np.flatnonzero(np.isin(found.targets, others))
        yield f"{len(others)} others", rows, SOFT, "."
    for place, code in enumerate(order[:_MOST_CLASSES]):
        colour = ACCENTS[place % len(ACCENTS)]
        shape = _SHAPES[(place + place // len(ACCENTS)) % len(_SHAPES)]
        yield classes[code], np.flatnonzero(found.targets == code), colour, shape


def _values_map(found: Landscape) -> str | None:
    """The map of a regression: larger dots are larger values."""
    values = found.targets.astype(np.float64)
    span = float(np.ptp(values))
    if not np.isfinite(span) or span <= 0:
        return None
    said = f"{len(values)} rows from {words.score(values.min())} to {words.score(values.max())}."
    with drawing("map-classes", "Rows by value", said, 4.2, 3.6) as figure:
        area = 4 + 50 * (values - values.min()) / span
        _dots(figure.axes, found.xy, s=area, color=ACCENTS[0], alpha=0.4, linewidths=0)
        _bare(figure.axes)
    return figure.svg


def errors_map(found: Landscape | None) -> str | None:
    """The map with what the winner gets wrong, and rows whose labels are doubtful."""
    if found is None or not (found.wrong.any() or found.suspect.any()):
        return None
    plain_rows = ~found.wrong & ~found.suspect
    said = f"{int(found.wrong.sum())} errors on the test part, {int(found.suspect.sum())} doubtful labels."
    with drawing("map-errors", "Errors and doubtful labels", said, 4.2, 3.6) as figure:
        axes = figure.axes
        _dots(axes, found.xy[plain_rows], s=7, color=SOFT, alpha=0.3, linewidths=0, label="other rows")
        if found.suspect.any():
            ring: dict[str, Any] = {
                "s": 26,
                "facecolors": "none",
                "edgecolors": ACCENTS[3],
                "linewidths": 1.1,
            }
            _dots(axes, found.xy[found.suspect], label="doubtful label", **ring)
        if found.wrong.any():
            _dots(axes, found.xy[found.wrong], s=24, color=ACCENTS[1], marker="x", label="error", lw=1.3)
        _bare(axes)
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0, handletextpad=0.2)
    return figure.svg


def _dots(axes: Any, xy: NDArray[Any], **style: Any) -> None:
    axes.scatter(xy[:, 0], xy[:, 1], **style)


def _bare(axes: Any) -> None:
    """No axes: the places on a map have no unit."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.margins(0.02)
