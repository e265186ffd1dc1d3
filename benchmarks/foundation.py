"""Runs `autotl fit` on real data sets, each in a process of its own, beside the ten-line baseline.

    python -m benchmarks.foundation DATA_FOLDER [--only banking77,sst2] [--seeds 0,1] [--baseline]

A row a run in `results/foundation.jsonl`: test score with interval, baseline, seconds, first model, memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autotl.task import Task
from benchmarks.baseline import ten_lines
from benchmarks.fitting import FitFailedError, fit
from benchmarks.record import append
from benchmarks.sets import SETS, prepare


@dataclass(frozen=True)
class Case:
    """One row of the table.

    Attributes:
        budget: Time for the whole run.
        target: Least test score; None where the figure is only reported.
        seeds: Seeds that the target speaks of.
    """

    budget: str
    target: float | None
    seeds: tuple[int, ...] = (0,)


CASES = {
    "banking77": Case("3m", 0.928, (0, 1)),
    "sst2": Case("5m", 0.87),
    "trashnet256": Case("10m", 0.91, (0, 1)),
    "neu_defects": Case("3m", 0.995, (0, 1)),
    "signdigits": Case("10m", 0.95),
    "goemotions": Case("5m", None),
    "stsb_en": Case("5m", None),
}


def main() -> None:
    """Run the cases asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", default=",".join(CASES))
    parser.add_argument("--seeds", default=None)
    parser.add_argument(
        "--baseline",
        action="store_true",
        help="fit the ten lines too, where a row has one class",
    )
    arguments = parser.parse_args()
    for name in arguments.only.split(","):
        case = CASES[name]
        seeds = case.seeds if arguments.seeds is None else map(int, arguments.seeds.split(","))
        for seed in seeds:
            with tempfile.TemporaryDirectory() as folder:
                row = run(name, case, seed, arguments.data, Path(folder), arguments.baseline)
            append("foundation", row)
            print(json.dumps(row), flush=True)


def run(name: str, case: Case, seed: int, data: Path, folder: Path, baseline: bool) -> dict[str, Any]:
    """One run, as a user would start it."""
    source = prepare(name, data, folder)
    try:
        run = fit(source, folder, budget=case.budget, seed=seed, flags=SETS[name].flags)
    except FitFailedError as error:
        return {"set": name, "seed": seed, "error": str(error)}
    record = run.record
    row = {
        "set": name,
        "seed": seed,
        "budget": case.budget,
        "target": case.target,
        **run.test,
        **{key: record["test"][key] for key in ("trivial", "from_scratch", "metrics")},
        "winner": record["winner"],
        "trials": [
            [r["config"]["strategy"], r["score"], round(r["seconds"], 1), r["state"]] for r in run.results
        ],
        "seconds": round(run.seconds, 1),
        "first_model_seconds": round(record["first_model_seconds"], 1),
        "overhead_seconds": record.get("overhead_seconds"),
        "peak_mib": max(r["peak_bytes"] for r in run.results) // 2**20,
        "child_peak_rss_mib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
    }
    if baseline and Task.from_json(record["task"]).is_classification:
        row["ten_lines"] = ten_lines(run)
    return row


if __name__ == "__main__":
    main()
