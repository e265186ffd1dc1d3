"""Where a figure comes from: date, commit and machine, as every result file states them."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from autotl.cores import processor, usable_cores

RESULTS = Path(__file__).parent / "results"


def provenance() -> dict[str, Any]:
    """Date, machine, and the last commit that changed what is measured ("+": changed since)."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words], capture_output=True, text=True, cwd=RESULTS, check=True
        ).stdout.strip()

    measured = ("--", "../../autotl", "../../search_spaces")
    changed = "+" if git("status", "--porcelain", *measured) else ""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": git("log", "-1", "--format=%h", *measured) + changed,
        "machine": f"{platform.machine()}, {_cores()}, {processor()}",
    }


def append(name: str, row: dict[str, Any], folder: Path = RESULTS) -> None:
    """Add a row to a result file."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.jsonl").open("a") as file:
        file.write(json.dumps({**provenance(), **row}) + "\n")


def rows(name: str, folder: Path = RESULTS) -> list[dict[str, Any]]:
    """All rows of a result file."""
    path = folder / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _cores() -> str:
    """Cores of the machine, and how many of them this process may use where these are fewer."""
    usable, there = usable_cores(), os.cpu_count() or 1
    return f"{there} cores" if usable == there else f"{usable} of {there} cores"
