"""Metrics of ranks are those of scikit-learn, of a sample and of its resamples."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from autotl.rank_metrics import OF_RANKS, auroc, mean_average_precision
from autotl.task import TaskKind, metric

ROWS = 60


def by_scikit_learn(name, targets, predictions):
    """Of each column that has rows to find, in a plain loop."""
    if name == "auroc" and predictions.shape[1] == 2:
        return roc_auc_score(targets, predictions[:, 1])
    if name == "auroc":
        return np.mean([roc_auc_score(targets == c, predictions[:, c]) for c in np.unique(targets)])
    found = np.flatnonzero(targets.any(axis=0))
    return np.mean([average_precision_score(targets[:, k], predictions[:, k]) for k in found])


@pytest.fixture(params=[("auroc", 2), ("auroc", 4), ("mean_average_precision", 5)])
def case(request):
    """Scores in tenths, so that many are equal."""
    name, classes = request.param
    rng = np.random.default_rng(classes)
    predictions = rng.integers(0, 11, (ROWS, classes)) / 10
    targets = rng.integers(0, classes, ROWS) if name == "auroc" else rng.random((ROWS, classes)) < 0.2
    return name, targets, predictions


def test_a_sample_has_the_value_of_scikit_learn_with_ties(case):
    name, targets, predictions = case
    kind = TaskKind.MULTILABEL if targets.ndim == 2 else TaskKind.MULTICLASS
    assert metric(name, kind)(targets, predictions) == pytest.approx(
        by_scikit_learn(name, targets, predictions)
    )


def test_resamples_told_by_counts_have_the_values_of_their_rows(case):
    name, targets, predictions = case
    drawn = np.random.default_rng(0).integers(0, ROWS, (20, ROWS))
    times = np.stack([np.bincount(rows, minlength=ROWS) for rows in drawn])
    expected = [by_scikit_learn(name, targets[rows], predictions[rows]) for rows in drawn]
    assert OF_RANKS[name](targets, predictions, times) == pytest.approx(expected)


def test_classes_that_a_resample_lacks_are_left_out():
    targets, predictions = np.array([0, 1, 2, 2]), np.eye(3)[[0, 1, 2, 0]]
    times = np.array([[1, 1, 0, 0], [0, 0, 1, 1]])
    whole, one_class = auroc(targets, predictions, times)
    assert whole == by_scikit_learn("auroc", targets[:2], predictions[:2])
    assert math.isnan(one_class)


def test_labels_that_nothing_bears_have_no_precision():
    assert math.isnan(mean_average_precision(np.zeros((3, 2)), np.ones((3, 2)), np.ones((1, 3)))[0])
