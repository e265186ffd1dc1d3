"""One `autotl fit` in a process of its own, as a user would start it; and the ten lines alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autotl import AutoTL


class FitFailedError(RuntimeError):
    """The command ended with an error; its message is the end of what it wrote."""


@dataclass(frozen=True)
class Fitted:
    """What a run left.

    Attributes:
        folder: The run folder.
        record: Its `run.json`.
        results: Results of its trials by number, as JSON.
        seconds: Wall-clock time of the process.
    """

    folder: Path
    record: dict[str, Any]
    results: list[dict[str, Any]]
    seconds: float

    @property
    def test(self) -> dict[str, Any]:
        """Score of the test part, with its interval."""
        return {key: self.record["test"][key] for key in ("metric", "score", "low", "high", "n")}


def fit(
    source: Path,
    folder: Path,
    *,
    budget: str,
    seed: int,
    flags: Sequence[str] = (),
    plugins: Path | None = None,
) -> Fitted:
    """Fit on a data set, with caches and experience of its own.

    Args:
        source: The data.
        folder: Where run, caches and experience go.
        budget: Time for the whole run, such as "3m".
        seed: Seed of the run.
        flags: Further options of `autotl fit`.
        plugins: A folder with distributions of plug-ins, for the path of the process.

    Raises:
        FitFailedError: The command failed.
    """
    command = [sys.executable, "-m", "autotl.cli", "fit", str(source), "--time", budget, "--offline"]
    command += ["--seed", str(seed), "--out", str(folder / "run"), *flags]
    environment = {
        **os.environ,
        "AUTOTL_CACHE_DIR": str(folder / "cache"),
        "AUTOTL_DATA_DIR": str(folder / "data"),
    }
    if plugins is not None:
        environment["PYTHONPATH"] = os.pathsep.join([str(plugins), *sys.path])
    start = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    seconds = time.monotonic() - start
    if done.returncode != 0:
        raise FitFailedError(done.stderr[-2000:])
    record = json.loads((folder / "run" / "run.json").read_text())
    results = [json.loads(p.read_text()) for p in sorted(folder.glob("run/trials/*/result.json"))]
    return Fitted(folder / "run", record, results, seconds)


def trial_zero(folder: Path, **parameters: Any) -> AutoTL:
    """An estimator that fits frozen features under a linear head, trial 0 of every run, and no more.

    Args:
        folder: Where its run and its search space go.
        parameters: Further ones of `AutoTL`.
    """
    space = folder / "space.toml"
    space.write_text("[strategies.from_scratch]\nenabled = false\n")
    how = {"time_budget": None, "trials": 1, "offline": True, "experience": False}
    return AutoTL(**how, space=space, out=folder / "run", **parameters)
