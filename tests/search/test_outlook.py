"""What more time would bring."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri

from autotl.config import TrialConfig, TrialResult, TrialState
from autotl.search.outlook import expected_gain


def trials(scores, seconds=10.0):
    return [
        TrialResult(n, TrialConfig("net", "top_k", {"n": n}), TrialState.COMPLETE, score, seconds=seconds)
        for n, score in enumerate(scores)
    ]


def test_it_is_the_expected_maximum_of_further_draws():
    random = np.random.default_rng(0)
    scores = 0.8 + 0.02 * ndtri((np.arange(200) + 0.5) / 200)
    draws = random.normal(scores.mean(), scores.std(), (20000, 30)).max(axis=1)
    sampled = np.maximum(draws - scores.max(), 0).mean()
    assert expected_gain(trials(scores), 300.0, 0.0) == pytest.approx(sampled, rel=0.15)


def test_more_time_brings_more_and_none_beyond_the_top():
    found = [expected_gain(trials([0.7, 0.8, 0.9]), seconds, 0.01) for seconds in (10.0, 100.0, 1000.0)]
    assert found == sorted(found)
    assert expected_gain(trials([0.7, 0.8, 0.9]), 1e6, 0.0, top=0.91) < 0.0101
    assert expected_gain(trials([0.9, 0.95, 1.0]), 100.0, 0.01, top=1.0) == 0.0
    assert expected_gain(trials([0.7, 0.8, 0.9]), 0.0, 0.01) == 0.0


def test_two_trials_are_too_few_to_say():
    assert expected_gain(trials([0.7, 0.8]), 100.0, 0.01) is None


def test_scores_that_noise_alone_tells_apart_promise_nothing():
    random = np.random.default_rng(0)
    scores = random.normal(0.8, 0.03, 30)
    assert expected_gain(trials(scores), 300.0, 0.05) == 0.0
    assert expected_gain(trials(scores), 300.0, 0.02) > 0.0


def test_a_trial_that_failed_to_learn_does_not_make_others_look_likely_to_succeed():
    sound = [0.80, 0.81, 0.82, 0.83, 0.84]
    clean, spoilt = (expected_gain(trials(scores), 100.0, 0.001) for scores in (sound, [*sound, 0.17]))
    assert spoilt < 2 * clean
