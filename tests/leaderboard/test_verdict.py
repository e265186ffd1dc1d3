"""The verdict says plainly whether transfer helped, and does not claim what was not measured."""

from __future__ import annotations

import math

import pytest

from autotl.leaderboard.interval import Interval
from autotl.leaderboard.verdict import on_search, on_ten_lines, verdict
from autotl.task import TaskKind, metric

_ACCURACY = metric("accuracy", TaskKind.MULTICLASS)
_RMSE = metric("rmse", TaskKind.REGRESSION)


def _at(value, spread=0.02):
    return Interval(value, value - spread, value + spread, spread / 2)


def _say(winner, trivial, control, **more):
    return verdict(_ACCURACY, TaskKind.MULTICLASS, winner, trivial, control, **more)


def test_clear_help_is_said_with_both_figures():
    assert _say(_at(0.913), _at(0.25), _at(0.42)) == (
        "On the test part: accuracy 0.913 (0.893 to 0.933), a 95 % interval.",
        "Transfer helped: 0.913 against 0.420 from scratch and 0.250 by always guessing the most frequent "
        "class.",
    )


def test_a_control_that_was_not_run_is_admitted():
    last = _say(_at(0.913), _at(0.25), None, control_reason="the time was too short")[-1]
    assert last == (
        "Whether transfer helped is not known: no model was trained from scratch to compare with (the time "
        "was too short); 0.913 against 0.250 by always guessing the most frequent class."
    )


def test_overlapping_intervals_make_no_clear_difference():
    last = _say(_at(0.91), _at(0.25), _at(0.90))[-1]
    assert last.startswith("Transfer made no clear difference (a little better, within the intervals): 0.910")


def test_a_better_control_means_that_transfer_did_not_help():
    assert _say(_at(0.70), _at(0.25), _at(0.90))[-1].startswith("Transfer did not help: 0.700 against 0.900")


def test_a_model_no_better_than_guessing_is_called_that():
    said = _say(_at(0.24), _at(0.25), None)
    assert "no better than a guess" in said[1]
    assert "do not deploy it" in said[1]


def test_a_gain_within_the_noise_is_called_that():
    assert "The gain over guessing is within the noise" in _say(_at(0.26), _at(0.25), None)[1]


def test_less_is_better_for_losses():
    said = verdict(_RMSE, TaskKind.REGRESSION, _at(0.5), _at(1.5), _at(1.0))
    assert (
        said[-1] == "Transfer helped: 0.500 against 1.000 from scratch and 1.500 by always guessing the mean."
    )
    assert len(said) == 2


def test_a_metric_that_is_not_defined_on_the_rows_is_called_that():
    nowhere = Interval(math.nan, math.nan, math.nan, 0.0)
    auroc = metric("auroc", TaskKind.BINARY)
    assert verdict(auroc, TaskKind.BINARY, nowhere, nowhere, nowhere) == (
        "On the test part: auroc is not defined on these rows, so nothing can be compared there.",
    )


@pytest.mark.parametrize("name", ["log_loss", "auroc"])
def test_class_frequencies_are_what_metrics_of_probabilities_are_compared_with(name):
    judge = metric(name, TaskKind.MULTICLASS)
    winner = _at(0.9 if judge.greater_is_better else 0.2)
    last = verdict(judge, TaskKind.MULTICLASS, winner, _at(0.5), None)[-1]
    assert last.endswith("against 0.500 by always giving the class frequencies.")


def test_what_the_search_gave_is_said_with_its_noise():
    told = on_search(_ACCURACY, _at(0.03, 0.01), 0.004, default_won=False)
    assert told == (
        "On validation the winner gains 0.030 (0.020 to 0.040) accuracy over the default recipe, frozen "
        "features under a linear head.",
        "As much time again is expected to gain about 0.004 accuracy.",
    )
    (told,) = on_search(_ACCURACY, _at(0.01), None, default_won=False)
    assert told.endswith("under a linear head, which is within the noise.")


def test_a_trial_with_a_better_score_than_the_winner_is_named():
    near, far = Interval(0.01, -0.02, 0.04, 0.015), Interval(0.02, 0.0, 0.04, 0.01)
    (told,) = on_search(_ACCURACY, None, None, default_won=False, ahead=7, lead=near)
    assert told == (
        "Trial 7 has a better score on validation, but is not chosen: its lead of 0.010 is within one "
        "standard error, 0.015."
    )
    (told,) = on_search(_ACCURACY, None, None, default_won=False, ahead=7, lead=far)
    assert told.endswith(
        "its lead of 0.020, less the noise, is no more than a final fit on all rows is expected to bring the "
        "winner."
    )
    (told,) = on_search(_ACCURACY, None, None, default_won=False, ahead=7)
    assert "not chosen: cross-validation, which decides between heads, prefers another" in told
    (told,) = on_search(_ACCURACY, None, None, default_won=False, ahead=7, lead=far, rivals=8)
    assert "within 2.4 standard errors, what the best of 8 trainings may owe to luck" in told
    (told,) = on_search(_ACCURACY, None, None, default_won=False, ahead=7, lead=far, rivals=2)
    assert "final fit" in told


def test_a_search_that_the_default_recipe_won_says_so():
    (told,) = on_search(_ACCURACY, None, None, default_won=True)
    assert told == "Nothing beat the default recipe, frozen features under a linear head, beyond the noise."
    assert on_search(_ACCURACY, None, None, default_won=False) == ()
    (told,) = on_search(_ACCURACY, None, None, default_won=True, alone=True)
    assert told == "Nothing but the default recipe, frozen features under a linear head, was tried."


def test_what_the_winner_gains_over_the_ten_lines_is_said_with_its_bounds():
    there = "The ten lines, frozen features under a linear head, reach accuracy 0.889 on the same rows; "
    assert on_ten_lines(_ACCURACY, 0.889, _at(0.028, 0.015)) == (
        f"{there}the winner gains 0.028 (0.013 to 0.043) over them."
    )
    assert on_ten_lines(_ACCURACY, 0.889, _at(0.004)) == (
        f"{there}the difference of 0.004 (-0.016 to 0.024) is within the noise."
    )
    assert on_ten_lines(_ACCURACY, 0.889, _at(-0.05)) == f"{there}the winner is worse, by 0.050."
