"""Whole runs beside the ten-line baseline, on the same parts; and the overhead of those runs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from benchmarks.ablations.target import Arm, Figures, Line, Profile, Workspace
from benchmarks.baseline import ten_lines
from benchmarks.fitting import fit
from benchmarks.sets import SETS, prepare

#: The budget that the mean over image sets speaks of.
_HEADLINE = "10m"


class TenLinesTarget:
    """On each set, a run of each budget."""

    name = "tenlines"

    def arms(self, profile: Profile) -> list[Arm]:
        """All budgets of a set and seed in turn."""
        return [
            Arm(self.name, name, seed, budget)
            for name in profile.sets
            for seed in profile.seeds
            for budget in profile.fit_budgets[not SETS[name].images]
        ]

    def run(self, arm: Arm, work: Workspace) -> dict[str, Any]:
        """One run, and the baseline on its parts."""
        source = prepare(arm.set, work.data, work.folder, rows=work.profile.rows)
        run = fit(source, work.folder, budget=arm.name, seed=arm.seed, flags=SETS[arm.set].flags)
        baseline = ten_lines(run)
        accuracy = run.record["test"]["metrics"]["accuracy"]
        return {
            **run.test,
            "accuracy": accuracy,
            "ten_lines": baseline,
            "margin": round(100 * (accuracy - max(baseline["score"], baseline["refitted"])), 2),
            "winner": run.record["winner"]["config"],
            "seconds": round(run.seconds, 1),
            "overhead_share": round(run.record["overhead_seconds"] / run.seconds, 4),
        }

    def figures(self, lines: Sequence[Line]) -> Figures:
        """Points ahead: the mean over image sets at ten minutes, and the worst of all.

        And the share of runs that are behind beyond noise: whose gain is negative in the whole of its 95 %
        interval. Of runs that are level, one in forty is.
        """
        headline = [line["margin"] for line in lines if line["arm"] == _HEADLINE and SETS[line["set"]].images]
        margins = [line["margin"] for line in lines]
        highs = [line["ten_lines"]["gain"]["high"] for line in lines if "gain" in line["ten_lines"]]
        shares = [line["overhead_share"] for line in lines]
        return {
            "tenlines_margin_mean": round(statistics.mean(headline), 2) if headline else None,
            "tenlines_margin_worst": min(margins, default=None),
            "tenlines_behind_share": round(statistics.mean(high < 0 for high in highs), 3) if highs else None,
            "overhead_share_median": round(statistics.median(shares), 4) if shares else None,
        }


TARGET = TenLinesTarget()
