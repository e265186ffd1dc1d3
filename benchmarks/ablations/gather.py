"""Which arms are still to be run, and the summary of those that were: functions of the lines alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.ablations.target import Arm, Figures, Line, Target

#: The figures of the summary, whether they are known or not.
FIGURES = (
    "cache_speedup_median",
    "ranking_within_1pt_share",
    "ranking_cost_share",
    "scheduler_gap_points",
    "scheduler_time_share",
    "tenlines_margin_mean",
    "tenlines_margin_worst",
    "first_model_seconds_median",
    "head_trial_ms",
    "peak_mib_100k_rows",
)
Key = tuple[Any, ...]


def key(arm: Arm, profile: str, commit: str) -> Key:
    """What makes a measurement the same as another."""
    return (arm.target, arm.set, arm.seed, arm.name, profile, commit)


def done(lines: Iterable[Line]) -> dict[Key, Line]:
    """The last line of each measurement that did not fail, by its key."""
    fields = ("target", "set", "seed", "arm", "profile", "commit")
    return {tuple(line[name] for name in fields): line for line in lines if "error" not in line}


def pending(arms: Iterable[Arm], lines: Iterable[Line], profile: str, commit: str) -> list[Arm]:
    """Arms without a line. A commit with changes ("+") has none: nobody knows what was measured under it."""
    known = {} if commit.endswith("+") else done(lines)
    return [arm for arm in arms if key(arm, profile, commit) not in known]


def summary(
    targets: Sequence[Target], lines: Iterable[Line], profile: str, origin: Mapping[str, Any]
) -> dict[str, Any]:
    """Origin and figures; null for what was not measured on this commit.

    Args:
        targets: Those that there are.
        lines: All lines of the result file.
        profile: Whose lines count.
        origin: `commit`, `date` and `machine`.
    """
    known = [
        line
        for line in done(lines).values()
        if line["profile"] == profile and line["commit"] == origin["commit"]
    ]
    figures: Figures = dict.fromkeys(FIGURES)
    for target in targets:
        figures |= target.figures([line for line in known if line["target"] == target.name])
    return {**origin, "profile": profile, **figures}
