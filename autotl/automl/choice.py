"""Which trial a run delivers, and whether it is fitted again on training and validation rows together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from autotl.config import TrialResult
from autotl.errors import SearchError
from autotl.leaderboard.selection import (
    OVER_LIMIT,
    Gain,
    is_candidate,
    luck_of_best,
    select,
    within_one_standard_error,
)


def contenders(results: Sequence[TrialResult], gain: Gain) -> list[TrialResult]:
    """The trials that may win: all that have a score, but of those that were cross-validated only the best.

    Heads on frozen features are compared with one another by cross-validation, where there is one, and with
    trainings, which have none, by the validation part. The score that decides between heads is not the one
    that then stands against the trainings, so the choice does not flatter it; the trainings have been chosen
    by it, and only those may win whose lead is more than the luck of the best of so many. The heads with the
    best scores are cross-validated first; where time ended before that, the validation part decides alone.

    Raises:
        SearchError: No trial has a score.
    """
    candidates = [result for result in results if is_candidate(result)]
    if not candidates:
        reasons = (result.error or result.left_out or result.facts.get(OVER_LIMIT) for result in results)
        errors = sorted({str(reason) for reason in reasons if reason})
        raise SearchError(
            "no trial can be delivered",
            found="; ".join(errors) or "the search ended before the first had a score",
            hint=None
            if errors
            else "Go on with --resume and more --time; a first model may lie in the run folder.",
        )
    heads = [result for result in candidates if result.config.fits_in_one_step]
    trained = [result for result in candidates if not result.config.fits_in_one_step]
    crossed = [result for result in heads if "cross_validated" in result.facts]
    if not crossed or max(r.score or 0.0 for r in crossed) < max(r.score or 0.0 for r in heads):
        return candidates
    head = max(crossed, key=lambda r: (r.facts["cross_validated"], r.score, -r.number))
    better = (result for result in trained if (result.score or 0.0) > (head.score or 0.0))
    luck = luck_of_best(len(trained))
    return [head, *(result for result in better if _beats(result, head, gain, luck=luck))]


def choose(
    results: Sequence[TrialResult],
    can_refit: Callable[[TrialResult], bool],
    gain: Gain,
    *,
    combined: Sequence[TrialResult] = (),
    cheaper_share: float = 0.0,
    gain_of_rows: Callable[[TrialResult], float] = lambda trial: 0.0,
) -> tuple[TrialResult, bool]:
    """The winner, and whether there is time to refit it.

    A combination of trials wins where it beats the chosen trial by more than one standard error. Where that
    one was cross-validated and the combination was not, it must beat the luck of its trainings too.

    A trial that cannot be refitted must beat the best one that can by more than the rows of the validation
    part are expected to bring that one, its lead shrunken for the noise.

    Args:
        results: All trials.
        can_refit: Whether a trial's final fit has time.
        gain: How much one trial gains over another on rows that both were not fitted on.
        combined: Ensembles and averages of trials.
        gain_of_rows: What a trial is expected to gain by its final fit.
        cheaper_share: A trial of at most this share of the best one's cost wins where it is as good within
            one standard error.

    Raises:
        SearchError: No trial has a score.
    """
    candidates = contenders(results, gain)
    winner = _best(candidates)
    winner = within_one_standard_error(results, winner, gain, share=cheaper_share)
    trained = sum(not result.config.fits_in_one_step for result in results if is_candidate(result))
    for combination in combined:
        is_told_apart = "cross_validated" in combination.facts or "cross_validated" not in winner.facts
        luck = 0.0 if is_told_apart else luck_of_best(trained)
        if _beats(combination, winner, gain, luck=luck):
            winner = combination
    if can_refit(winner):
        return winner, True
    refittable = [result for result in candidates if can_refit(result)]
    if not refittable:
        return winner, False
    rival = _best(refittable)
    is_ahead = _beats(winner, rival, gain, by=gain_of_rows(rival))
    return (winner, False) if is_ahead else (rival, True)


def _best(candidates: Sequence[TrialResult]) -> TrialResult:
    number = select(candidates)
    return next(result for result in candidates if result.number == number)


def _beats(
    result: TrialResult, rival: TrialResult, gain: Gain, *, by: float = 0.0, luck: float = 0.0
) -> bool:
    """Whether a trial is ahead of another by so much, luck (in standard errors) and noise taken off.

    A lead d with standard error s is shrunken to d - s^2 / d, the empirical Bayes estimate of one observation
    (Efron and Morris 1973): its prior variance is what d^2 has beyond s^2. That is above 0 where the lead is
    more than one standard error.
    """
    over_rival = gain(result, rival)
    noise = over_rival.standard_error
    lead = over_rival.value - luck * noise
    return lead > 0.0 and lead - noise**2 / lead > by
