"""Which trial is delivered, where some can be refitted and others cannot."""

from __future__ import annotations

import pytest

from autotl.automl.choice import choose, contenders
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


@pytest.mark.parametrize(("brings", "chosen"), [(0.04, (TRAINED, False)), (0.043, (PROBE, True))])
def test_a_final_fit_counts_against_what_is_left_of_a_lead_without_its_noise(brings, chosen):
    found = choose([PROBE, TRAINED], only_the_probe, gains(0.05, 0.02), gain_of_rows=lambda trial: brings)
    assert found == chosen


def head(number, score, crossed=None, **facts):
    facts |= {} if crossed is None else {"cross_validated": crossed}
    config = TrialConfig("net", "linear_probe")
    return TrialResult(number, config, TrialState.COMPLETE, score, facts=facts)


def training(number, score, **facts):
    config = TrialConfig("net", "top_k", {"epochs": 3})
    return TrialResult(number, config, TrialState.COMPLETE, score, facts=facts)


def always(value, error):
    return lambda one, other: Interval(value, value - 2 * error, value + 2 * error, error)


def chosen(results, gain, **options):
    return choose(results, lambda trial: True, gain, **options)[0].number


def test_heads_are_told_apart_by_cross_validation_and_from_trainings_by_the_validation_part():
    heads = [head(0, 0.90, 0.86), head(1, 0.89, 0.88), head(2, 0.85)]
    assert chosen(heads, always(0, 0)) == 1
    assert chosen([*heads, training(3, 0.88)], always(0, 0)) == 1
    assert chosen([*heads, training(3, 0.895)], always(0.005, 0.001)) == 3


def test_of_many_trainings_the_best_must_lead_by_more_than_its_luck():
    heads = [head(0, 0.90, 0.86), head(1, 0.89, 0.88)]
    trainings = [training(number, 0.91 - 0.001 * number) for number in range(2, 10)]
    assert chosen([*heads, trainings[0]], always(0.018, 0.01)) == 2
    assert chosen([*heads, *trainings], always(0.018, 0.01)) == 1, "the best of eight owes 1.4 errors to luck"
    assert chosen([*heads, *trainings], always(0.026, 0.01)) == 2


def test_a_soup_is_as_lucky_as_its_trainings_and_must_lead_as_they_must():
    heads = [head(0, 0.90, 0.86), head(1, 0.89, 0.88)]
    trainings = [training(number, 0.91 - 0.001 * number) for number in range(2, 10)]
    soup, ensemble = training(10, 0.92), head(11, 0.92, 0.89)
    assert chosen([*heads, *trainings], always(0.018, 0.01), combined=[soup]) == 1
    assert chosen([*heads, *trainings], always(0.026, 0.01), combined=[soup]) == 10
    assert chosen([*heads, *trainings], always(0.018, 0.01), combined=[ensemble]) == 11, "it was told apart"


def test_a_much_cheaper_trial_wins_within_the_noise_unless_the_best_is_asked_for():
    results = [head(0, 0.90, latency_ms=5.0), training(1, 0.91, latency_ms=20.0)]
    assert chosen(results, always(0.01, 0.02), cheaper_share=0.25) == 0
    assert chosen(results, always(0.01, 0.02), cheaper_share=0.2) == 1
    assert chosen(results, always(0.01, 0.02)) == 1
    assert chosen(results, always(0.01, 0.002)) == 1


def test_where_nothing_has_a_score_the_errors_are_told():
    failed = [result(n, None, TrialState.FAILED, "ValueError: odd") for n in range(2)]
    with pytest.raises(SearchError, match=r"no trial can be delivered; found ValueError: odd\."):
        choose(failed, only_the_probe, gains(0, 0))
    with pytest.raises(
        SearchError,
        match=r"no trial can be delivered; found the search ended before the first had a score\.",
    ):
        choose([], only_the_probe, gains(0, 0))


def test_a_trial_that_is_over_a_limit_does_not_win_however_good_it_is():
    heads = [head(0, 0.80), head(1, 0.90, over_limit="20 MB on disk is over the limit of 10, measured")]
    assert chosen(heads, always(0, 0)) == 0
    with pytest.raises(SearchError, match=r"no trial can be delivered; found 20 MB on disk"):
        choose(heads[1:], lambda trial: True, always(0, 0))


def test_cross_validation_that_ended_before_the_best_head_decides_nothing():
    default, better = head(0, 0.80, crossed=0.82), head(7, 0.90)
    assert contenders([default, better], always(0, 0)) == [default, better]
    crossed = head(7, 0.90, crossed=0.81)
    assert contenders([default, crossed], always(0, 0)) == [default], "both were, and the default is better"
