"""Greedy ensembles are no worse than a member where they are chosen, and are judged where they are not."""

from __future__ import annotations

import numpy as np
import pytest

from autotl.leaderboard.ensemble import cross_fitted, greedy_weights, mixed
from autotl.task import TaskKind, metric

ACCURACY = metric("accuracy", TaskKind.MULTICLASS)
RMSE = metric("rmse", TaskKind.REGRESSION)


def noisy(targets, error, seed, classes=3):
    """Probabilities that are random for a share `error` of the rows, unsurely so."""
    random = np.random.default_rng(seed)
    sure = 0.8 * np.eye(classes)[targets] + 0.2 / classes
    unsure = random.dirichlet(np.ones(classes), len(targets))
    return np.where((random.random(len(targets)) < error)[:, None], unsure, sure)


def test_members_that_err_on_other_rows_are_joined_and_gain():
    targets = np.arange(300) % 3
    members = np.stack([noisy(targets, 0.5, seed) for seed in range(3)])
    weights = greedy_weights(ACCURACY, targets, members)
    alone = max(ACCURACY(targets, member) for member in members)
    assert np.count_nonzero(weights) > 1
    assert ACCURACY(targets, mixed(weights, members)) > alone + 0.02
    assert ACCURACY(targets, cross_fitted(ACCURACY, targets, members, copies=1, seed=0)) > alone + 0.02


def test_nothing_is_added_to_a_member_that_cannot_be_improved():
    targets = np.arange(60) % 3
    members = np.stack([noisy(targets, 0.9, 0), noisy(targets, 0.0, 1), noisy(targets, 0.9, 2)])
    assert greedy_weights(ACCURACY, targets, members).tolist() == [0, 1, 0]


def test_a_loss_is_lowered():
    random = np.random.default_rng(0)
    targets = random.normal(size=200)
    members = np.stack([targets + random.normal(size=200) for _ in range(4)])
    weights = greedy_weights(RMSE, targets, members)
    assert RMSE(targets, mixed(weights, members)) < min(RMSE(targets, member) for member in members) - 0.2


def test_a_selection_among_guesses_looks_good_only_where_it_was_made():
    random = np.random.default_rng(0)
    targets = random.integers(0, 2, 60)
    guesses = random.dirichlet(np.ones(2), (40, 60))
    chosen = mixed(greedy_weights(ACCURACY, targets, guesses), guesses)
    assert ACCURACY(targets, chosen) > 0.75
    assert ACCURACY(targets, cross_fitted(ACCURACY, targets, guesses, copies=1, seed=0)) < 0.65


def test_copies_of_a_row_stay_together():
    targets = np.tile(np.arange(30) % 3, 2)
    twice = np.concatenate([noisy(targets[:30], 0.5, 0)] * 2)
    members = np.stack([twice, np.concatenate([noisy(targets[:30], 0.5, 1)] * 2)])
    out = cross_fitted(ACCURACY, targets, members, copies=2, seed=0)
    assert out[:30] == pytest.approx(out[30:])


def test_parts_on_which_the_metric_has_no_value_do_not_break_the_selection():
    auroc = metric("auroc", TaskKind.BINARY)
    targets = np.zeros(40, int)
    targets[7] = 1
    members = np.random.default_rng(0).dirichlet([1, 1], (3, 40))
    assert np.isfinite(cross_fitted(auroc, targets, members, copies=1, seed=0)).all()
    assert greedy_weights(auroc, targets * 0, members).sum() == 1
