"""Picks a trial from a leaderboard by its cost: the fastest, or the smallest, that scores nearly as well."""

from __future__ import annotations

import math
from collections.abc import Callable

from autotl.errors import RunError, SettingsError
from autotl.leaderboard.leaderboard import Leaderboard, Row

_COSTS: dict[str, Callable[[Row], float | None]] = {
    "fastest-within": lambda row: row.latency_ms,
    "smallest-within": lambda row: row.size_bytes,
}
RULES = tuple(_COSTS)


def pick(board: Leaderboard, rule: str, share: str) -> int:
    """The number of the cheapest trial that scores nearly as well as the best one.

    Args:
        board: The leaderboard.
        rule: One of `RULES`: what counts as cheap, latency or size.
        share: How far below the best score, as a share of it: "1%" or "0.01".

    Returns:
        Its number; of equally cheap ones that of the best score.

    Raises:
        SettingsError: An unknown rule, or no share.
        RunError: No trial has a score, or of none that scores well enough the cost is known.
    """
    if rule not in _COSTS:
        raise SettingsError("unknown rule to pick a trial by", found=repr(rule), expected=", ".join(RULES))
    allowed = _share(share)
    scored = [row for row in board if row.score is not None]
    if not scored:
        raise RunError("no trial can be picked", found="none with a score")
    best = scored[0].score or 0.0
    near = [row for row in scored if abs(best - (row.score or 0.0)) <= allowed * abs(best) + 1e-12]
    costs = [(cost, row.rank, row.trial) for row in near if (cost := _COSTS[rule](row)) is not None]
    if not costs:
        numbers = ", ".join(str(row.trial) for row in near)
        raise RunError(
            f"no trial can be picked by {rule} {share}",
            found=f"trials {numbers} score well enough, and none of them was measured",
            expected="a run that came to its end",
            hint="Choose one yourself: autotl export RUN --trial N",
        )
    return min(costs)[2]


def _share(text: str) -> float:
    """A share from "1%" or "0.01"."""
    is_percent = text.endswith("%")
    try:
        value = float(text.removesuffix("%")) / (100 if is_percent else 1)
    except ValueError:
        value = math.nan
    if not 0 <= value < 1:
        raise SettingsError("no share of the best score", found=repr(text), expected="from 0% to 100%: 1%")
    return value
