"""Which trial wins: the best on validation, or a much cheaper one that is as good within the noise."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from autotl.config import TrialResult, TrialState
from autotl.errors import SearchError
from autotl.leaderboard.interval import Interval

#: How much one trial gains over another on the same rows, positive where it is better.
Gain = Callable[[TrialResult, TrialResult], Interval]
#: The fact that tells which limit a trial's model is over, in words.
OVER_LIMIT = "over_limit"


def select(results: Sequence[TrialResult]) -> int:
    """Number of the trial with the best validation score; of equals the cheapest, then the earliest.

    Trial 0, the default recipe, is a candidate like any other.

    Raises:
        SearchError: No trial has a score.
    """
    candidates = [result for result in results if is_candidate(result)]
    if not candidates:
        raise SearchError(
            "no trial can be chosen",
            found=f"{len(results)} trials, none with a score",
            expected="at least one finished trial",
            hint="Give more time: --time 10m.",
        )
    return min(candidates, key=order).number


def much_cheaper(results: Sequence[TrialResult], best: TrialResult, share: float) -> list[TrialResult]:
    """The candidates that cost at most this share of the best one, cheapest first."""
    found = [r for r in results if is_candidate(r) and _is_much_cheaper(r, best, share)]
    return sorted(found, key=lambda r: (cost(r), order(r)))


def within_one_standard_error(
    results: Sequence[TrialResult], best: TrialResult, gain: Gain, *, share: float
) -> TrialResult:
    """The cheapest of the much cheaper trials that the best one does not beat by more than the noise.

    The rule of one standard error (Breiman et al. 1984, section 3.4.3), with the error of the paired
    difference: what makes rows hard for both trials says nothing on which is better. So a trial that is
    nearly as good as the best, but right on other rows, is kept apart from one that is clearly worse.

    Args:
        results: Trials.
        best: The best of them.
        gain: How much one trial gains over another.
        share: Of the best one's cost that counts as much cheaper; 0 keeps the best.

    Returns:
        `best` where no other trial is both much cheaper and as good.
    """
    for rival in much_cheaper(results, best, share):
        over_rival = gain(best, rival)
        if over_rival.value <= over_rival.standard_error:
            return rival
    return best


def luck_of_best(trials: int) -> float:
    """How far the highest of so many scores that noise alone tells apart lies above their mean.

    In standard errors; the expected largest of normal variables, by the approximation of Blom (1958).
    """
    from scipy.special import ndtri

    return float(ndtri((trials - 0.375) / (trials + 0.25))) if trials > 1 else 0.0


def is_candidate(result: TrialResult) -> bool:
    """Whether a trial has weights and a finite score, and may be deployed: over no limit, not left out."""
    has_weights = result.state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.PAUSED)
    if OVER_LIMIT in result.facts or result.left_out is not None:
        return False
    return has_weights and result.score is not None and math.isfinite(result.score)


def cost(result: TrialResult) -> tuple[float, float, float, float]:
    """What a prediction costs, comparable between trials: latency, size, operations, weights.

    Unknown figures count as infinite.
    """
    names = ("latency_ms", "size_bytes", "macs", "parameters")
    figures = (result.facts.get(name) for name in names)
    latency, size, macs, weights = (math.inf if figure is None else float(figure) for figure in figures)
    return latency, size, macs, weights


def order(result: TrialResult) -> tuple[float, tuple[float, ...], int]:
    """Sorts trials that have a score: the best first, of equals the cheapest, then the earliest.

    Seconds of training tell nothing: they depend on which trial had to compute the features.
    """
    return -(result.score or 0.0), cost(result), result.number


def _is_much_cheaper(result: TrialResult, best: TrialResult, share: float) -> bool:
    """Whether the first figure that both trials know is at most the share of the best one's."""
    for own, other in zip(cost(result), cost(best), strict=True):
        if math.isfinite(own) and math.isfinite(other):
            return own <= share * other
    return False
