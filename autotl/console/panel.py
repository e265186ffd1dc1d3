"""Draws where a run stands: the panel of a terminal, at any width and height."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from autotl.search import in_words
from autotl.search.progress import Progress, Stage, TrialLine, clock_time

#: Trials that are shown, and columns that the border takes.
_TRIALS, _BORDER = 8, 4
#: From this width on labels are whole, and all columns of the table of trials are there.
_WIDE = 60
#: Lines that are always there: border and facts. And those of a table beside its trials: a space and a head.
_FIXED, _TABLE = 8, 2
#: Columns of the table of trials in their order, those that may be cut, and those that narrow ones lack.
_COLUMNS = ("#", "trial", "backbone", "strategy", "epoch", "score", "time", "curve")
_CUT = ("curve", "strategy", "backbone")
_NARROW = ("#", "trial", "backbone", "epoch", "score")
_LEAST = 6


def panel(
    progress: Progress, width: int = 80, height: int | None = None, wall: Callable[[], float] = time.time
) -> RenderableType:
    """The panel of a run as it stands.

    Args:
        progress: Where it stands.
        width: Columns of the terminal.
        height: Lines that the panel may take at most, but for those that it always has; None for any number.
        wall: Seconds since 1970, for the hour at which it should end.
    """
    room = width - _BORDER
    is_wide = width >= _WIDE
    grid = Table.grid(padding=(0, 2))
    label = len("best so far" if is_wide else "before")
    values = max(room - label - 2, _LEAST)
    grid.add_column(style="dim", no_wrap=True, width=label)
    grid.add_column(no_wrap=True, overflow="ellipsis", width=values)
    grid.add_row("stage", _stage(progress))
    grid.add_row("before", _before(progress.stages, progress.elapsed, values))
    grid.add_row("trials", in_words.trials(progress))
    grid.add_row("best so far" if is_wide else "best", _best(progress))
    grid.add_row("over time" if is_wide else "", _over_time(progress, values))
    grid.add_row("time", _fitting(in_words.times(progress, wall), values))
    left = _TRIALS + _TABLE + len(progress.notes) if height is None else max(height - _FIXED, 0)
    lines = progress.lines(min(_TRIALS, max(left - _TABLE, 0)))
    parts: list[RenderableType] = [grid]
    if lines:
        parts += [Text(""), _table(lines, progress, room)]
        left -= _TABLE + len(lines)
    notes = list(progress.notes)[max(len(progress.notes) - max(left, 0), 0) :]
    for note in notes:
        style = "yellow" if note.warning else "dim"
        parts.append(Text(note.message, style=style, no_wrap=True, overflow="ellipsis"))
    return Panel(Group(*parts), title="autotl", title_align="left", border_style="cyan", width=width)


def _stage(progress: Progress) -> Text:
    text = Text(progress.stage if progress.ended is None else progress.ended.state, style="bold")
    if progress.ended is not None:
        return text
    if progress.detail:
        text.append(f"  {progress.detail}", style="not bold")
    if progress.advanced is not None:
        a = progress.advanced
        text.append(f"  {a.done:,} of {a.total:,} {a.unit}", style="not bold dim")
    elif progress.stages:
        since = progress.elapsed - progress.stages[-1].begun
        text.append(f"  {clock_time(since)}", style="not bold dim")
    return text


def _before(stages: Sequence[Stage], now: float, width: int) -> Text:
    """Stages that are over, with the time of each; the first ones are left out where there is no room."""
    over = [stage for stage in stages if stage.ended is not None]
    words = [f"{stage.name} {clock_time((stage.ended or now) - stage.begun)}" for stage in over]
    tails = [", ".join(words[first:]) for first in range(len(words))]
    return Text(_fitting([*tails[:1], *(f"… {tail}" for tail in tails[1:])], width))


def _best(progress: Progress) -> Text:
    score, metric, trial = in_words.best(progress)
    if progress.best is None:
        return Text(score, style="dim")
    text = Text(score, style="bold green")
    text.append(f" {metric}" if metric else "", style="not bold")
    return text.append(f"  {trial}" if trial else "", style="not bold default")


def _over_time(progress: Progress, width: int) -> Text:
    """The best score from the first one to now: a curve between both."""
    found = in_words.over_time(progress, width)
    if found is None:
        return Text("")
    first, bars, last = found
    return Text(f"{first} ", style="dim").append(bars, style="cyan").append(f" {last}")


def _table(lines: Sequence[TrialLine], progress: Progress, room: int) -> Table:
    """Trials under way and the best ones, cut to the room there is."""
    rows = [_cells(line, progress) for line in lines]
    wanted = _COLUMNS if room + _BORDER >= _WIDE else _NARROW
    shown = [name for name in wanted if any(row[name] for row in rows)]
    widths = {name: max(cell_len(name), *(cell_len(row[name]) for row in rows)) for name in shown}
    excess = sum(widths.values()) + 2 * (len(shown) - 1) - room
    cut = [name for name in _CUT if name in widths]
    for _ in range(excess):
        widest = max(cut, key=lambda name: widths[name])
        widths[widest] = max(widths[widest] - 1, 1)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in shown:
        is_word = name in ("backbone", "strategy", "curve")
        table.add_column(
            name,
            justify="left" if is_word else "right",
            no_wrap=True,
            overflow="ellipsis",
            width=widths[name],
            style="cyan" if name == "curve" else "",
        )
    for line, row in zip(lines, rows, strict=True):
        style = "bold" if line.rank is None else None
        table.add_row(*(Text(row[name]) for name in shown), style=style)
    return table


def _cells(line: TrialLine, progress: Progress) -> dict[str, str]:
    return {
        "#": "▸" if line.rank is None else str(line.rank),
        "trial": str(line.number),
        "backbone": line.backbone,
        "strategy": line.strategy,
        "epoch": f"{line.epoch} of {line.epochs}"
        if line.epochs > 1 or line.rank is None
        else str(line.epoch),
        "score": "" if line.score is None else f"{line.score:.4f}",
        "time": clock_time(line.seconds),
        "curve": in_words.sparkline(line.curve),
    }


def _fitting(texts: Sequence[str], width: int) -> str:
    """The first text that fits, or the last one; empty where there is none."""
    return next((text for text in texts if cell_len(text) <= width), texts[-1] if texts else "")
