"""Closed-form scores of features equal what refitting, direct optimisation and scikit-learn give."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import multivariate_normal
from sklearn.covariance import ledoit_wolf_shrinkage

from autotl.features.transferability import (
    accuracy,
    h_score,
    indicators,
    knn_accuracy,
    knn_predictions,
    logme,
    ridge_accuracy,
    ridge_predictions,
    spectrum,
)
from autotl.task import TaskKind

SHAPES = pytest.mark.parametrize(("rows", "width"), [(40, 6), (24, 60)])


def blobs(rows, width, noise=1.0, classes=3, seed=0):
    generator = np.random.default_rng(seed)
    labels = np.arange(rows) % classes
    centres = generator.normal(size=(classes, width))
    scale = np.linspace(0.5, 3.0, width)
    return (centres[labels] + noise * generator.normal(size=(rows, width))) * scale + 5.0, labels


def standardised(features):
    return (features - features.mean(axis=0)) / features.std(axis=0)


@SHAPES
def test_ridge_without_a_row_is_what_a_refit_without_it_predicts(rows, width):
    features, labels = blobs(rows, width)
    x, y = standardised(features), indicators(labels, TaskKind.MULTICLASS)
    found = ridge_predictions(spectrum(features), y, (0.5, 0.01))
    for penalty, predictions in found.items():
        strength = penalty * width  # the mean variance of all standardised columns together
        for row in range(0, rows, 5):
            others = np.arange(rows) != row
            mean, offset = x[others].mean(axis=0), y[others].mean(axis=0)
            gram = (x[others] - mean).T @ (x[others] - mean) + strength * np.eye(width)
            weight = np.linalg.solve(gram, (x[others] - mean).T @ (y[others] - offset))
            assert np.allclose(predictions[row], (x[row] - mean) @ weight + offset, atol=1e-8)


@SHAPES
def test_neighbours_vote_as_when_each_row_is_looked_up_by_itself(rows, width):
    features, labels = blobs(rows, width)
    x, y = standardised(features), indicators(labels, TaskKind.MULTICLASS)
    found = knn_predictions(spectrum(features), y, (1, 3))
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    for row in range(rows):
        cosines = unit @ unit[row]
        cosines[row] = -2.0
        nearest = np.argsort(-cosines)[:3]
        votes = np.exp(cosines[nearest] / 0.07)
        assert np.allclose(found[1][row], y[nearest[0]])
        assert np.allclose(found[3][row], votes @ y[nearest] / votes.sum())


@SHAPES
def test_logme_is_the_maximum_of_the_evidence(rows, width):
    features, labels = blobs(rows, width, noise=2.0)
    x, y = standardised(features), indicators(labels, TaskKind.MULTICLASS)
    contrasts = np.linalg.qr(np.c_[np.ones(rows), np.eye(rows)[:, 1:]])[0][:, 1:]  # all but the mean
    x, y = contrasts.T @ x, contrasts.T @ y

    def deficit(logs, column):
        alpha, beta = np.exp(logs)
        covariance = np.eye(rows - 1) / beta + x @ x.T / alpha
        return -multivariate_normal.logpdf(y[:, column], np.zeros(rows - 1), covariance) / (rows - 1)

    best = [-minimize(deficit, (3.0, 1.0), (k,), method="Nelder-Mead").fun for k in range(y.shape[1])]
    assert logme(spectrum(features), indicators(labels, TaskKind.MULTICLASS)) == pytest.approx(
        np.mean(best), abs=1e-3
    )


@SHAPES
def test_h_score_is_the_trace_that_defines_it(rows, width):
    features, labels = blobs(rows, width)
    x = standardised(features)
    shrinkage = ledoit_wolf_shrinkage(x, assume_centered=True)
    empirical = x.T @ x / rows
    shrunk = (1 - shrinkage) * empirical + shrinkage * np.trace(empirical) / width * np.eye(width)
    means = np.stack([x[labels == label].mean(axis=0) for label in labels])
    expected = np.trace(np.linalg.solve(shrunk, (1 - shrinkage) * means.T @ means / rows))
    assert h_score(spectrum(features), indicators(labels, TaskKind.MULTICLASS)) == pytest.approx(expected)


def test_constant_columns_change_no_score_but_the_shrinkage():
    features, labels = blobs(40, 6)
    y = indicators(labels, TaskKind.MULTICLASS)
    plain, padded = spectrum(features), spectrum(np.concatenate([features, np.full((40, 2), 7.0)], axis=1))
    assert logme(padded, y) == pytest.approx(logme(plain, y))
    assert np.allclose(ridge_predictions(padded, y)[0.1], ridge_predictions(plain, y)[0.1])
    assert knn_accuracy(padded, y, TaskKind.MULTICLASS) == knn_accuracy(plain, y, TaskKind.MULTICLASS)


def targets_of(kind, labels):
    if kind is TaskKind.REGRESSION:
        return labels * 2.0 + 1.0
    if kind is TaskKind.MULTILABEL:
        return np.stack([labels == 0, labels >= 1], axis=1).astype(np.float32)
    return labels


@pytest.mark.parametrize("kind", list(TaskKind))
def test_features_that_tell_targets_apart_score_higher_than_noisier_ones(kind):
    scores = []
    for noise in (0.5, 2.0, 8.0):
        features, labels = blobs(150, 10, noise, classes=2 if kind is TaskKind.BINARY else 3)
        y, s = indicators(targets_of(kind, labels), kind), spectrum(features)
        scores.append((ridge_accuracy(s, y, kind), knn_accuracy(s, y, kind), logme(s, y), h_score(s, y)))
    clear, middle, noisy = (np.array(score) for score in scores)
    assert (clear >= middle).all()
    assert (middle > noisy).all()


def test_features_without_information_do_not_beat_chance():
    generator = np.random.default_rng(1)
    features, labels = generator.normal(size=(400, 30)), generator.integers(4, size=400)
    y = indicators(labels, TaskKind.MULTICLASS)
    assert ridge_accuracy(spectrum(features), y, TaskKind.MULTICLASS) < 0.33
    assert knn_accuracy(spectrum(features), y, TaskKind.MULTICLASS) < 0.33


def test_accuracy_of_labels_is_scikit_learns_average_precision():
    from sklearn.metrics import average_precision_score

    generator = np.random.default_rng(2)
    y, p = (generator.random((50, 3)) < 0.3).astype(float), generator.random((50, 3))
    expected = average_precision_score(y, p, average="macro")
    assert accuracy(y, p, TaskKind.MULTILABEL) == pytest.approx(expected)


def test_one_row_a_class_and_constant_features_are_no_error():
    y = indicators(np.arange(5), TaskKind.MULTICLASS)
    s = spectrum(np.ones((5, 4)))
    assert ridge_accuracy(s, y, TaskKind.MULTICLASS) == 0.0
    assert np.isfinite([knn_accuracy(s, y, TaskKind.MULTICLASS), logme(s, y), h_score(s, y)]).all()
