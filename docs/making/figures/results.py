"""Lines of result files: which of them count, and where they come from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[3] / "benchmarks" / "results"

Line = dict[str, Any]


def lines_of(name: str, folder: Path) -> list[Line]:
    """The lines of a result file."""
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines() if line]


def last(lines: Iterable[Line], keys: Sequence[str]) -> list[Line]:
    """The last line of each combination of keys, in the order in which they first came."""
    return list({tuple(line.get(key) for key in keys): line for line in lines}.values())


def origin(lines: Iterable[Mapping[str, Any]]) -> str:
    """When, at which commits and where lines were measured."""
    lines = list(lines)
    days = sorted({str(line["date"])[:10] for line in lines})
    commits = ", ".join(dict.fromkeys(f"`{line['commit']}`" for line in lines))
    machines = "; ".join(dict.fromkeys(str(line["machine"]) for line in lines))
    span = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return f"Measured {span} at {commits}, on {machines}."
