"""The best validation score wins, or a much cheaper trial that is as good within the noise."""

from __future__ import annotations

import math
from functools import partial

import pytest

from autotl.config import TrialConfig, TrialResult, TrialState
from autotl.errors import SearchError
from autotl.leaderboard import selection
from autotl.leaderboard.interval import Interval
from autotl.leaderboard.selection import select


def _result(number, score, state=TrialState.COMPLETE, seconds=1.0, **facts):
    return TrialResult(number, TrialConfig("a", "full"), state, score, seconds=seconds, facts=facts)


def test_the_best_score_wins_by_default():
    assert select([_result(0, 0.8), _result(1, 0.9), _result(2, 0.85)]) == 1


def test_the_baseline_wins_where_nothing_beats_it():
    assert select([_result(0, 0.9), _result(1, 0.8)]) == 0


def test_a_tie_goes_to_the_cheaper_then_to_the_earlier():
    assert select([_result(0, 0.9, latency_ms=9.0), _result(1, 0.9, latency_ms=3.0)]) == 1
    assert select([_result(0, 0.9, seconds=9.0), _result(1, 0.9, seconds=3.0)]) == 0
    assert select([_result(3, 0.9), _result(2, 0.9)]) == 2


def test_failed_unfinished_and_scoreless_trials_never_win():
    losers = [
        _result(1, 0.99, TrialState.FAILED),
        _result(2, 0.99, TrialState.RUNNING),
        _result(3, math.nan),
        _result(4, None),
    ]
    assert select([*losers, _result(5, 0.1, TrialState.PRUNED)]) == 5
    with pytest.raises(SearchError, match="4 trials, none with a score"):
        select(losers)


within_one_standard_error = partial(selection.within_one_standard_error, share=0.5)


def _gain(value, error):
    return lambda best, rival: Interval(value, value - 2 * error, value + 2 * error, error)


QUICK, SLOW = _result(0, 0.895, latency_ms=4.0), _result(1, 0.900, latency_ms=20.0)


def test_a_much_cheaper_trial_wins_within_one_standard_error_of_the_paired_difference():
    assert within_one_standard_error([QUICK, SLOW], SLOW, _gain(0.005, 0.006)) is QUICK
    assert within_one_standard_error([QUICK, SLOW], SLOW, _gain(0.005, 0.004)) is SLOW


def test_the_cheapest_of_several_wins_and_the_error_is_that_of_each_pair():
    quickest = _result(2, 0.88, latency_ms=1.0)

    def gain(best, rival):
        assert best is SLOW
        return _gain(0.02, 0.001)(best, rival) if rival is quickest else _gain(0.005, 0.006)(best, rival)

    assert within_one_standard_error([QUICK, SLOW, quickest], SLOW, gain) is QUICK
    assert within_one_standard_error([QUICK, SLOW, quickest], SLOW, _gain(0.0, 0.0)) is quickest


def test_the_best_stays_where_the_other_is_hardly_cheaper_or_no_cost_of_both_is_known():
    slightly, unknown = _result(0, 0.895, latency_ms=15.0), _result(0, 0.895)
    assert within_one_standard_error([slightly, SLOW], SLOW, _gain(0.0, 1.0)) is SLOW
    assert within_one_standard_error([unknown, SLOW], SLOW, _gain(0.0, 1.0)) is SLOW


def test_without_measured_graphs_operations_are_counted():
    small, large = _result(0, 0.8, macs=1e8, parameters=9e6), _result(1, 0.9, macs=4e8, parameters=9e6)
    assert within_one_standard_error([small, large], large, _gain(0.0, 1.0)) is small
    assert within_one_standard_error([small, large], small, _gain(0.0, 1.0)) is small
