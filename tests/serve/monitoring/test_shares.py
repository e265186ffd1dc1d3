"""Changed shares of classes are found, not made up by small samples, and corrected for known errors."""

from __future__ import annotations

import numpy as np
import pytest

from autotl.serve.monitoring.shares import class_change, label_change, true_shares


def _generator() -> np.random.Generator:
    return np.random.default_rng(0)


def test_p_values_of_many_rare_classes_hold_their_level():
    rng = np.random.default_rng(1)
    found = [
        class_change(rng.multinomial(50, [1 / 77] * 77), rng.multinomial(800, [1 / 77] * 77), rng).p_value
        for _ in range(150)
    ]
    assert np.mean(np.array(found) <= 0.1) < 0.19
    assert 0.4 < np.mean(found) < 0.6


def test_the_effect_is_the_share_of_rows_that_moved():
    change = class_change(np.array([700, 300]), np.array([1000, 1000]), _generator())
    assert change.effect == pytest.approx(0.2, abs=0.01)
    assert change.p_value == 0.0005


def test_the_same_shares_have_no_effect():
    change = class_change(np.array([50, 50, 0]), np.array([500, 500, 0]), _generator())
    assert (change.effect, change.p_value) == (0.0, 1.0)


def test_the_label_that_changed_is_found_among_others():
    change = label_change(np.array([10, 40, 5]), 100, np.array([100, 100, 50]), 1000)
    assert change.effect == pytest.approx(0.3)
    assert change.p_value < 1e-8
    assert label_change(np.array([10, 10]), 100, np.array([100, 100]), 1000).p_value == 1.0


def test_known_confusion_gives_the_true_shares_back():
    confusion = np.array([[90, 20], [10, 80]])
    true = np.array([0.3, 0.7])
    predicted = confusion / confusion.sum(axis=0) @ true
    assert true_shares(predicted, confusion) == pytest.approx(true)


@pytest.mark.parametrize("confusion", [[[50, 50], [50, 50]], [[97, 0], [0, 3]]], ids=["blind", "rare class"])
def test_a_confusion_that_cannot_be_inverted_gives_nothing(confusion):
    assert true_shares(np.array([0.5, 0.5]), np.array(confusion)) is None
