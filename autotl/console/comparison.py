"""How a comparison of runs looks in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.markup import escape
from rich.text import Text

from autotl.console.output import plain_table

if TYPE_CHECKING:
    from autotl.report.comparison import Comparison


def comparison_view(found: Comparison) -> list[RenderableType]:
    """The runs, a row each, then the best one against each other one in sentences."""
    from autotl.report import words

    table = plain_table("run", "score", "rows", "winner", "trials", "took")
    table.columns[0].no_wrap = False
    for column in table.columns[1:]:
        column.no_wrap = True
    for run in found.runs:
        within = words.interval(run.low, run.high)
        table.add_row(
            escape(run.run),
            f"{words.score(run.score)} {escape(run.metric)}" + (f"\n{within}" if within else ""),
            words.count(run.rows),
            escape(f"{run.backbone}\n{run.strategy}") if run.backbone else "none yet",
            words.count(run.trials),
            words.seconds(run.seconds),
        )
    sources = {run.data for run in found.runs}
    notes = [pair.words for pair in found.pairs] or ["Fewer than two of these runs have a test score."]
    if len(sources) > 1:
        notes.append(f"The runs read their data from different places: {', '.join(sorted(sources))}.")
    return [table, "", *(Text(note) for note in notes)]
