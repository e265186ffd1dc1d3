"""Plain sentences on a run: whether transfer helped, whether the search did, what more time would bring."""

from __future__ import annotations

import math

from autotl.leaderboard.interval import Interval
from autotl.leaderboard.selection import luck_of_best
from autotl.task import Metric, TaskKind

#: Expected gain below which no figure is worth a word.
_LEAST_OUTLOOK = 5e-4
#: How the sentence on the score of the test part begins.
ON_TEST = "On the test part: "
_TRIVIAL = {
    TaskKind.BINARY: "by always guessing the most frequent class",
    TaskKind.MULTICLASS: "by always guessing the most frequent class",
    TaskKind.MULTILABEL: "by always guessing the label frequencies",
    TaskKind.REGRESSION: "by always guessing the mean",
}
_TRIVIAL_PROBABILITIES = "by always giving the class frequencies"


def verdict(
    metric: Metric,
    kind: TaskKind,
    winner: Interval,
    trivial: Interval,
    control: Interval | None,
    *,
    control_reason: str = "it was not run",
    control_extent: str = "",
) -> tuple[str, ...]:
    """What the scores say, one sentence each, most important first.

    Args:
        metric: The metric of all scores.
        kind: The kind of task.
        winner: Score of the winner, all on the same rows.
        trivial: Score of the prediction that ignores its input.
        control: Score of training from scratch; None where there is none.
        control_reason: Why there is none.
        control_extent: How long it was trained, "in 40 s", for the sentence.
    """
    if not math.isfinite(winner.value):
        return (f"{ON_TEST}{metric.name} is not defined on these rows, so nothing can be compared there.",)
    guessing = _TRIVIAL_PROBABILITIES if metric.of_probabilities else _TRIVIAL[kind]
    against_trivial = f"{_number(trivial.value)} {guessing}"
    scratch = f"from scratch {control_extent}".rstrip()
    if control is None:
        scratch = control_reason
    sentences = [f"{ON_TEST}{metric.name} {_with_bounds(winner)}, a 95 % interval."]
    is_better = _gain(metric, winner, trivial) > 0
    if not is_better:
        sentences.append(
            f"The model is no better than a guess: {_with_bounds(winner)} {metric.name} "
            f"against {against_trivial}; do not deploy it."
        )
    elif winner.overlaps(trivial):
        sentences.append(
            "The gain over guessing is within the noise: "
            f"{_with_bounds(winner)} against {_with_bounds(trivial)}."
        )
    sentences.append(_on_transfer(metric, winner, control, against_trivial, scratch))
    return tuple(sentences)


def on_ten_lines(metric: Metric, score: float, gain: Interval) -> str:
    """What the winner gains over the ten lines that anybody would write, on the test part.

    Args:
        metric: The metric of both.
        score: What the ten lines reach.
        gain: What the winner gains on the same rows, positive is better.
    """
    there = f"The ten lines, frozen features under a linear head, reach {metric.name} {_number(score)}"
    if gain.low > 0:
        return f"{there} on the same rows; the winner gains {_with_bounds(gain)} over them."
    if gain.high < 0:
        return f"{there} on the same rows; the winner is worse, by {_number(-gain.value)}."
    return f"{there} on the same rows; the difference of {_with_bounds(gain)} is within the noise."


def on_search(
    metric: Metric,
    gain: Interval | None,
    outlook: float | None,
    *,
    default_won: bool,
    alone: bool = False,
    crossed: bool = False,
    ahead: int | None = None,
    lead: Interval | None = None,
    rivals: int = 1,
) -> tuple[str, ...]:
    """What the search gave beyond the default recipe, and what more of it would, a sentence each.

    Args:
        metric: The metric of the scores.
        gain: What the winner gains over the default recipe on rows that neither has seen; None if unknown.
        outlook: Expected further gain if the search took as long again; None if unknown.
        default_won: Whether the winner is the default recipe itself.
        alone: Whether nothing but the default recipe has a score.
        crossed: Whether the gain is that of cross-validation.
        ahead: The trial with the best score, where that is not the winner.
        lead: What that trial gains over the winner; None where cross-validation decided between heads.
        rivals: Among how many trainings that one was the best, where the winner is a head that was chosen by
            cross-validation.
    """
    sentences = []
    if ahead is not None:
        if lead is None:
            why = "cross-validation, which decides between heads, prefers another"
        elif rivals > 1 and lead.value <= (errors := 1 + luck_of_best(rivals)) * lead.standard_error:
            why = (
                f"its lead of {_number(lead.value)} is within {errors:.1f} standard errors, what the best of "
                f"{rivals} trainings may owe to luck"
            )
        elif lead.value <= lead.standard_error:
            noise = _number(lead.standard_error)
            why = f"its lead of {_number(lead.value)} is within one standard error, {noise}"
        else:
            why = (
                f"its lead of {_number(lead.value)}, less the noise, is no more than a final fit on all rows "
                "is expected to bring the winner"
            )
        sentences.append(f"Trial {ahead} has a better score on validation, but is not chosen: {why}.")
    if alone:
        sentences.append("Nothing but the default recipe, frozen features under a linear head, was tried.")
    elif default_won:
        sentences.append(
            "Nothing beat the default recipe, frozen features under a linear head, beyond the noise."
        )
    elif gain is not None:
        where = "In cross-validation" if crossed else "On validation"
        clearly = "" if gain.low > 0 else ", which is within the noise"
        sentences.append(
            f"{where} the winner gains {_with_bounds(gain)} {metric.name} over the default recipe, "
            f"frozen features under a linear head{clearly}."
        )
    if outlook is not None:
        more = f"about {outlook:.2g} {metric.name}" if outlook >= _LEAST_OUTLOOK else "hardly anything"
        sentences.append(f"As much time again is expected to gain {more}.")
    return tuple(sentences)


def _on_transfer(
    metric: Metric, winner: Interval, control: Interval | None, against_trivial: str, scratch: str
) -> str:
    if control is None:
        return (
            "Whether transfer helped is not known: no model was trained from scratch to compare with "
            f"({scratch}); {_number(winner.value)} against {against_trivial}."
        )
    figures = f"{_number(winner.value)} against {_number(control.value)} {scratch} and {against_trivial}"
    gain = _gain(metric, winner, control)
    if winner.overlaps(control):
        way = "a little better" if gain > 0 else "a little worse" if gain < 0 else "the same"
        return f"Transfer made no clear difference ({way}, within the intervals): {figures}."
    return f"Transfer helped: {figures}." if gain > 0 else f"Transfer did not help: {figures}."


def _gain(metric: Metric, one: Interval, other: Interval) -> float:
    difference = one.value - other.value
    return difference if metric.greater_is_better else -difference


def _with_bounds(interval: Interval) -> str:
    return f"{_number(interval.value)} ({_number(interval.low)} to {_number(interval.high)})"


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 100 else f"{value:.4g}"
