"""One figure of a check as SVG: embeddings, what is predicted, and how sure the model is.

Written by hand, because what serves has no plotting library. It follows the viewer's light or dark theme.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autotl.serve.monitoring.reference import HISTOGRAM_BINS, certainties, counts
from autotl.serve.monitoring.words import origin
from autotl.task import TaskKind

if TYPE_CHECKING:
    from autotl.serve.monitoring.monitor import Monitor

Array = NDArray[Any]

_WIDTH, _PANEL, _HEIGHT, _TOP, _GAP = 1020, 300, 250, 58, 50
_MOST_POINTS, _MOST_CLASSES = 512, 8
#: Points beyond these quantiles of both sets are drawn at the edge.
_EDGES = (0.005, 0.995)
#: Okabe and Ito's blue and vermilion, which colour-blind readers can tell apart.
_STYLE = """
svg { --ink: #1b1b1f; --soft: #6a6a72; --line: #d8d8de; --paper: #ffffff; --old: #0072b2; --new: #d55e00; }
@media (prefers-color-scheme: dark) {
  svg { --ink: #ececf1; --soft: #a0a0aa; --line: #3c3c44; --paper: #18181c; --old: #56b4e9; --new: #f0883e; }
}
text { font: 12px system-ui, sans-serif; fill: var(--ink); }
.soft { fill: var(--soft); } .title { font-weight: 600; font-size: 13px; }
.line { stroke: var(--line); fill: none; } .paper { fill: var(--paper); }
.old { fill: var(--old); } .new { fill: var(--new); }
.old-step { stroke: var(--old); fill: none; stroke-width: 2; }
.new-step { stroke: var(--new); fill: none; stroke-width: 2; stroke-dasharray: 6 3; }
"""


def draw(monitor: Monitor, outputs: Array, features: Array) -> str:
    """The figure of new rows beside the reference.

    Args:
        monitor: What compares.
        outputs: (N, K) or (N,) of the new rows, N at least 1.
        features: (N, F) of them.

    Returns:
        A whole SVG document.
    """
    panels = [_embeddings(monitor, features), _predictions(monitor, outputs), _certainty(monitor, outputs)]
    reference = monitor.reference
    said = f"{len(features):,} new rows beside {reference.count:,} {origin(reference.part)}"
    body = "".join(
        f'<g transform="translate({_GAP // 2 + i * (_PANEL + _GAP)} {_TOP})">{panel}</g>'
        for i, panel in enumerate(panels)
    )
    height = _TOP + _HEIGHT + 50
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH + _GAP // 2} {height}" role="img" '
        f'aria-labelledby="title"><title id="title">Drift: {escape(said)}</title><style>{_STYLE}</style>'
        f'<rect class="paper" width="100%" height="100%"/>{_legend(len(features), reference)}{body}</svg>\n'
    )


def _legend(rows: int, reference: Any) -> str:
    old = escape(f"{reference.count:,} {origin(reference.part)}")
    return (
        f'<rect class="old" x="{_GAP // 2}" y="14" width="12" height="12"/>{_text(_GAP // 2 + 18, 24, old)}'
        f'<rect class="new" x="{_GAP // 2 + 260}" y="14" width="12" height="12"/>'
        f"{_text(_GAP // 2 + 278, 24, f'{rows:,} new')}"
    )


def _embeddings(monitor: Monitor, features: Array) -> str:
    """The first two principal components of the reference."""
    sketch, reference = monitor.reference.sketch, monitor.reference
    if reference.has_rows:
        rows = reference.arrays["rows"].astype(np.float32)
        axes = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)[2][:2]
        old, new = _plane(rows @ axes.T), _plane(sketch.plain(_some(features)) @ axes.T)
    else:
        old = np.zeros((0, 2), np.float32)
        new = _plane(sketch.project(_some(features)) @ sketch.axes[:, :2])
    low, high = np.quantile(np.concatenate([old, new]), _EDGES, axis=0)
    size = np.array([_PANEL, _HEIGHT]) - 8
    span = np.where(high > low, high - low, 1)
    dots = [
        f'<circle class="{name}" cx="{x:.1f}" cy="{_HEIGHT - y:.1f}" r="2.4" fill-opacity="0.5"/>'
        for name, points in (("old", old), ("new", new))
        for x, y in 4 + np.clip((points - low) / span, 0, 1) * size
    ]
    title = "embeddings, two principal components"
    note = "" if reference.has_rows else _text(8, 18, "held-out rows were left out", "soft")
    return _frame(title) + note + "".join(dots)


def _plane(points: Array) -> Array:
    """(N, 2); embeddings of one dimension lie on a line."""
    return np.pad(points, ((0, 0), (0, 2 - points.shape[1])))


def _predictions(monitor: Monitor, outputs: Array) -> str:
    """Shares of predicted classes or labels, those that changed most; of a regression the values."""
    task, reference = monitor.task, monitor.reference
    if task.kind is TaskKind.REGRESSION:
        return _histogram("predicted values", outputs, reference.arrays["values"], None)
    new = counts(task, task.decide(outputs)) / len(outputs)
    old = reference.arrays["predicted"] / reference.count
    shown = np.argsort(-np.abs(new - old), kind="stable")[:_MOST_CLASSES]
    step, most = min(_HEIGHT / len(shown), 60.0), max(float(np.maximum(new, old)[shown].max()), 1e-9)
    bars = []
    for i, k in enumerate(shown):
        y, bar = i * step, step * 0.36
        name = task.classes[k]
        name = name if len(name) <= 18 else f"{name[:17]}…"
        bars.append(_text(112, y + step / 2 + 4, escape(name), anchor="end"))
        for row, (kind, share) in enumerate((("old", old[k]), ("new", new[k]))):
            top, width = y + step * 0.14 + row * bar, 140 * share / most
            bars.append(
                f'<rect class="{kind}" x="120" y="{top:.1f}" width="{width:.1f}" height="{bar:.1f}"/>'
            )
            bars.append(_text(124 + width, top + bar / 2 + 4, f"{share:.0%}", "soft"))
    what = "labels" if task.kind is TaskKind.MULTILABEL else "classes"
    more = f", the {len(shown)} that changed most" if len(shown) < task.outputs else ""
    return _text(0, -10, f"predicted {what}{more}", "title") + "".join(bars)


def _certainty(monitor: Monitor, outputs: Array) -> str:
    if monitor.task.kind is TaskKind.REGRESSION:
        return _text(0, -10, "confidence", "title") + _text(8, 18, "a regression has none", "soft")
    new, old = certainties(monitor.task, outputs), monitor.reference.arrays["certainties"]
    return _histogram("confidence", new, old, (float(min(new.min(), old.min())), 1.0))


def _histogram(title: str, new: Array, old: Array, ends: tuple[float, float] | None) -> str:
    """Shares of rows in bins, a step line a set."""
    low, high = ends or (float(min(new.min(), old.min())), float(max(new.max(), old.max())))
    edges = np.linspace(low, high if high > low else low + 1, HISTOGRAM_BINS + 1)
    parts = [np.histogram(values, edges)[0] / len(values) for values in (old, new)]
    most = max(float(np.max(parts)), 1e-9)
    x = np.linspace(0, _PANEL, HISTOGRAM_BINS + 1)
    lines = []
    for name, part in zip(("old", "new"), parts, strict=True):
        y = _HEIGHT - (_HEIGHT - 14) * part / most
        points = " ".join(f"{x[i + side]:.1f},{y[i]:.1f}" for i in range(len(part)) for side in (0, 1))
        lines.append(f'<polyline class="{name}-step" points="{points}"/>')
    labels = _text(0, _HEIGHT + 18, f"{low:.3g}", "soft") + _text(
        _PANEL, _HEIGHT + 18, f"{edges[-1]:.3g}", "soft", anchor="end"
    )
    top = _text(4, 12, f"{most:.0%} of rows", "soft")
    return _frame(title) + "".join(lines) + labels + top


def _frame(title: str) -> str:
    return f'<rect class="line" width="{_PANEL}" height="{_HEIGHT}"/>{_text(0, -10, title, "title")}'


def _text(x: float, y: float, content: str, kind: str = "", *, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{content}</text>'


def _some(rows: Array) -> Array:
    """At most so many rows as a plot can show, evenly spread."""
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _MOST_POINTS)).astype(int))
    return np.asarray(rows[chosen])
