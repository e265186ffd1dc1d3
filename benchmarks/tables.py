"""Records whole learning curves of defaults and random draws: the tables that the simulated backend replays.

    python -m benchmarks.tables DATA_FOLDER [--only signdigits,sst2] [--trials 40] [--minutes 30]

One line a trial in `tables/<set>.jsonl`, from at most 1,000 training and 600 validation rows, at 128 px, in 2
to 8 epochs; the time of the first epoch is that of loading and of features too. The portfolio comes first,
then random configurations, of which the same number is the same one on all sets of a kind, but for parameters
that only some of them have. A table that is there is continued.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna

from autotl.config import EpochResult, TrialConfig
from autotl.errors import AutotlError
from autotl.features.allocator import keep_freed_memory
from autotl.search.simulated import Table
from autotl.space.space import SearchSpace
from autotl.trial.runner import TrialRunner
from benchmarks.opening import open_search
from benchmarks.sets import SETS, prepare

TABLES = Path(__file__).parent / "tables"
ROWS = (1000, 600)
#: What whole trainings may take where two cores are all there is: short schedules, and small images.
_EPOCHS = "[parameters.epochs]\nlow = 2\nhigh = 8\ndefault = 8\nadjust = []\n"
_IMAGE_SIZE = "[parameters.input_size]\noptions = [128]\n"
RECORDED = ("signdigits", "trashnet256", "neu_defects", "banking77", "sst2", "germeval2018")


def main() -> None:
    """Record the tables asked for, set after set, each for its share of the time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", default=",".join(RECORDED))
    parser.add_argument("--trials", type=int, default=40, help="random ones")
    parser.add_argument("--minutes", type=float, default=60.0, help="for all sets together")
    arguments = parser.parse_args()
    keep_freed_memory()
    names = arguments.only.split(",")
    end = time.monotonic() + 60 * arguments.minutes
    for index, name in enumerate(names):
        left = (end - time.monotonic()) / (len(names) - index)
        record(name, arguments.data, arguments.trials, time.monotonic() + left)


def record(name: str, data: Path, trials: int, until: float) -> None:
    """Go on with the table of one data set until it has all there is to record, or the time is over."""
    path = TABLES / f"{name}.jsonl"
    known = {config.key for config in Table.read(path).configs} if path.exists() else set()
    with tempfile.TemporaryDirectory() as folder:
        source = prepare(name, data, Path(folder))
        overrides = _EPOCHS + (_IMAGE_SIZE if SETS[name].images else "")
        space, runner = open_search(
            source, Path(folder), rows=ROWS, overrides=overrides, quality="best", **dict(SETS[name].options)
        )
        for number, config in enumerate([*space.portfolio(), *(draw(space, n) for n in range(trials))]):
            if time.monotonic() > until:
                break
            if config.key in known:
                continue
            line = _train(runner, number, config)
            if line is not None:
                TABLES.mkdir(exist_ok=True)
                with path.open("a") as file:
                    file.write(json.dumps(line) + "\n")
                print(f"{name} {number}: {line['curve'][-1]['score']:.4f} {config}", flush=True)


class ByName(optuna.samplers.RandomSampler):
    """Draws each parameter by its own name, so that one that a space lacks changes no other.

    Args:
        number: Another one gives another draw.
    """

    def __init__(self, number: int) -> None:
        super().__init__(seed=number)
        self._number = number

    def sample_independent(
        self,
        study: optuna.Study,
        trial: optuna.trial.FrozenTrial,
        param_name: str,
        param_distribution: optuna.distributions.BaseDistribution,
    ) -> Any:
        """One parameter."""
        own = optuna.samplers.RandomSampler(seed=zlib.crc32(f"{self._number} {param_name}".encode()))
        return own.sample_independent(study, trial, param_name, param_distribution)


def draw(space: SearchSpace, number: int) -> TrialConfig:
    """The random configuration of a number."""
    return space.suggest(optuna.create_study(sampler=ByName(number)).ask())


def _train(runner: TrialRunner, number: int, config: TrialConfig) -> dict[str, object] | None:
    """The whole curve of a configuration, with the wall-clock time of each epoch; None where it failed."""
    curve: list[EpochResult] = []
    begun = time.perf_counter()
    try:
        trial = runner.start(number, config)
        while not trial.done:
            epoch = trial.step()
            now = time.perf_counter()
            curve.append(replace(epoch, seconds=round(now - begun, 4)))
            begun = now
    except (AutotlError, RuntimeError) as error:
        print(f"failed: {config}: {error}", flush=True)
        return None
    return {
        "config": config.to_json(),
        "curve": [epoch.to_json() for epoch in curve],
        "validation_rows": len(runner.splits.val),
    }


if __name__ == "__main__":
    main()
