"""Bootstrap intervals cover, repeat under a seed, and are quick for means over rows."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy.stats import binomtest

from autotl.leaderboard.interval import Interval, bootstrap_interval
from autotl.task import Metric, TaskKind, metric, metrics

_OF_RANKS = {"auroc", "spearman", "mean_average_precision"}
_ACCURACY = metric("accuracy", TaskKind.MULTICLASS)


def _predictions(targets, right, classes=3):
    chosen = np.where(right, targets, (targets + 1) % classes)
    return np.eye(classes)[chosen] * 0.8 + 0.2 / classes


def _sample(rows, accuracy, seed):
    generator = np.random.default_rng(seed)
    targets = generator.integers(0, 3, rows)
    return targets, _predictions(targets, generator.random(rows) < accuracy)


def test_the_interval_covers_the_true_accuracy_about_as_often_as_it_says():
    covered = 0
    for seed in range(200):
        interval = bootstrap_interval(_ACCURACY, *_sample(200, 0.8, seed), seed=seed)
        covered += interval.low <= 0.8 <= interval.high
    assert 180 <= covered <= 199


def test_the_standard_error_is_that_of_a_proportion():
    targets, predictions = _sample(1000, 0.8, 0)
    interval = bootstrap_interval(_ACCURACY, targets, predictions)
    expected = np.sqrt(interval.value * (1 - interval.value) / 1000)
    assert interval.standard_error == pytest.approx(expected, rel=0.1)


def _data(kind, rows=250):
    generator = np.random.default_rng(3)
    if kind is TaskKind.REGRESSION:
        targets = generator.normal(5.0, 2.0, rows)
        return targets, targets + generator.normal(scale=1.0, size=rows)
    if kind is TaskKind.MULTILABEL:
        targets = generator.integers(0, 2, (rows, 4))
        return targets, np.clip(targets + generator.normal(scale=0.6, size=targets.shape), 0, 1)
    classes = 2 if kind is TaskKind.BINARY else 4
    targets = generator.integers(0, classes, rows)
    scores = np.eye(classes)[targets] + generator.normal(scale=0.7, size=(rows, classes))
    weights = np.exp(scores)
    return targets, weights / weights.sum(axis=1, keepdims=True)


def _gorodkin(targets, predictions):
    """Matthews correlation from covariances of indicators, quicker than scikit-learn's."""
    classes = predictions.shape[1]
    true = np.eye(classes)[targets] - np.eye(classes)[targets].mean(axis=0)
    said = np.eye(classes)[predictions.argmax(axis=1)]
    said = said - said.mean(axis=0)
    return (true * said).sum() / np.sqrt((true**2).sum() * (said**2).sum())


@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, kind) for kind in TaskKind for name in metrics(kind) if name != "spearman"],
)
def test_the_quick_way_agrees_with_the_loop(name, kind):
    known = metric(name, kind)
    function = _gorodkin if name == "mcc" else known.function
    slow = Metric("slow", known.greater_is_better, function, known.kinds)
    targets, predictions = _data(kind)
    quick = bootstrap_interval(known, targets, predictions, repeats=1000)
    looped = bootstrap_interval(slow, targets, predictions, repeats=1000)
    tolerance = 0.5 * looped.standard_error
    assert quick.value == pytest.approx(looped.value)
    assert quick.low == pytest.approx(looped.low, abs=tolerance)
    assert quick.high == pytest.approx(looped.high, abs=tolerance)
    assert quick.standard_error == pytest.approx(looped.standard_error, rel=0.1)


@pytest.mark.parametrize("name", sorted(_OF_RANKS))
def test_rank_statistics_have_intervals_too(name):
    for kind in TaskKind:
        if name in metrics(kind):
            interval = bootstrap_interval(metric(name, kind), *_data(kind), repeats=50)
            assert interval.low < interval.value < interval.high


@pytest.mark.parametrize(("name", "classes"), [("macro_f1", 77), ("log_loss", 77), ("auroc", 77)])
def test_many_classes_take_a_moment(name, classes):
    generator = np.random.default_rng(0)
    targets = generator.integers(0, classes, 2000)
    predictions = generator.dirichlet(np.ones(classes), 2000)
    begun = time.process_time()
    bootstrap_interval(metric(name, TaskKind.MULTICLASS), targets, predictions)
    assert time.process_time() - begun < 2.0


def test_the_same_seed_gives_the_same_interval():
    sample = _sample(100, 0.7, 2)
    assert bootstrap_interval(_ACCURACY, *sample, seed=5) == bootstrap_interval(_ACCURACY, *sample, seed=5)
    assert bootstrap_interval(_ACCURACY, *sample, seed=5) != bootstrap_interval(_ACCURACY, *sample, seed=6)


def test_rows_are_drawn_within_classes_so_that_a_rare_class_stays():
    targets = np.array([0] * 95 + [1] * 5)
    predictions = np.eye(2)[targets]
    f1 = metric("macro_f1", TaskKind.BINARY)
    found = bootstrap_interval(f1, targets, predictions, repeats=200)
    assert found == Interval(1.0, pytest.approx(0.025 ** (1 / len(targets))), 1.0, 0.0)


def test_classes_that_are_all_right_or_all_wrong_leave_the_share_uncertain():
    targets = np.repeat([0, 1, 2], [10, 20, 70])
    predictions = np.eye(3)[np.where(targets == 1, 2, targets)]
    found = bootstrap_interval(_ACCURACY, targets, predictions)
    exact = binomtest(80, 100).proportion_ci(method="exact")
    assert (found.value, found.low, found.high) == pytest.approx((0.8, exact.low, exact.high))


def test_values_and_labels_have_intervals_too():
    generator = np.random.default_rng(0)
    values = generator.normal(size=200)
    rmse = bootstrap_interval(
        metric("rmse", TaskKind.REGRESSION),
        values,
        values + generator.normal(scale=0.1, size=200),
        repeats=300,
    )
    assert 0.08 < rmse.low < rmse.value < rmse.high < 0.12
    labels = generator.integers(0, 2, (150, 4))
    noisy = np.clip(labels + generator.normal(scale=0.6, size=labels.shape), 0, 1)
    f1 = bootstrap_interval(metric("micro_f1", TaskKind.MULTILABEL), labels, noisy, repeats=300)
    assert 0.5 < f1.low < f1.value < f1.high < 1


def test_a_hundred_thousand_rows_take_a_moment():
    sample = _sample(100_000, 0.9, 0)
    begun = time.process_time()
    bootstrap_interval(_ACCURACY, *sample)
    assert time.process_time() - begun < 1.0


def test_without_rows_there_is_no_interval():
    with pytest.raises(ValueError, match="got 0 and 0"):
        bootstrap_interval(_ACCURACY, np.zeros(0, int), np.zeros((0, 3)))
