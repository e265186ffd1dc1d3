"""The figure that a report opens with: the winner's test score beside the baselines."""

from __future__ import annotations

from functools import partial

from autotl.report import words
from autotl.report.summarize import Outcome, Summary
from autotl.report.svg import ACCENTS, SOFT, Draw, drawing


def figures(summary: Summary) -> dict[str, Draw]:
    """What draws it."""
    return {"outcome": partial(outcome, summary.outcome)}


def outcome(result: Outcome) -> str | None:
    """The winner's test score with its interval beside the baselines."""
    rows = [
        ("ignoring the input", result.trivial),
        ("from scratch", result.from_scratch),
        ("ten lines", result.ten_lines),
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


def _direction(metric: str, greater_is_better: bool) -> str:
    return f"test {words.label(metric)} ({'higher' if greater_is_better else 'lower'} is better)"
