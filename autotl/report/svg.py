"""Matplotlib figures as accessible inline SVG whose colours follow the page's theme.

Figures are drawn in placeholder colours, which become CSS variables; text stays text, and identifiers are
unique to the figure, so that many figures share one page. Matplotlib is imported where it is used.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Draws a figure as SVG when it is called; None where there is no data for it.
Draw = Callable[[], str | None]
#: Placeholder colours by role, and the CSS variables that they become. The accents' two sets of values (for
#: light and dark pages) derive from Okabe and Ito's palette, which colour-blind readers can tell apart.
INK, SOFT, LINE, PAPER = "#010101", "#020202", "#030303", "#040404"
ACCENTS = ("#050505", "#060606", "#070707", "#080808", "#090909", "#0a0a0a")
_VARIABLES = {
    INK: "var(--ink)",
    SOFT: "var(--soft)",
    LINE: "var(--line)",
    PAPER: "var(--paper)",
    **{accent: f"var(--c{i})" for i, accent in enumerate(ACCENTS, 1)},
}
#: Pixels of a page to a point of a figure, at most: 9 pt become 13.5 px.
_PIXELS = 1.5
#: Line styles that go with the accents, so that colour is never the only difference.
DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 2)))

_SETTINGS = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": SOFT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "text.color": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.6,
}


class Drawing:
    """One figure under way; `svg` holds the markup once the block of `drawing` has ended."""

    def __init__(self, figure: Figure, panels: Sequence[Axes]) -> None:
        self.figure, self.panels, self.svg = figure, panels, ""

    @property
    def axes(self) -> Axes:
        """The panel of a figure that has one."""
        return self.panels[0]


def check_drawable() -> None:
    """Make sure that figures can be drawn at all.

    Raises:
        ImportError: Matplotlib is not installed.
    """
    import matplotlib  # noqa: F401


@contextmanager
def drawing(
    name: str,
    title: str,
    description: str,
    width: float = 4.2,
    height: float = 2.7,
    grid: tuple[int, int] = (1, 1),
) -> Iterator[Drawing]:
    """Give an empty figure, and turn it into SVG when the block ends.

    Args:
        name: Unique in the page; letters and hyphens.
        title: What the figure is, for screen readers.
        description: What it shows, for screen readers.
        width: In inches; one inch becomes at most 108 px of a page.
        height: In inches.
        grid: Rows and columns of panels, which share their axes.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context({**_SETTINGS, "svg.hashsalt": name}), warnings.catch_warnings():
        # Letters that the measuring font lacks are drawn by the browser's own fonts.
        warnings.filterwarnings("ignore", message=".*[Gg]lyph.*")
        figure = Figure(figsize=(width, height))
        FigureCanvasSVG(figure)
        panels = figure.subplots(*grid, sharex=True, sharey=True, squeeze=False)
        result = Drawing(figure, panels.ravel().tolist())
        yield result
        target = io.StringIO()
        figure.savefig(
            target,
            format="svg",
            transparent=True,
            bbox_inches="tight",
            pad_inches=0.06,
            metadata={"Date": None, "Creator": None, "Format": None, "Type": None},
        )
    result.svg = _inline(target.getvalue(), name, title, description)


def _inline(markup: str, name: str, title: str, description: str) -> str:
    """Matplotlib's SVG file as an element for a page."""
    markup = markup[markup.index("<svg") :]
    markup = re.sub(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>|<!--.*?-->", "", markup, flags=re.S)
    markup = re.sub(r"<[^>]*>", lambda tag: _tag(tag.group(), name), markup)
    found = re.search(r"viewBox=\"([^\"]+)\"", markup)
    box = found.group(1) if found else "0 0 360 240"
    widest = round(float(box.split()[2]) * _PIXELS)
    body = markup[markup.index(">") + 1 :]
    said = (
        f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(description)}</desc>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" role="img" '
        f'viewBox="{box}" style="--widest: {widest}px; max-width: {widest}px" '
        f'aria-labelledby="{name}-title {name}-desc">'
        f"{said}{body}"
    )


def _tag(tag: str, name: str) -> str:
    """One tag with identifiers of its own, the page's font and the page's colours; text is not touched."""
    tag = re.sub(r"\bid=\"", f'id="{name}-', tag)
    tag = tag.replace("url(#", f"url(#{name}-").replace('xlink:href="#', f'xlink:href="#{name}-')
    tag = re.sub(r"font: ([\d.]+px)[^;\"]*", r"font-size: \1", tag)
    for placeholder, variable in _VARIABLES.items():
        tag = tag.replace(placeholder, variable)
    return tag
