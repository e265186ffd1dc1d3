"""Writes what the recorded tables teach beside the search spaces, where the search reads it.

python -m benchmarks.lessons
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from autotl.backbones.catalogue import space_files
from autotl.search.lessons import Lesson, lessons
from autotl.search.simulated import Table
from benchmarks.sets import SETS
from benchmarks.tables import TABLES


def main() -> None:
    """One file a modality."""
    tables = recorded()
    for modality, path in space_files().items():
        taught = lessons_of(table for table in tables if SETS[table.name].images == (modality == "image"))
        lines = [json.dumps(_rounded(lesson.to_json())) for lesson in taught]
        path.with_suffix(".jsonl").write_text("".join(f"{line}\n" for line in lines))
        print(f"{modality}: {len(lines)} lessons")


def recorded() -> list[Table]:
    """All tables, by name."""
    return [Table.read(path) for path in sorted(TABLES.glob("*.jsonl"))]


def lessons_of(tables: Iterable[Table]) -> list[Lesson]:
    """What tables teach, one after the other."""
    return [
        lesson
        for table in tables
        for lesson in lessons((config, table.curves[config.key]) for config in table.configs)
    ]


def _rounded(value: object) -> object:
    """A JSON value with its numbers to four digits."""
    if isinstance(value, dict):
        return {key: _rounded(entry) for key, entry in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value


if __name__ == "__main__":
    main()
