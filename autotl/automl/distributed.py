"""Hands a run to Ray: what a worker needs to build the same trial runner in its own process."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from autotl.automl.settings import Settings, pick_device
from autotl.backbones.backbone import BackboneInfo
from autotl.features.allocator import keep_freed_memory
from autotl.search.ray import run_ray
from autotl.search.ray_session import RaySetup
from autotl.trial.plan import RunnerPlan
from autotl.trial.run_folder import RunFolder
from autotl.trial.runner import TrialRunner

if TYPE_CHECKING:
    from autotl.config import TrialResult
    from autotl.search.budget import Budget
    from autotl.search.events import Listener
    from autotl.space.space import SearchSpace


def search_with_ray(
    space: SearchSpace,
    runner: TrialRunner,
    budget: Budget,
    settings: Settings,
    deadline: Callable[[], float],
    listener: Listener,
) -> list[TrialResult]:
    """Search under Ray Tune; workers share the run folder, and cached features on one machine."""
    plan, seconds = portable(runner.plan), deadline() - time.monotonic()
    until = time.time() + seconds
    setup = ray_setup(settings, plan.resources.device.type)
    device = "cpu" if setup.trial_gpus == 0 else "cuda"  # a worker sees the cards it reserved, from 0 on
    threads = settings.threads or max(1, int(setup.trial_cpus))

    def build() -> TrialRunner:
        keep_freed_memory()
        resources = replace(plan.resources, device=pick_device(device, threads), threads=threads)
        # Monotonic clocks differ between machines; the wall clock is near enough for a deadline.
        return TrialRunner(
            replace(plan, resources=resources), deadline=lambda: time.monotonic() + until - time.time()
        )

    return run_ray(
        space,
        build,
        runner.folder,
        budget=budget,
        seed=settings.seed,
        listener=listener,
        epochs=max((config.epochs for config in space.portfolio()), default=1),
        setup=setup,
    )


def ray_setup(settings: Settings, device: str) -> RaySetup:
    """Where trials run; each has a GPU to itself where this machine trains on one, unless told otherwise."""
    gpus = settings.trial_gpus
    if gpus is None:
        gpus = 1.0 if device == "cuda" else 0.0
    return RaySetup(settings.ray_address, settings.trial_cpus, gpus)


def portable(plan: RunnerPlan) -> RunnerPlan:
    """The plan with absolute paths: a worker has a working folder of its own."""
    items = [item.absolute() if isinstance(item, Path) else item for item in plan.dataset.items]
    return replace(
        plan,
        dataset=replace(plan.dataset, items=items),
        infos={name: _absolute(info) for name, info in plan.infos.items()},
        folder=RunFolder(plan.folder.path.absolute()),
        resources=replace(plan.resources, cache_dir=plan.resources.cache_dir.absolute()),
    )


def _absolute(info: BackboneInfo) -> BackboneInfo:
    if info.source != "local":
        return info
    return replace(info, reference=str(Path(info.reference).expanduser().absolute()))
