"""The discrepancy test holds its level, finds what it should, and compares within strata only."""

from __future__ import annotations

import numpy as np
import pytest

from autotl.serve.monitoring.two_sample import discrepancy_test, gaussian_kernel, separability

ONE = np.zeros(160, np.int64)


def _sets(seed: int, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = rng.normal(0, 1, (160, 8))
    rows[100:, 0] += shift
    return gaussian_kernel(rows), np.arange(160) >= 100


def test_the_statistic_is_the_unbiased_estimate_of_gretton_et_al():
    kernel, is_new = _sets(0, 1.0)
    old, new = np.flatnonzero(~is_new), np.flatnonzero(is_new)
    within = [np.mean([kernel[i, j] for i in rows for j in rows if i != j]) for rows in (old, new)]
    expected = sum(within) - 2 * kernel[np.ix_(old, new)].mean()
    statistic, _ = discrepancy_test(kernel, is_new, ONE, np.random.default_rng(0))
    assert statistic == pytest.approx(expected, abs=1e-6)


def test_p_values_of_rows_of_one_distribution_are_uniform():
    found = []
    for seed in range(200):
        kernel, is_new = _sets(seed)
        found.append(discrepancy_test(kernel, is_new, ONE, np.random.default_rng(seed))[1])
    deciles = np.histogram(found, np.linspace(0, 1, 6))[0]
    assert deciles.min() > 20  # 40 are expected in each fifth; less than 20 has a chance below 1e-4
    assert deciles.max() < 62
    assert np.mean(np.array(found) <= 0.05) < 0.1


def test_rows_of_another_distribution_are_told_apart():
    kernel, is_new = _sets(0, 2.0)
    generator = np.random.default_rng(0)
    assert discrepancy_test(kernel, is_new, ONE, generator)[1] == 0.001
    assert separability(kernel, is_new, ONE, generator) > 0.8


def test_separability_of_rows_of_one_distribution_is_a_half():
    found = [separability(*_sets(seed), ONE, np.random.default_rng(seed)) for seed in range(30)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.02)


def test_a_difference_between_strata_is_not_one_within_them():
    rng = np.random.default_rng(0)
    is_new = np.arange(300) >= 150
    strata = (rng.random(300) < np.where(is_new, 0.8, 0.2)).astype(np.int64)
    rows = rng.normal(0, 1, (300, 5)) + 4 * strata[:, None]
    kernel, generator = gaussian_kernel(rows), np.random.default_rng(1)
    assert discrepancy_test(kernel, is_new, np.zeros(300, np.int64), generator)[1] == 0.001
    assert discrepancy_test(kernel, is_new, strata, generator)[1] > 0.05
    assert separability(kernel, is_new, strata, generator) < 0.57
    rows[is_new] += 1.0
    assert discrepancy_test(gaussian_kernel(rows), is_new, strata, generator)[1] == 0.001


def test_strata_without_rows_of_both_sets_say_nothing():
    kernel, is_new = _sets(0, 2.0)
    generator = np.random.default_rng(0)
    assert discrepancy_test(kernel, is_new, is_new.astype(np.int64), generator) is None
    assert separability(kernel, is_new, is_new.astype(np.int64), generator) == 0.5
