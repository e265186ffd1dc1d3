"""What verbs print on standard output: tables for people, one JSON value for machines."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from autotl.backbones.backbone import Availability, BackboneInfo
    from autotl.leaderboard.leaderboard import Leaderboard
    from autotl.profile.profile import DatasetProfile
    from autotl.space.admission import BackboneChoice
    from autotl.space.space import SearchSpace

_PIPE = 1000  # columns: more than any leaderboard has
_LEAST_WORDS = 24  # columns: fewer do not tell one description from another


def show(*values: RenderableType) -> None:
    """Print for a person."""
    console = Console(highlight=False)
    for value in values:
        console.print(value)


def show_leaderboard(board: Leaderboard, limit: int | None = None) -> None:
    """Print the first rows of a leaderboard, as wide as the terminal; in a file or a pipe nothing is cut."""
    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        whole = board.render(limit=limit, width=_PIPE)
        console.width = max(console.width, Console(width=_PIPE).measure(whole).maximum)
    console.print(board.render(limit=limit, width=console.width))


def show_text(text: str) -> None:
    """Print a sentence as it is, broken between words."""
    Console(highlight=False).print(text, markup=False)


def show_line(line: str) -> None:
    """Print a line as it is: a command or a path stays whole, to be copied."""
    Console(highlight=False).print(line, markup=False, soft_wrap=True)


def show_json(value: Any) -> None:
    """Print one JSON value, and nothing that is not JSON: NaN and infinities become null."""
    json.dump(_finite(value), sys.stdout, indent=1, default=str, allow_nan=False)
    sys.stdout.write("\n")


def facts(rows: Mapping[str, Any]) -> Table:
    """A table of names and values; what is unset or empty is left out."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column()
    for name, value in rows.items():
        if value not in (None, "", (), [], {}):
            grid.add_row(Text(name.replace("_", " ")), Text(words(value)))
    return grid


def score_view(found: Mapping[str, Any]) -> Table:
    """What a bundle scores on labelled rows, for a person: its metric with the interval, then the others."""
    name, low, high = found["metric"], words(found["low"]), words(found["high"])
    scores = {name: f"{words(found['score'])}, 95 % interval {low} to {high}", "rows": found["n"]}
    return facts({**scores, **{other: value for other, value in found["metrics"].items() if other != name}})


def parity_view(found: Mapping[str, Any]) -> Table:
    """What verifying a bundle found, for a person; that it was found means that the answers are the same."""
    then, now = found["exported_with"], found["runs_with"]
    changed = [
        f"{name} {then[name]}, here {now[name]}" for name in now if then.get(name, now[name]) != now[name]
    ]
    tolerance = found["tolerance"]
    allowed = "as int8 graphs do" if tolerance is None else f"allowed {tolerance:g}"
    return facts(
        {
            "verified": f"{found['rows']} rows of {found['known']}, {found['batch_size']} at a time; "
            f"{found['single_rows']} of them singly",
            "labels that differ": f"{found['label_flips']}{_beside_ties(found['ties'])}",
            "largest difference": f"{found['largest_difference']:.2g}, {allowed}",
            found["metric"]: f"{words(found['score_exported'])}, of the trained network "
            f"{words(found['score_trained'])}; no estimate, it was fitted on these rows or chosen by them",
            "exported with": ", ".join(changed) or "the same versions as here",
            **_second_graph(found),
        }
    )


def _second_graph(found: Mapping[str, Any]) -> dict[str, str]:
    """What came of a graph that decodes its input itself, where there is one."""
    from autotl.serve.raw import RAW

    if RAW not in found:
        return {}
    second = found[RAW]
    flips, rows, largest = second["label_flips"], second["rows"], second["largest_difference"]
    return {RAW: f"{flips} of {rows} labels differ, largest difference {largest:.2g}"}


def profile_view(profile: DatasetProfile) -> Table:
    """A profile for a person."""
    task = profile.task
    classes = list(profile.class_counts.items())
    shown = dict(classes[:20])
    if len(classes) > 20:
        shown[f"and {len(classes) - 20} more"] = sum(count for _, count in classes[20:])
    return facts(
        {
            "source": profile.source,
            "modality": profile.modality,
            "task": f"{task['kind']}, target {task['target']!r}, metric {task['metric']}",
            "rows": dict(profile.rows),
            "training rows by class": shown,
            "imbalance": round(profile.imbalance, 2) if shown else None,
            "target": dict(profile.target_statistics),
            **profile.inputs,
            "shift": [f"{shift.backbone}: {shift.words}" for shift in profile.shifts],
            "audit": list(profile.findings),
        }
    )


def space_view(space: SearchSpace, choices: list[BackboneChoice]) -> list[RenderableType]:
    """A search space for a person: backbones and why, strategies, parameters and whose, the portfolio."""
    described = space.describe()
    portfolio = plain_table("tried first", "strategy", "parameters")
    for entry in described["portfolio"]:
        portfolio.add_row(
            escape(entry["backbone"]), escape(entry["strategy"]), escape(words(entry["params"]))
        )
    parameters = _parameters(described["strategies"])
    return [_choices(choices), "", _strategies(described["strategies"]), "", parameters, "", portfolio]


def _choices(choices: list[BackboneChoice]) -> Table:
    """Backbones that are in, one a row; those that are out, one a reason."""
    table = plain_table("in", "backbone", "why")
    out: dict[str, list[str]] = {}
    for choice in choices:
        if choice.included:
            name = f"{choice.name} (default)" if choice.is_default else choice.name
            table.add_row("yes", escape(name), escape(choice.reason))
        else:
            out.setdefault(choice.reason, []).append(choice.name)
    for reason, names in out.items():
        table.add_row("no", escape(", ".join(names)), escape(reason), style="dim")
    return table


def _strategies(described: list[Mapping[str, Any]]) -> Table:
    """What each strategy does."""
    from autotl.strategies.registry import strategies

    table = plain_table("strategy", "what it does")
    known = strategies()
    for strategy in described:
        name = strategy["strategy"]
        shown = name if strategy["searched"] else f"{name} (not searched)"
        table.add_row(escape(shown), escape(known[name].summary))
    return table


def _parameters(strategies: list[Mapping[str, Any]]) -> Table:
    """Every parameter with its values, once for all strategies that share them."""
    shared: dict[tuple[str, str, str], list[str]] = {}
    everyone = [strategy["strategy"] for strategy in strategies]
    for strategy in strategies:
        name = strategy["strategy"]
        for row in strategy["parameters"]:
            conditions = [f"{key} is {_either(value)}" for key, value in (row.get("when") or {}).items()]
            title = f"{row['name']} (if {' and '.join(conditions)})" if conditions else row["name"]
            shared.setdefault((title, str(row["values"]), words(row["default"])), []).append(name)
    table = plain_table("parameter", "values", "default", "strategies")
    for (title, values, default), names in sorted(shared.items()):
        table.add_row(escape(title), escape(values), escape(default), escape(_owners(names, everyone)))
    return table


def _owners(names: Sequence[str], everyone: Sequence[str]) -> str:
    """Strategies in few words: all, all but a few, or these."""
    others = [name for name in everyone if name not in names]
    if not others:
        return "all"
    return ", ".join(names) if len(others) > len(names) else f"all but {', '.join(others)}"


def _either(value: Any) -> str:
    return " or ".join(words(item) for item in value) if isinstance(value, (list, tuple)) else words(value)


def backbones_view(rows: list[tuple[BackboneInfo, Availability]]) -> Table:
    """The catalogue for a person, a section a source; reasons that many share are said once, below."""
    table = plain_table("backbone", "licence", "weights", "input", "here", "pretraining")
    for column in table.columns:
        column.no_wrap = True
    section, reasons = "", list[str]()
    for info, found in rows:
        if f"{info.modality}: {info.source}" != section:
            section = f"{info.modality}: {info.source}"
            table.add_section()
            table.add_row(Text(section, style="bold cyan"))
        if found.reason not in reasons and not found.available:
            reasons.append(found.reason)
        table.add_row(
            escape(info.name),
            escape(info.licence),
            f"{info.parameters / 1e6:.1f} M",
            input_words(info.input),
            "yes" if found.available else f"no ({reasons.index(found.reason) + 1})",
            escape(info.pretraining),
            style=_dim(found.available),
        )
    _fit_last(table)
    if reasons:
        table.caption = "\n".join(f"({i}) {escape(reason)}" for i, reason in enumerate(reasons, start=1))
        table.caption_justify = "left"
    return table


def backbone_json(info: BackboneInfo, found: Availability) -> dict[str, Any]:
    """A row of the catalogue for a machine."""
    return {
        "name": info.name,
        "modality": info.modality,
        "source": info.source,
        "reference": info.reference,
        "licence": info.licence,
        "commercial": info.commercial,
        "parameters": info.parameters,
        "macs": info.macs,
        "input": dict(info.input),
        "pretraining": info.pretraining,
        "prior": info.prior,
        "languages": list(info.languages),
        "available": found.available,
        "reason": found.reason,
    }


def input_words(requirements: Mapping[str, Any]) -> str:
    """The size that a backbone was trained at: "224 px" or "256 tokens"."""
    if "size" in requirements:
        return f"{requirements['size']} px"
    if "max_length" in requirements:
        return f"{requirements['max_length']} tokens"
    return ""


def words(value: Any) -> str:
    """Any JSON-ready value on a line or a few: no braces, no quotes."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {words(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        separator = "\n" if value and all(isinstance(item, str) for item in value) else ", "
        return separator.join(words(item) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return "not defined" if math.isnan(value) else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def plain_table(*columns: str, title: str | None = None) -> Table:
    """An empty table without lines; the first column stays whole, the others are folded."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", title=title)
    table.title_justify = "left"
    for number, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=number == 0)
    return table


def _fit_last(table: Table) -> None:
    """Cut the last column to what room there is, so that a row is one line; where it is little, drop it."""
    last, console = table.columns[-1], Console()
    last.overflow, last.width = "ellipsis", 0
    last.width = console.width - console.measure(table).maximum
    if last.width < _LEAST_WORDS:
        table.columns.pop()


def _beside_ties(count: int) -> str:
    return f", beside {count} where two are as likely" if count else ""


def _dim(bright: bool) -> str:
    return "" if bright else "dim"


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not (abs(value) < float("inf")):
        return None
    return value
