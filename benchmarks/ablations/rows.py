"""Peak memory of passing many synthetic images through the cache, in a process of its own.

python -m benchmarks.ablations.rows 100000
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from autotl.automl.estimator import AutoTL
from autotl.automl.inspect import plan_space
from autotl.automl.settings import Settings, pick_device
from autotl.config import TrialConfig
from autotl.data.dataset import Dataset, Splits
from autotl.features.allocator import keep_freed_memory
from autotl.search.memory import PeakMemory
from autotl.task import Task, TaskKind
from autotl.trial.plan import Resources, RunnerPlan
from autotl.trial.run_folder import RunFolder
from autotl.trial.runner import TrialRunner

_PIXELS, _PARTS = 64, 10
_BACKBONE = "efficientnet-lite0"


class NoiseImages(Sequence[NDArray[np.uint8]]):
    """Images made when they are asked for, so that only what the engine keeps takes memory."""

    def __init__(self, rows: int) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return self._rows

    @overload
    def __getitem__(self, row: int) -> NDArray[np.uint8]: ...
    @overload
    def __getitem__(self, row: slice) -> list[NDArray[np.uint8]]: ...
    def __getitem__(self, row: int | slice) -> Any:
        if isinstance(row, slice):
            return [self[number] for number in range(self._rows)[row]]
        if not 0 <= row < self._rows:
            raise IndexError(row)
        return np.random.default_rng(row).integers(0, 256, (_PIXELS, _PIXELS, 3), np.uint8)


def main() -> None:
    """Compute the features of all rows, read them once, and print what that took."""
    rows = int(sys.argv[1])
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        runner = _runner(rows, Path(folder))
        bench = runner.bench(TrialConfig(_BACKBONE, "linear_probe", {"input_size": _PIXELS}))
        watch, begun = PeakMemory(), time.monotonic()
        for part in np.array_split(np.arange(rows), _PARTS):
            bench.frozen.pooled(part, (bench.backbone.depth,))
        row = {"rows": rows, "peak_mib": watch.stop() // 2**20, "seconds": round(time.monotonic() - begun, 1)}
    print(json.dumps(row))


def _runner(rows: int, folder: Path) -> TrialRunner:
    settings = Settings.of(AutoTL(offline=True, out=folder, time_budget=None, trials=1).get_params())
    targets = np.arange(rows) % 2
    task = Task(TaskKind.BINARY, ("even", "odd"), "accuracy")
    dataset = Dataset("image", task, NoiseImages(rows), targets, range(rows), source="synthetic")
    few = np.arange(min(rows, 300))
    splits = Splits(few[: len(few) // 2], few[len(few) // 2 :], np.empty(0, np.int64))
    sample = dataset.take(few)
    profile, _, _, infos = plan_space(sample, splits, settings, device="cpu")
    resources = Resources(pick_device("cpu", None), None, True, 0, folder)
    return TrialRunner(RunnerPlan(dataset, splits, infos, profile.inputs, RunFolder(folder), resources))


if __name__ == "__main__":
    main()
