"""A leaderboard on the console. Rich is imported inside, because `autotl --help` must be fast."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.table import Table

    from autotl.leaderboard.leaderboard import Row

_NARROWEST = 8
_UNITS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def table(rows: Sequence[Row], metric: str, width: int = 80) -> Table:
    """The table of some rows.

    Columns without a value in any row are left out, and gains where they do not fit; backbones are cut to fit
    `width` columns. A failed trial shows its error in place of figures.
    """
    from rich.table import Table
    from rich.text import Text

    marks = ["*" if row.winner else "+" if row.pareto else "" for row in rows]
    columns: dict[str, list[str]] = {
        "#": [f"{row.rank or '-'}{mark}" for row, mark in zip(rows, marks, strict=True)],
        "trial": [str(row.trial) for row in rows],
        "backbone": [row.backbone for row in rows],
        "strategy": [row.strategy for row in rows],
        "score": [row.state if row.score is None else f"{row.score:.4f}" for row in rows],
        "interval": [_interval(row) for row in rows],
        "cv": ["" if row.cross_validated is None else f"{row.cross_validated:.4f}" for row in rows],
        "gain": ["" if row.gain is None else f"{row.gain:+.4f}" for row in rows],
        **_backbone_ranks(rows),
        "time": [_seconds(row.seconds) for row in rows],
        "size": [_bytes(row.size_bytes) for row in rows],
        "ms": [_milliseconds(row.latency_ms) for row in rows],
        **_batches(rows),
    }
    shown = {name: cells for name, cells in columns.items() if any(cells)}
    drawn = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold", expand=False)
    widths = {name: max(map(len, [name, *cells])) for name, cells in shown.items()}
    if "gain" in shown and sum(widths.values()) + len(widths) - 1 > width:
        del shown["gain"], widths["gain"]
    room = width - (sum(widths.values()) + len(widths) - 1) + widths["backbone"]
    widths["backbone"] = min(widths["backbone"], max(room, _NARROWEST))
    for name in shown:
        side: Literal["left", "right"] = "left" if name in ("backbone", "strategy") else "right"
        drawn.add_column(name, justify=side, no_wrap=True, overflow="ellipsis", width=widths[name])
    for row, texts in zip(rows, zip(*shown.values(), strict=True), strict=True):
        style = "bold" if row.winner else "dim" if row.score is None else None
        drawn.add_row(*map(Text, texts), style=style)
    drawn.title, drawn.title_justify = Text(f"score: {metric} on validation"), "left"
    drawn.title.append("; * winner; + no other is better, faster and smaller at once")
    if "cv" in shown:
        drawn.title.append("; cv: in cross-validation, which decides between heads")
    if "gain" in shown:
        drawn.title.append("; gain: over trial 0" + (", by cv where both have it" if "cv" in shown else ""))
    if "pred" in shown:
        drawn.title.append("; pred, real: rank of the backbone, as predicted and as it came out")
    if (batch := next(iter(_batches(rows)), "")) in shown:
        drawn.title.append(f"; {batch}: of a batch of {batch.removeprefix('ms/')}")
    failed = [row for row in rows if row.error]
    if failed:
        lines = [f"trial {row.trial} {row.state}: {row.error}" for row in failed]
        drawn.caption = Text("\n".join(lines))
        drawn.caption_justify = "left"
    return drawn


def _backbone_ranks(rows: Sequence[Row]) -> dict[str, list[str]]:
    """Predicted and realised rank of each row's backbone; nothing for a single one, or without ranks."""
    if len({row.backbone for row in rows}) < 2:
        return {}
    predicted = ["" if row.predicted_rank is None else str(row.predicted_rank) for row in rows]
    realised = ["" if row.realised_rank is None else str(row.realised_rank) for row in rows]
    return {"pred": predicted, "real": realised} if any(predicted) else {}


def _batches(rows: Sequence[Row]) -> dict[str, list[str]]:
    """Time of each row's batch, where more than one input are one."""
    batch = max((row.batch for row in rows), default=1)
    return {f"ms/{batch}": [_milliseconds(row.batch_latency_ms) for row in rows]} if batch > 1 else {}


def _milliseconds(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _interval(row: Row) -> str:
    return "" if row.low is None or row.high is None else f"{row.low:.3f}-{row.high:.3f}"


def _seconds(value: float) -> str:
    if value < 100:
        return f"{value:.1f}s" if value < 10 else f"{value:.0f}s"
    minutes, seconds = divmod(round(value), 60)
    return f"{minutes}m{seconds:02d}s"


def _bytes(value: int | None) -> str:
    if value is None:
        return ""
    for unit, name in _UNITS:
        if value >= unit:
            return f"{value / unit:.3g}{name}B"
    return f"{value}B"
