"""Hands a run to Ray: what a worker needs to build the same trial runner in its own process."""

from __future__ import annotations

import time
from collections.abc import Callable

from autotl.config import TrialResult
from autotl.search.budget import Budget
from autotl.search.events import Listener
from autotl.search.ray import run_ray
from autotl.space.space import SearchSpace
from autotl.trial.runner import TrialRunner


def search_with_ray(
    space: SearchSpace,
    runner: TrialRunner,
    budget: Budget,
    seed: int,
    deadline: Callable[[], float],
    listener: Listener,
) -> list[TrialResult]:
    """Search under Ray Tune; workers share the run folder, and cached features on one machine."""
    plan, seconds = runner.plan, deadline() - time.monotonic()
    until = time.time() + seconds

    def build() -> TrialRunner:
        # Monotonic clocks differ between machines; the wall clock is near enough for a deadline.
        return TrialRunner(plan, deadline=lambda: time.monotonic() + until - time.time())

    epochs = max((config.epochs for config in space.portfolio()), default=1)
    return run_ray(space, build, runner.folder, budget=budget, seed=seed, listener=listener, epochs=epochs)
