"""Picks a trial from a leaderboard by its cost: the fastest, or the smallest, that scores nearly as well."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from autotl.data.rows import plural
from autotl.errors import RunError, SettingsError
from autotl.leaderboard.leaderboard import Leaderboard, Row


@dataclass(frozen=True)
class _Rule:
    """What counts as cheap; costs are shown in units of `unit`."""

    cost: Callable[[Row], float | None]
    superlative: str
    unit: float
    suffix: str

    def words(self, row: Row) -> str:
        """Score and cost of a trial."""
        cost = self.cost(row)
        told = "not measured" if cost is None else f"{cost / self.unit:.3g} {self.suffix}"
        return f"{row.score:.4f}, {told}"


_RULES = {
    "fastest-within": _Rule(lambda row: row.latency_ms, "fastest", 1.0, "ms"),
    "smallest-within": _Rule(lambda row: row.size_bytes, "smallest", 1e6, "MB"),
}
RULES = tuple(_RULES)


@dataclass(frozen=True)
class Pick:
    """The trial that was picked, and in a sentence what it was compared with."""

    trial: int
    reason: str


def pick(board: Leaderboard, rule: str, share: str) -> Pick:
    """The cheapest trial that scores nearly as well as the best one.

    Args:
        board: The leaderboard.
        rule: One of `RULES`: what counts as cheap, latency or size.
        share: How far below the best score, as a share of it: "1%" or "0.01".

    Returns:
        It; of equally cheap ones that of the best score.

    Raises:
        SettingsError: An unknown rule, or no share.
        RunError: No trial has a score, or of none that scores well enough the cost is known.
    """
    if rule not in _RULES:
        raise SettingsError("unknown rule to pick a trial by", found=repr(rule), expected=", ".join(RULES))
    allowed = _share(share)
    scored = [row for row in board if row.score is not None]
    if not scored:
        raise RunError("no trial can be picked", found="none with a score")
    best, how = scored[0], _RULES[rule]
    least = allowed * abs(best.score or 0.0) + 1e-12
    near = [row for row in scored if abs((best.score or 0.0) - (row.score or 0.0)) <= least]
    measured = [row for row in near if how.cost(row) is not None]
    if not measured:
        numbers = ", ".join(str(row.trial) for row in near)
        raise RunError(
            f"no trial can be picked by {rule} {share}",
            found=f"trials {numbers} score well enough, and none of them was measured",
            expected="a run that came to its end",
            hint="Choose one yourself: autotl export RUN --trial N",
        )
    picked = min(measured, key=lambda row: how.cost(row) or 0.0)
    reason = f"Trial {picked.trial} ({how.words(picked)}) is the {how.superlative} of "
    reason += f"{plural(len(measured), 'trial')} within {share} of the best score"
    other = "" if picked is best else f"; the best is trial {best.trial} ({how.words(best)})"
    return Pick(picked.trial, f"{reason}{other}.")


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
