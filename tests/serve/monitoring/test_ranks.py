"""Tests of one number a row agree with SciPy's, and hold their level where SciPy has none."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from autotl.serve.monitoring.ranks import (
    exceedance_test,
    fisher_test,
    holm,
    kolmogorov_smirnov_test,
    rank_sum_test,
    superiority,
)


@pytest.mark.parametrize("decimals", [8, 1], ids=["distinct", "tied"])
def test_the_rank_sum_test_is_scipys(decimals):
    rng = np.random.default_rng(0)
    low, high = np.round(rng.normal(0, 1, 60), decimals), np.round(rng.normal(0.3, 1, 90), decimals)
    chance, p_value = rank_sum_test(low, high)
    expected = stats.mannwhitneyu(high, low, alternative="greater", method="asymptotic")
    assert p_value == pytest.approx(expected.pvalue, rel=1e-6)
    assert chance == pytest.approx(expected.statistic / (60 * 90))


def test_ranks_of_equal_values_say_nothing():
    assert rank_sum_test(np.ones(40), np.ones(50)) == (0.5, 1.0)
    assert superiority(np.ones(3), np.ones(4)) == 0.5


def test_the_kolmogorov_smirnov_test_is_near_scipys():
    rng = np.random.default_rng(0)
    for shift in (0.0, 0.2, 0.5):
        first, second = rng.normal(0, 1, 300), rng.normal(shift, 1, 400)
        statistic, p_value = kolmogorov_smirnov_test(first, second)
        expected = stats.ks_2samp(first, second)
        assert statistic == pytest.approx(expected.statistic)
        assert p_value == pytest.approx(expected.pvalue, rel=0.15, abs=1e-6)
    assert kolmogorov_smirnov_test(first, first) == (0.0, 1.0)


def test_the_chance_of_exceedances_is_beta_binomial():
    for count in (0, 3, 12, 50):
        expected = stats.betabinom(50, 10, 191).sf(count - 1)
        assert exceedance_test(count, 50, 10, 200) == pytest.approx(expected, rel=1e-9)


def test_exceedances_of_an_estimated_threshold_hold_their_level():
    rng = np.random.default_rng(0)
    alarms = []
    for _ in range(2000):
        reference, new = np.sort(rng.exponential(size=60)), rng.exponential(size=500)
        alarms.append(exceedance_test(int((new > reference[-3]).sum()), 500, 3, 60) <= 0.05)
    assert 0.02 < np.mean(alarms) <= 0.062  # a binomial test of 5 % raises alarm in a third of them


def test_fishers_test_is_scipys():
    for table in ([3, 50, 40, 400], [0, 30, 5, 60], [30, 30, 1, 400], [0, 30, 0, 30]):
        count, rows, before, total = table
        expected = stats.fisher_exact([[count, rows - count], [before, total - before]]).pvalue
        assert fisher_test(*table) == pytest.approx(expected, rel=1e-6)


def test_holm_corrects_the_least_p_value_most():
    assert holm([0.01, 0.04, 0.02]) == pytest.approx([0.03, 0.04, 0.04])
    assert holm([0.9, 0.5]) == [1.0, 1.0]
    assert holm([]) == []
