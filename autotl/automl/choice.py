"""Which trial a run delivers, and whether it is fitted again on training and validation rows together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from autotl.config import TrialResult
from autotl.errors import SearchError
from autotl.leaderboard.interval import Interval
from autotl.leaderboard.selection import is_candidate, select


def choose(
    results: Sequence[TrialResult],
    can_refit: Callable[[TrialResult], bool],
    gain: Callable[[TrialResult, TrialResult], Interval],
) -> tuple[TrialResult, bool]:
    """The winner, and whether there is time to refit it.

    The rows of the validation part, once they are trained on, are worth about as much as the noise of a
    comparison. So a trial that cannot be refitted must beat the best one that can by more than one standard
    error of their difference.

    Args:
        results: All trials.
        can_refit: Whether a trial's final fit has time.
        gain: How much one trial gains over another on the validation rows.

    Raises:
        SearchError: No trial has a score.
    """
    candidates = [result for result in results if is_candidate(result)]
    if not candidates:
        errors = sorted({str(result.error) for result in results if result.error})
        raise SearchError("no trial could be finished", found="; ".join(errors) or "none was begun")
    winner = _best(candidates)
    if can_refit(winner):
        return winner, True
    refittable = [result for result in candidates if can_refit(result)]
    if not refittable:
        return winner, False
    rival = _best(refittable)
    over_rival = gain(winner, rival)
    return (winner, False) if over_rival.value > over_rival.standard_error else (rival, True)


def _best(candidates: Sequence[TrialResult]) -> TrialResult:
    number = select(candidates)
    return next(result for result in candidates if result.number == number)
