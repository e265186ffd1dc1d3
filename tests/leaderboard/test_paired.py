"""How much one model gains over another on the same rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from autotl.leaderboard.interval import bootstrap_interval
from autotl.leaderboard.paired import paired_gain
from autotl.task import TaskKind, metric


def one_hot(labels, classes=2):
    return np.eye(classes)[labels]


def test_rows_that_are_hard_for_both_drop_out():
    random = np.random.default_rng(0)
    targets = random.integers(0, 2, 400)
    hard = random.random(400) < 0.3
    reference = np.where(hard, 1 - targets, targets)
    better = reference.copy()
    repaired = np.flatnonzero(hard)[:12]
    better[repaired] = targets[repaired]
    accuracy = metric("accuracy", TaskKind.BINARY)
    gain = paired_gain(accuracy, targets, one_hot(better), one_hot(reference))
    assert gain.value == pytest.approx(12 / 400)
    assert gain.low > 0
    alone = bootstrap_interval(accuracy, targets, one_hot(better))
    assert gain.high - gain.low < 0.5 * (alone.high - alone.low)


def test_the_gain_of_a_loss_is_positive_where_it_falls():
    targets = np.linspace(0, 1, 50)
    rmse = metric("rmse", TaskKind.REGRESSION)
    gain = paired_gain(rmse, targets, targets + 0.1, targets + 0.3)
    assert gain.value == pytest.approx(0.2)
    assert gain.low > 0


def test_equal_predictions_gain_nothing():
    targets = np.array([0, 1] * 10)
    gain = paired_gain(metric("accuracy", TaskKind.BINARY), targets, one_hot(targets), one_hot(targets))
    assert (gain.value, gain.low, gain.high) == (0.0, 0.0, 0.0)


def test_numbers_of_rows_must_agree():
    with pytest.raises(ValueError, match=r"got \(3, 2, 3\)"):
        paired_gain(metric("rmse", TaskKind.REGRESSION), np.zeros(3), np.zeros(2), np.zeros(3))


@pytest.mark.parametrize("name", ["accuracy", "auroc"])
def test_copies_of_rows_are_drawn_together_and_add_no_certainty(name):
    random = np.random.default_rng(1)
    targets = random.integers(0, 2, 60)
    reference = np.where(random.random(60) < 0.3, 1 - targets, targets)
    better = np.where(random.random(60) < 0.2, 1 - targets, targets)
    accuracy = metric(name, TaskKind.BINARY)
    once = paired_gain(accuracy, targets, one_hot(better), one_hot(reference))
    thrice = [np.tile(labels, 3) for labels in (targets, better, reference)]
    tiled = paired_gain(accuracy, thrice[0], one_hot(thrice[1]), one_hot(thrice[2]), copies=3)
    assert vars(tiled) == pytest.approx(vars(once), abs=1e-12)
    with pytest.raises(ValueError, match="need 7 copies of the same rows, got 180"):
        paired_gain(accuracy, thrice[0], one_hot(thrice[1]), one_hot(thrice[2]), copies=7)


def test_areas_of_all_resamples_at_once_are_those_of_a_loop():
    random = np.random.default_rng(2)
    targets = random.integers(0, 2, 80)
    new, old = (targets + random.normal(scale=scale, size=80) for scale in (0.5, 0.9))
    new, old = (np.stack([-scores, scores], axis=1) for scores in (new, old))
    auroc = metric("auroc", TaskKind.BINARY)
    loop = replace(auroc, name="in a loop")
    once, looped = (paired_gain(way, targets, new, old) for way in (auroc, loop))
    assert once.low > 0
    assert vars(once) == pytest.approx(vars(looped))
