"""Which arms are still to be run, and the summary of those that were: functions of the lines alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.ablations.target import Arm, Figures, Line, Profile, Target

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
Rises = Sequence[Sequence[float]]


def key(arm: Arm, profile: str, commit: str) -> Key:
    """What makes a measurement the same as another."""
    return (arm.target, arm.set, arm.seed, arm.name, profile, commit)


def done(lines: Iterable[Line]) -> dict[Key, Line]:
    """The last line of each measurement that did not fail, by its key."""
    return {
        key(
            Arm(line["target"], line["set"], line["seed"], line["arm"]),
            whole(line["profile"]),
            line["commit"],
        ): line
        for line in lines
        if "error" not in line
    }


def whole(profile: str) -> str:
    """The name of a profile without the choice of sets that earlier lines carry in it."""
    return re.sub(r" sets=\S+", "", profile)


def reached_by_both(on: Rises, off: Rises) -> tuple[float, float, float] | None:
    """The best score that both of two searches reached, and after how many seconds each.

    Args:
        on: (seconds, score) at each rise of the best score.
        off: The same of the other.

    Returns:
        None where one of them reached no score at all.
    """
    if not on or not off:
        return None
    level = min(on[-1][1], off[-1][1])
    first_on, first_off = (next(at for at, score in rises if score >= level) for rises in (on, off))
    return level, first_on, first_off


def pending(arms: Iterable[Arm], lines: Iterable[Line], profile: str, commit: str) -> list[Arm]:
    """Arms without a line. A commit with changes ("+") has none: nobody knows what was measured under it."""
    known = {} if commit.endswith("+") else done(lines)
    return [arm for arm in arms if key(arm, profile, commit) not in known]


def summary(
    targets: Sequence[Target], lines: Iterable[Line], profile: Profile, origin: Mapping[str, Any]
) -> dict[str, Any]:
    """Origin and figures; null for what was never measured.

    The figures of a target are all of one commit, named under "commits": that on which most of its present
    arms were measured, the latest of several.

    Args:
        targets: Those that there are.
        lines: All lines of the result file, the oldest first.
        profile: Whose arms count.
        origin: `commit`, `date` and `machine`.
    """
    known = done(lines)
    figures: Figures = dict.fromkeys(FIGURES)
    commits: dict[str, str] = {}
    for target in targets:
        wanted = {key(arm, profile.name, "")[:-1] for arm in target.arms(profile)}
        own = [line for found, line in known.items() if found[:-1] in wanted and not found[-1].endswith("+")]
        if own:
            commits[target.name] = _most_measured(own)
        figures |= target.figures([line for line in own if line["commit"] == commits[target.name]])
    return {**origin, "profile": profile.name, "commits": commits, **figures}


def _most_measured(lines: Sequence[Line]) -> str:
    """The commit with the most lines, of several the one that comes last."""
    counts = Counter(line["commit"] for line in lines)
    latest = {line["commit"]: place for place, line in enumerate(lines)}
    return max(counts, key=lambda commit: (counts[commit], latest[commit]))
