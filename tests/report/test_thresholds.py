"""Curves over thresholds agree with counting."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from autotl.report.mistakes import mistakes
from autotl.report.thresholds import label_thresholds, thresholds
from autotl.task import TaskKind


def test_precision_recall_and_f1_at_every_threshold_are_those_of_scikit_learn():
    generator = np.random.default_rng(0)
    truth = generator.random(300) < 0.3
    said = np.clip(0.35 * truth + generator.random(300) * 0.65, 0, 1)
    found = thresholds(truth, said, "yes")
    for place in (10, 40, 50, 77):
        called = said >= found.thresholds[place]
        expected = precision_recall_fscore_support(truth, called, average="binary", zero_division=0)
        actual = [found.precision[place], found.recall[place], found.f1[place]]
        np.testing.assert_allclose(actual, expected[:3])
    assert found.best_f1 == found.f1.max() >= found.usual_f1


@pytest.mark.parametrize("value", [True, False])
def test_where_all_rows_are_alike_there_is_nothing_to_choose(value):
    assert thresholds(np.full(5, value), np.linspace(0, 1, 5), "yes") is None


def test_where_nothing_is_called_precision_is_unknown():
    found = thresholds(np.array([True, False]), np.array([0.3, 0.2]), "yes")
    assert np.isnan(found.precision[-1])
    assert found.f1[-1] == 0
    assert found.best == pytest.approx(0.21)


def test_of_two_classes_the_second_is_called_and_of_labels_all():
    targets = np.array([0, 1, 1, 0])
    both = mistakes(TaskKind.BINARY, ("no", "yes"), targets, np.eye(2)[targets])
    assert (both.thresholds.subject, both.thresholds.usual_f1) == ("yes", 1.0)
    indicators = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    labels = mistakes(TaskKind.MULTILABEL, ("a", "b"), indicators, 0.8 * indicators + 0.1)
    assert labels.thresholds.best_f1 == 1.0
    assert mistakes(TaskKind.MULTICLASS, tuple("abc"), targets, np.eye(3)[targets]).thresholds is None


def test_single_labels_are_the_most_frequent_ones_then_the_worst_of_the_rest():
    generator = np.random.default_rng(0)
    shares = np.array([0.02, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.25, 0.0, 0.0])
    applies = generator.random((400, 12)) < shares
    applies[:3, 11], applies[:, 10] = True, False  # too few rows to call it bad, and none at all
    said = np.where(applies, 0.9, 0.1)
    said[:, 8] = 0.1  # never given
    found = [one.subject for one in label_thresholds(applies, said, list("abcdefghijkl"))]
    assert found[:6] == list("bcdefg")
    assert found[6] == "i"
    assert set(found[7:]) <= set("ahj")
    assert len(found) == 9


def test_the_labels_of_rows_that_are_wrong_are_named_the_worst_first():
    targets = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    predictions = np.array([[0.4, 0.2], [0.9, 0.8], [0.95, 0.9]])
    found = mistakes(TaskKind.MULTILABEL, ("a", "b"), targets, predictions, np.array(["x", "y", "z"]))
    assert [(m.name, m.true, m.predicted) for m in found.misses] == [("z", "b", "a, b"), ("x", "a", "none")]
    assert found.wrong_names == ("x", "z")
