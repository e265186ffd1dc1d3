"""Which trial wins: the best on validation, or a much cheaper one that is as good within the noise."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from autotl.config import TrialResult, TrialState
from autotl.errors import SearchError

RULES = ("best", "one_standard_error")


def select(
    results: Sequence[TrialResult],
    *,
    standard_errors: Mapping[int, float] | None = None,
    rule: str = "best",
    much_cheaper: float = 0.5,
) -> int:
    """Number of the winning trial.

    Args:
        results: Trials; those that failed or have no score are passed over. Trial 0, the baseline, is a
            candidate like any other, so that the winner is never worse than it on validation, but for the
            one standard error that the second rule allows.
        standard_errors: Standard error of the validation score by trial number; 0 where missing.
        rule: "best" takes the best score. "one_standard_error" (Breiman et al. 1984) takes the cheapest trial
            within one standard error of the best one, if it costs at most `much_cheaper` of it.
        much_cheaper: Share of the best trial's cost.

    Raises:
        SearchError: No trial has a score.
        ValueError: The rule is unknown.
    """
    if rule not in RULES:
        raise ValueError(f"unknown rule {rule!r}; expected one of {', '.join(RULES)}")
    candidates = [result for result in results if is_candidate(result)]
    if not candidates:
        raise SearchError(
            "no trial can be chosen",
            found=f"{len(results)} trials, none with a score",
            expected="at least one finished trial",
            hint="Give more time: --time 10m.",
        )
    best = min(candidates, key=_order)
    if rule == "best":
        return best.number
    margin = (standard_errors or {}).get(best.number, 0.0)
    near = [r for r in candidates if _score(r) >= _score(best) - margin and _cheaper(r, best, much_cheaper)]
    return min(near, key=lambda r: (cost(r), -_score(r), r.number)).number if near else best.number


def is_candidate(result: TrialResult) -> bool:
    """Whether a trial has weights and a finite score."""
    has_weights = result.state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.PAUSED)
    return has_weights and result.score is not None and math.isfinite(result.score)


def cost(result: TrialResult) -> tuple[float, float, float, float]:
    """What a prediction costs, comparable between trials: latency, size, weights, then training seconds.

    Unknown figures count as infinite.
    """
    figures = (result.facts.get(name) for name in ("latency_ms", "size_bytes", "parameters"))
    latency, size, weights = (math.inf if figure is None else float(figure) for figure in figures)
    return latency, size, weights, result.seconds


def _order(result: TrialResult) -> tuple[float, tuple[float, ...], int]:
    # Of equals the earlier wins, as simple recipes come first; seconds depend on who had to compute features.
    return -_score(result), cost(result)[:3], result.number


def _score(result: TrialResult) -> float:
    return -math.inf if result.score is None else result.score


def _cheaper(result: TrialResult, best: TrialResult, share: float) -> bool:
    """Whether the first figure that both trials know is at most `share` of the best one's."""
    for own, other in zip(cost(result)[:3], cost(best)[:3], strict=True):
        if math.isfinite(own) and math.isfinite(other):
            return own <= share * other
    return False
