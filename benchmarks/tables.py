"""Records whole learning curves of random configurations: the tables that the simulated backend replays.

    python -m benchmarks.tables DATA_FOLDER [--only signdigits,sst2] [--trials 40] [--minutes 30]

One line a trial in `tables/<set>.jsonl`, from at most 1,000 training and 300 validation rows, at 128 px.
A table that is there is continued; the same number of trial is always the same configuration.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import optuna

from autotl.automl.delivery import some
from autotl.automl.estimator import AutoTL
from autotl.automl.inspect import plan_space, read_data
from autotl.automl.settings import Settings, pick_device
from autotl.config import TrialConfig
from autotl.errors import AutotlError
from autotl.features.allocator import keep_freed_memory
from autotl.search.simulated import Table
from autotl.space.space import SearchSpace
from autotl.trial.run_folder import RunFolder
from autotl.trial.runner import Resources, RunnerPlan, TrialRunner

TABLES = Path(__file__).parent / "tables"
ROWS = (1000, 300)
SETS = {
    "signdigits": {},
    "trashnet256": {},
    "neu_defects": {},
    "banking77": {},
    "sst2": {},
    "germeval2018": {},
}
SMALL_IMAGES = "[parameters]\ninput_size = 128\n"


def main() -> None:
    """Record the tables asked for, set after set, each for its share of the time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", default=",".join(SETS))
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--minutes", type=float, default=60.0, help="for all sets together")
    arguments = parser.parse_args()
    keep_freed_memory()
    names = arguments.only.split(",")
    end = time.monotonic() + 60 * arguments.minutes
    for index, name in enumerate(names):
        left = (end - time.monotonic()) / (len(names) - index)
        record(name, arguments.data / name, arguments.trials, time.monotonic() + left)


def record(name: str, data: Path, trials: int, until: float) -> None:
    """Go on with the table of one data set until it has so many trials, or the time is over."""
    path = TABLES / f"{name}.jsonl"
    known = {config.key for config in Table.read(path).configs} if path.exists() else set()
    with tempfile.TemporaryDirectory() as folder:
        space, runner = _prepare(data, Path(folder), **SETS[name])
        for number in range(trials):
            config = draw(space, number)
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


def draw(space: SearchSpace, number: int) -> TrialConfig:
    """The random configuration of a number."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=number))
    return space.suggest(study.ask())


def _prepare(data: Path, folder: Path, **options: str) -> tuple[SearchSpace, TrialRunner]:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    user_space = folder / "space.toml"
    user_space.write_text(SMALL_IMAGES)
    model = AutoTL(offline=True, quality="best", out=folder, time_budget=None, trials=1, **options)
    settings = Settings.of(model.get_params())
    dataset, splits = read_data(data, settings)
    if dataset.modality == "image":
        settings = Settings.of(model.set_params(space=user_space).get_params())
    few = some(splits, dataset.targets, *ROWS, seed=0)
    profile, space, _, infos = plan_space(dataset, few, settings, device="cpu")
    resources = Resources(pick_device("cpu", None), None, True, 0, folder)
    plan = RunnerPlan(dataset, few, infos, profile.inputs, RunFolder(folder / "run"), resources)
    return space, TrialRunner(plan)


def _train(runner: TrialRunner, number: int, config: TrialConfig) -> dict[str, object] | None:
    """The whole curve of a configuration; None where it failed, which is told."""
    try:
        trial = runner.start(number, config)
        curve = []
        while not trial.done:
            curve.append(trial.step())
    except (AutotlError, RuntimeError) as error:
        print(f"failed: {config}: {error}", flush=True)
        return None
    return {"config": config.to_json(), "curve": [asdict(epoch) for epoch in curve]}


if __name__ == "__main__":
    main()
