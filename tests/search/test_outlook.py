"""What more time would bring."""

from __future__ import annotations

import numpy as np
import pytest

from autotl.config import TrialConfig, TrialResult, TrialState
from autotl.search.outlook import expected_gain


def trials(scores, seconds=10.0):
    return [
        TrialResult(n, TrialConfig("net", "top_k", {"n": n}), TrialState.COMPLETE, score, seconds=seconds)
        for n, score in enumerate(scores)
    ]


def test_it_is_the_expected_maximum_of_further_draws():
    random = np.random.default_rng(0)
    scores = random.normal(0.8, 0.02, 200)
    draws = random.normal(scores.mean(), scores.std(), (20000, 30)).max(axis=1)
    sampled = np.maximum(draws - scores.max(), 0).mean()
    assert expected_gain(trials(scores), 300.0) == pytest.approx(sampled, rel=0.15)


def test_more_time_brings_more_and_none_beyond_the_top():
    found = [expected_gain(trials([0.7, 0.8, 0.9]), seconds) for seconds in (10.0, 100.0, 1000.0)]
    assert found == sorted(found)
    assert expected_gain(trials([0.7, 0.8, 0.9]), 1e6, top=0.91) < 0.0101
    assert expected_gain(trials([0.9, 0.95, 1.0]), 100.0, top=1.0) == 0.0


def test_two_trials_are_too_few_to_say():
    assert expected_gain(trials([0.7, 0.8]), 100.0) is None
