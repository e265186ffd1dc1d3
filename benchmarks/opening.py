"""Space and runner of a data set, for measurements that start trials themselves."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna

from autotl.automl.delivery import some
from autotl.automl.estimator import AutoTL
from autotl.automl.inspect import plan_space, read_data
from autotl.automl.settings import Settings, pick_device
from autotl.space.space import SearchSpace
from autotl.trial.plan import Resources, RunnerPlan
from autotl.trial.run_folder import RunFolder
from autotl.trial.runner import TrialRunner


def open_search(
    data: Path,
    folder: Path,
    *,
    rows: tuple[int, int] | None = None,
    overrides: str = "",
    runner: type[TrialRunner] = TrialRunner,
    deadline: Callable[[], float] = lambda: math.inf,
    **options: Any,
) -> tuple[SearchSpace, TrialRunner]:
    """Read a data set offline and plan its search, as `autotl fit` does.

    Args:
        data: The data set.
        folder: Where results and caches go.
        rows: At most so many training and validation rows.
        overrides: TOML that overrides the search space.
        runner: What runs the trials.
        deadline: When training must end.
        **options: Parameters of `AutoTL`.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    options = {"time_budget": None, "trials": 1, **options}
    if overrides:
        options["space"] = folder / "space.toml"
        options["space"].write_text(overrides)
    settings = Settings.of(AutoTL(offline=True, out=folder, **options).get_params())
    dataset, splits = read_data(data, settings)
    if rows is not None:
        splits = some(splits, dataset.targets, *rows, seed=0)
    profile, space, _, infos = plan_space(dataset, splits, settings, device="cpu")
    resources = Resources(pick_device("cpu", None), None, True, settings.seed, folder)
    plan = RunnerPlan(dataset, splits, infos, profile.inputs, RunFolder(folder / "run"), resources)
    return space, runner(plan, deadline=deadline)
