"""Scores as the search models them."""

from __future__ import annotations

import numpy as np
import pytest

from autotl.search.improvement import expected_reduction
from autotl.search.merit import as_shares, merit, merit_noise, raised


def test_a_better_score_has_more_merit_and_what_is_beyond_the_best_has_no_more():
    assert (np.diff(merit([-3.0, 0.0, 0.5, 0.9, 0.99, 1.0])) > 0).all()
    assert merit([1.0]) == merit([1.2]) == 0.0


@pytest.mark.parametrize("share", [0.3, 0.6, 0.8, 0.9])
def test_the_noise_of_a_share_is_told_by_its_standard_error(share):
    drawn = np.random.default_rng(0).binomial(600, share, 20_000) / 600
    standard_error = np.sqrt(share * (1 - share) / 600)
    assert merit_noise(merit([share]), standard_error)[0] == pytest.approx(merit(drawn).std(), rel=0.05)


def test_rows_that_are_all_right_do_not_make_it_certain():
    assert merit_noise(merit([1.0]), 0.01) == merit_noise(merit([0.97]), 0.01) > 0.02


def test_what_is_far_below_the_median_counts_as_equally_bad():
    assert raised(np.array([-9.0, -0.5, -0.3, -0.2, -0.1])) == pytest.approx([-0.5, -0.5, -0.3, -0.2, -0.1])


def test_the_expected_reduction_is_that_of_draws():
    merits = np.random.default_rng(0).normal(-0.4, 0.05, 400_000)
    gained = np.maximum(0.35**2 - merits**2, 0).mean()
    found = expected_reduction(np.array([-0.4, -0.4, -9.0]), np.array([0.05, 0.01, 0.05]), -0.35)
    assert found[0] == pytest.approx(gained, rel=0.02)
    assert found[0] > found[1] > found[2] == 0.0


def test_losses_have_as_much_error_as_they_are_multiples_of_the_best():
    assert as_shares([-0.4, -0.8, -0.2], best=-0.4).tolist() == [0.0, -1.0, 0.5]
    assert as_shares([0.4, 0.9], best=0.9).tolist() == [0.4, 0.9]
    halved = merit(as_shares([-0.2], best=-0.4)) / merit(as_shares([-0.4], best=-0.4))
    assert halved == pytest.approx(np.sqrt(0.5)), "the root of half the error"
