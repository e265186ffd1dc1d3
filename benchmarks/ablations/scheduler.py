"""Schedulers beside 40 random full trainings: on recorded tables, and for real."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from autotl.automl.estimator import AutoTL
from autotl.search.simulated import Table, TableSpace
from benchmarks import contenders
from benchmarks.ablations.target import Arm, Figures, Line, Profile, Workspace
from benchmarks.fitting import fit
from benchmarks.schedulers import ARMS, BUDGETS_MINUTES, TAUGHT, reached_within, regrets, simulate
from benchmarks.sets import SETS, prepare
from benchmarks.tables import TABLES

#: What a search is compared with, and the share of its time and the distance that the target speaks of.
_TRAININGS, _SHARE, _POINTS = 40, 0.1, 0.3
_REAL_SETS, _REAL_BUDGET = ("signdigits", "trashnet256", "sst2", "banking77_16"), "10m"
_REAL_ARMS = ("fifo", "asha", "pasha", "gain", *contenders.CONTENDERS)
#: How a simulated arm is told from a real one.
_SIMULATED, _REAL = "simulated ", "real "


class SchedulerTarget:
    """A line a table and scheduler, and a line a set and scheduler."""

    name = "scheduler"

    def arms(self, profile: Profile) -> list[Arm]:
        """The recorded tables, with the default alone or with all; then real runs of ten minutes."""
        tables = [path.stem for path in sorted(TABLES.glob("*.jsonl"))]
        arms = ARMS if profile.all_schedulers else (_default(),)
        found = [Arm(self.name, table, 0, _SIMULATED + name) for table in tables for name in arms]
        if profile.all_schedulers:
            sets = [name for name in _REAL_SETS if name in profile.sets]
            found += [
                Arm(self.name, name, seed, _REAL + judge)
                for seed in profile.seeds
                for name in sets
                for judge in _REAL_ARMS
            ]
        return found

    def run(self, arm: Arm, work: Workspace) -> dict[str, Any]:
        """Simulate over all orders of configurations, or fit once."""
        if arm.name.startswith(_SIMULATED):
            table = Table.read(TABLES / f"{arm.set}.jsonl")
            return simulated(table, arm.name.removeprefix(_SIMULATED), work.profile.simulated_seeds)
        source = prepare(arm.set, work.data, work.folder, rows=work.profile.rows)
        data, name, plugins = SETS[arm.set], arm.name.removeprefix(_REAL), None
        flags: Sequence[str] = ("--scheduler", name)
        if name in contenders.CONTENDERS:
            plugins = contenders.installed(work.folder)
            flags = contenders.flags(work.folder, name, "image" if data.images else "text")
        how = {"flags": [*data.flags, *flags], "plugins": plugins}
        run = fit(source, work.folder, budget=_REAL_BUDGET, seed=arm.seed, **how)
        best = run.record["winner"]["validation_score"]
        return {**run.test, "validation_score": best, "trials": len(run.results)}

    def figures(self, lines: Sequence[Line]) -> Figures:
        """Gap and time of the default scheduler, taught by the other tables; means over tables."""
        own = [line for line in lines if line["arm"] == _SIMULATED + _default()]
        return {
            f"scheduler_{key}": round(statistics.mean(line[key] for line in own), 4) if own else None
            for key in ("gap_points", "time_share")
        }


def _default() -> str:
    """The arm of the scheduler that a run has where none is asked for."""
    return f"{TAUGHT}{AutoTL().get_params()['scheduler']}"


def simulated(table: Table, name: str, seeds: int) -> dict[str, Any]:
    """A scheduler on a table: distance from 40 random full trainings, and regret by budget.

    Returns:
        `gap_points`, how far below their best score a search is that is given a tenth of their time;
        `time_share`, the share of their time after which one without haste is within 0.3 points (1 where
        never); `regret` of searches with budgets of so many minutes. Means over seeds.
    """
    with ProcessPoolExecutor() as pool:
        lines = list(pool.map(partial(_compared, table, name), range(seeds)))
    gaps, shares, regret = zip(*lines, strict=True)
    error = np.std(regret, axis=0, ddof=1 if seeds > 1 else 0) / np.sqrt(seeds)
    return {
        "trials": len(table.configs),
        "seeds": seeds,
        "gap_points": round(statistics.mean(gaps), 4),
        "time_share": round(statistics.mean(shares), 4),
        "minutes": BUDGETS_MINUTES,
        "regret": np.mean(regret, axis=0).round(5).tolist(),
        "standard_error": error.round(5).tolist(),
    }


def _compared(table: Table, name: str, seed: int) -> tuple[float, float, list[float]]:
    """Distance, share of time, and regret by budget with one order of the configurations."""
    curves = [table.curves[config.key] for config in TableSpace(table, seed).portfolio()[:_TRAININGS]]
    seconds = sum(epoch.seconds for curve in curves for epoch in curve)
    reference = max(epoch.score for curve in curves for epoch in curve)
    gap = 100 * (reference - reached_within(table, name, seed, _SHARE * seconds))
    found = simulate(table, name, seed, max(2 * seconds, 60.0 * max(BUDGETS_MINUTES)))
    near = (at for at, score in found if score >= reference - _POINTS / 100)
    return gap, min(next(near, seconds) / seconds, 1.0), regrets(table, name, seed)


TARGET = SchedulerTarget()
