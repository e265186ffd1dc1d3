"""How soon a run has a model: fitted in memory, and as a bundle on disk."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from benchmarks.ablations.target import Arm, Figures, Line, Profile, Workspace
from benchmarks.fitting import fit
from benchmarks.sets import SETS, prepare

#: Training rows that the target speaks of, and a budget in which the first model is nearly all there is.
_ROWS, _BUDGET = 2000, "60s"


class FirstModelTarget:
    """A short run of each set."""

    name = "first_model"

    def arms(self, profile: Profile) -> list[Arm]:
        """One run a set and seed."""
        return [Arm(self.name, name, seed, "fit") for name in profile.sets for seed in profile.seeds]

    def run(self, arm: Arm, work: Workspace) -> dict[str, Any]:
        """Both times from the start of the process, as `run.json` has them."""
        source = prepare(arm.set, work.data, work.folder, rows=work.profile.rows or _ROWS)
        run = fit(source, work.folder, budget=_BUDGET, seed=arm.seed, flags=SETS[arm.set].flags)
        keys = ("first_predictor_seconds", "first_model_seconds")
        return {key: round(run.record[key], 1) for key in keys} | {"seconds": round(run.seconds, 1)}

    def figures(self, lines: Sequence[Line]) -> Figures:
        """Medians over sets and seeds; the first model is the loadable bundle."""
        return {
            f"{key}_median": round(statistics.median(line[key] for line in lines), 1) if lines else None
            for key in ("first_predictor_seconds", "first_model_seconds")
        }


TARGET = FirstModelTarget()
