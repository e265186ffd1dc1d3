"""Runs `autotl fit` on real data sets, each in a process of its own, beside the ten-line baseline.

    python -m benchmarks.foundation DATA_FOLDER [--only banking77,sst2] [--seeds 0,1] [--baseline]

A row a run in `results/foundation.jsonl`: test score with interval, baseline, seconds, first model, memory.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.record import append


@dataclass(frozen=True)
class Case:
    """One data set of the table.

    Attributes:
        budget: Time for the whole run.
        target: Least test score; None where the figure is only reported.
        seeds: Seeds that the target speaks of.
        options: Further options of `autotl fit`.
        rows: Only so many training rows; None for all.
    """

    budget: str
    target: float | None
    seeds: tuple[int, ...] = (0,)
    options: tuple[str, ...] = ()
    rows: int | None = None


CASES = {
    "banking77": Case("3m", 0.928, (0, 1)),
    "sst2": Case("5m", 0.87),
    "trashnet256": Case("10m", 0.91, (0, 1)),
    "neu_defects": Case("3m", 0.995, (0, 1), ("--test-share", "0.25")),
    "signdigits": Case("10m", 0.95, (0,), ("--test-share", "0.25")),
    "goemotions": Case("5m", None, (0,), ("--target", "labels"), rows=10_000),
    "stsb_en": Case("5m", None, (0,), ("--target", "score")),
}


def main() -> None:
    """Run the cases asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", default=",".join(CASES))
    parser.add_argument("--seeds", default=None)
    parser.add_argument("--baseline", action="store_true", help="also fit the ten lines of scikit-learn")
    arguments = parser.parse_args()
    for name in arguments.only.split(","):
        case = CASES[name]
        seeds = case.seeds if arguments.seeds is None else map(int, arguments.seeds.split(","))
        for seed in seeds:
            with tempfile.TemporaryDirectory() as folder:
                row = run(name, case, seed, arguments.data / name, Path(folder), arguments.baseline)
            append("foundation", row)
            print(json.dumps(row), flush=True)


def run(name: str, case: Case, seed: int, data: Path, folder: Path, baseline: bool) -> dict[str, Any]:
    """One run, as a user would start it."""
    source = data if case.rows is None else _first_rows(data, case.rows, folder / name)
    command = [sys.executable, "-m", "autotl.cli", "fit", str(source), "--time", case.budget, "--offline"]
    command += ["--seed", str(seed), "--out", str(folder / "run"), *case.options]
    environment = {
        **os.environ,
        "AUTOTL_CACHE_DIR": str(folder / "cache"),
        "AUTOTL_DATA_DIR": str(folder / "data"),
    }
    start = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    seconds = time.monotonic() - start
    if done.returncode != 0:
        return {"set": name, "seed": seed, "error": done.stderr[-2000:]}
    record = json.loads((folder / "run" / "run.json").read_text())
    results = [json.loads(p.read_text()) for p in sorted(folder.glob("run/trials/*/result.json"))]
    row = {
        "set": name,
        "seed": seed,
        "budget": case.budget,
        "target": case.target,
        **{
            key: record["test"][key]
            for key in ("metric", "score", "low", "high", "n", "trivial", "from_scratch")
        },
        "metrics": record["test"]["metrics"],
        "winner": record["winner"],
        "trials": [
            [r["config"]["strategy"], r["score"], round(r["seconds"], 1), r["state"]] for r in results
        ],
        "seconds": round(seconds, 1),
        "first_model_seconds": round(record["first_model_seconds"], 1),
        "overhead_seconds": record.get("overhead_seconds"),
        "peak_mib": max(r["peak_bytes"] for r in results) // 2**20,
        "child_peak_rss_mib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
    }
    if baseline:
        row["ten_lines"] = ten_lines(folder / "run", record)
    return row


def ten_lines(folder: Path, record: dict[str, Any]) -> dict[str, Any]:
    """Frozen features of the default backbone and scikit-learn's logistic regression, C from validation."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    from autotl.automl.reopen import reopen
    from autotl.trial.run_folder import RunFolder

    start = time.monotonic()
    runner = reopen(RunFolder(folder)).runner
    results = {result.number: result for result in runner.folder.results()}
    bench = runner.bench(results[0].config)
    depth, targets = (bench.backbone.depth,), runner.dataset.targets
    part = {p: getattr(runner.splits, p) for p in ("train", "val", "test")}
    x = {p: bench.frozen.pooled(rows, depth) for p, rows in part.items()}
    fits = [
        LogisticRegression(C=c, max_iter=1000).fit(x["train"], targets[part["train"]])
        for c in (0.1, 1, 10, 100)
    ]
    best = max(fits, key=lambda fit: fit.score(x["val"], targets[part["val"]]))
    both = np.concatenate([part["train"], part["val"]])
    refit = LogisticRegression(C=best.C, max_iter=1000).fit(
        np.concatenate([x["train"], x["val"]]), targets[both]
    )
    return {
        "C": best.C,
        "score": best.score(x["test"], targets[part["test"]]),
        "refitted": refit.score(x["test"], targets[part["test"]]),
        "seconds": round(time.monotonic() - start, 1),
    }


def _first_rows(data: Path, rows: int, target: Path) -> Path:
    """A copy of a folder of CSV files with the first training rows only."""
    import pandas as pd

    target.mkdir(parents=True)
    for path in data.glob("*.csv"):
        table = pd.read_csv(path, keep_default_na=False)
        table.head(rows if path.stem == "train" else len(table)).to_csv(target / path.name, index=False)
    return target


if __name__ == "__main__":
    main()
