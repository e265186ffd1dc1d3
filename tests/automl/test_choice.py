"""Which trial is delivered, where some can be refitted and others cannot."""

from __future__ import annotations

import pytest

from autotl.automl.choice import choose
from autotl.config import TrialConfig, TrialResult, TrialState
from autotl.errors import SearchError
from autotl.leaderboard.interval import Interval


def result(number, score, state=TrialState.COMPLETE, error=None):
    return TrialResult(number, TrialConfig("net", "top_k"), state, score, error=error)


PROBE, TRAINED = result(0, 0.90), result(1, 0.91)


def gains(value, error):
    def gain(one, other):
        assert (one, other) == (TRAINED, PROBE)
        return Interval(value, value - 2 * error, value + 2 * error, error)

    return gain


def only_the_probe(trial):
    return trial.number == 0


def test_the_best_is_refitted_where_there_is_time():
    assert choose([PROBE, TRAINED], lambda trial: True, gains(0, 0)) == (TRAINED, True)


def test_without_time_for_any_the_best_is_taken_as_it_is():
    assert choose([PROBE, TRAINED], lambda trial: False, gains(0, 0)) == (TRAINED, False)


def test_within_the_noise_more_rows_are_worth_more_than_a_better_score():
    assert choose([PROBE, TRAINED], only_the_probe, gains(0.01, 0.02)) == (PROBE, True)


def test_beyond_the_noise_the_better_score_wins():
    assert choose([PROBE, TRAINED], only_the_probe, gains(0.05, 0.02)) == (TRAINED, False)


def test_where_nothing_has_a_score_the_errors_are_told():
    failed = [result(n, None, TrialState.FAILED, "ValueError: odd") for n in range(2)]
    with pytest.raises(SearchError, match=r"no trial could be finished; found ValueError: odd\."):
        choose(failed, only_the_probe, gains(0, 0))
    with pytest.raises(SearchError, match=r"no trial could be finished; found none was begun\."):
        choose([], only_the_probe, gains(0, 0))
