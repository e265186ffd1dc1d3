"""What a delivery says of the search."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from autotl.automl.delivery import Delivery
from autotl.config import LEFT_OUT, TrialConfig, TrialResult, TrialState
from autotl.data.dataset import Splits
from autotl.space.limits import Limits
from autotl.testing.workbench import tiny_dataset
from autotl.trial.cross_validation import REPEATS

GAINS = r"the winner gains 0\.200 \(0\.1\d\d to 0\.2\d\d\) accuracy over the default recipe, frozen features"


@pytest.fixture
def delivery():
    rows = np.arange(150)
    runner = SimpleNamespace(
        dataset=tiny_dataset("text", rows=150), splits=Splits(rows[:50], rows[50:], rows[:0])
    )
    return Delivery(runner, seed=0, limits=Limits())


def outputs(delivery, right, rows):
    """Probabilities that are right on the first of so many rows in a hundred."""
    targets = delivery.runner.dataset.targets[rows]
    return np.eye(3)[(targets + (np.arange(len(rows)) % 100 >= right)) % 3]


def trials(delivery, *right):
    """Trials of ten seconds, each right on so many of the 100 validation rows."""
    results = []
    for number, rows in enumerate(right):
        config = TrialConfig("net", "linear_probe", {"n": number})
        results.append(TrialResult(number, config, TrialState.COMPLETE, rows / 100, seconds=10.0))
        delivery.evidence.add(results[-1], outputs(delivery, rows, delivery.runner.splits.val), None)
    return results


def cross_validate(delivery, result, right):
    crossed = np.tile(outputs(delivery, right, delivery.runner.splits.train_and_val), (REPEATS, 1))
    delivery.evidence.add(result, delivery.evidence.validation(result), crossed)


def say(delivery, results, winner=-1, seconds=200.0):
    return delivery.on_search(results[winner], results, [], seconds)


def test_what_the_winner_gains_and_what_more_time_is_expected_to_bring_are_said(delivery):
    results = trials(delivery, 70, 80, 90)
    figures = []
    for seconds in (20.0, 200.0):
        gained, expected = say(delivery, results, seconds=seconds)
        assert re.fullmatch(rf"On validation {GAINS} under a linear head\.", gained)
        found = re.fullmatch(r"As much time again is expected to gain about (0\.\d+) accuracy\.", expected)
        figures.append(float(found[1]))
    assert figures[0] < figures[1] < 0.1


@pytest.mark.parametrize("right", [(88, 89, 90), (80, 90, 100)], ids=["noise", "nothing better"])
def test_more_time_is_promised_nothing_of_noise_or_beyond_the_best_score_there_is(delivery, right):
    *_, expected = say(delivery, trials(delivery, *right))
    assert expected == "As much time again is expected to gain hardly anything."


def test_further_trials_have_to_beat_what_trials_were_combined_to(delivery):
    *results, combined = trials(delivery, 60, 70, 90, 98)
    gains = []
    for winner, joined in ((results[-1], []), (combined, [combined])):
        *_, expected = delivery.on_search(winner, results, joined, 200.0)
        gains.append(float(re.search(r"about (0\.\d+) accuracy", expected)[1]))
    assert gains[1] <= 0.02 < gains[0]


def test_of_fewer_than_three_scored_trials_nothing_is_expected(delivery):
    results = trials(delivery, 70, 90)
    gained = say(delivery, results)
    assert len(gained) == 1
    assert re.match(f"On validation {GAINS}", gained[0])
    failed = replace(results[0], number=2, state=TrialState.FAILED, score=None)
    left_out = replace(results[0], number=3).with_facts(**{LEFT_OUT: "its licence is not permissive"})
    assert say(delivery, [*results, failed, left_out], winner=1) == gained


def test_the_default_recipe_that_won_gains_nothing_over_itself(delivery):
    beaten = "Nothing beat the default recipe, frozen features under a linear head, beyond the noise."
    alone = "Nothing but the default recipe, frozen features under a linear head, was tried."
    assert say(delivery, trials(delivery, 90, 80, 70), winner=0)[0] == beaten
    assert say(delivery, trials(delivery, 90, 80), winner=0) == (beaten,)
    default, other = trials(delivery, 90, 80)
    failed = replace(other, state=TrialState.FAILED, score=None)
    assert say(delivery, [default], winner=0) == say(delivery, [default, failed], winner=0) == (alone,)


def test_a_default_recipe_that_failed_is_compared_with_nothing(delivery):
    default, *others = trials(delivery, 70, 70, 80, 90)
    failed = replace(default, state=TrialState.FAILED, score=None)
    cross_validate(delivery, others[-1], 90)
    (expected,) = say(delivery, [failed, *others])
    assert expected.startswith("As much time again")


def test_the_gain_is_that_of_cross_validation_where_both_were_cross_validated(delivery):
    results = trials(delivery, 70, 90)
    for result, right in zip(results, (75, 85), strict=True):
        cross_validate(delivery, result, right)
    (gained,) = say(delivery, results)
    assert gained.startswith("In cross-validation the winner gains 0.067 (")
