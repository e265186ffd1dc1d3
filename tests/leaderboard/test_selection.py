"""The best validation score wins, or a much cheaper trial that is as good within the noise."""

from __future__ import annotations

import math

import pytest

from autotl.config import TrialConfig, TrialResult, TrialState
from autotl.errors import SearchError
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


def test_one_standard_error_prefers_a_much_cheaper_model_within_the_noise():
    results = [_result(0, 0.895, latency_ms=4.0), _result(1, 0.900, latency_ms=20.0)]
    errors = {1: 0.01}
    assert select(results, standard_errors=errors) == 1
    assert select(results, standard_errors=errors, rule="one_standard_error") == 0
    assert select(results, standard_errors={1: 0.001}, rule="one_standard_error") == 1
    assert select(results, rule="one_standard_error") == 1


def test_one_standard_error_keeps_the_best_where_the_other_is_hardly_cheaper_or_cost_is_unknown():
    slightly = [_result(0, 0.895, latency_ms=15.0), _result(1, 0.900, latency_ms=20.0)]
    assert select(slightly, standard_errors={1: 0.01}, rule="one_standard_error") == 1
    unknown = [_result(0, 0.895), _result(1, 0.900, latency_ms=20.0)]
    assert select(unknown, standard_errors={1: 0.01}, rule="one_standard_error") == 1


def test_an_unknown_rule_is_refused():
    with pytest.raises(ValueError, match="unknown rule 'guess'"):
        select([_result(0, 0.9)], rule="guess")
