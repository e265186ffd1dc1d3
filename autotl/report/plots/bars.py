"""Horizontal bars with their values, which several figures are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from autotl.report import words
from autotl.report.svg import ACCENTS, drawing


def bars(
    name: str, title: str, known: Sequence[tuple[float, str]], axis: str, say: Callable[[float], str]
) -> str | None:
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
