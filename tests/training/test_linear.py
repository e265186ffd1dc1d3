"""Linear heads agree with scikit-learn and with their definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from autotl.task import TaskKind
from autotl.training.linear import logistic_path, prototype_head
from autotl.training.ridge import ridge_path


@pytest.fixture
def blobs():
    generator = np.random.default_rng(0)
    labels = np.arange(240) % 4
    centres = generator.normal(size=(4, 12)) * 1.5
    features = centres[labels] + generator.normal(size=(240, 12)) * 1.5 + 3.0
    return features.astype(np.float32), labels


def indicators(labels):
    return torch.nn.functional.one_hot(torch.from_numpy(labels)).float()


@pytest.mark.parametrize("penalty", [100.0, 1.0])
def test_logistic_regression_is_that_of_scikit_learn(blobs, penalty):
    features, labels = blobs
    path = logistic_path(
        torch.from_numpy(features), indicators(labels), TaskKind.MULTICLASS, penalties=(penalty,)
    )
    ours = torch.softmax(next(path)(torch.from_numpy(features)), dim=1).numpy()
    scaled = StandardScaler().fit_transform(features)
    reference = LogisticRegression(C=1 / penalty, tol=1e-8, max_iter=2000).fit(scaled, labels)
    assert np.abs(ours - reference.predict_proba(scaled)).max() < 5e-3


@pytest.mark.parametrize("rows", [240, 30])
@pytest.mark.parametrize("kind", [TaskKind.MULTICLASS, TaskKind.MULTILABEL])
def test_the_loss_is_at_its_minimum(blobs, kind, rows):
    features, labels = np.tile(blobs[0][:rows], 4)[:, :44], blobs[1][:rows]
    features = features + np.random.default_rng(1).normal(size=features.shape).astype(np.float32)
    targets, scaled = indicators(labels), StandardScaler().fit_transform(features)
    for head in logistic_path(torch.from_numpy(features), targets, kind, penalties=(100.0, 10.0, 1.0, 0.3)):
        multilabel = kind is TaskKind.MULTILABEL
        weight = head.weight.numpy() * features.std(axis=0)
        ours = _loss(head(torch.from_numpy(features)), weight, targets, head.penalty, multilabel)
        rest = [labels == c for c in range(4)] if multilabel else [labels]
        fits = [LogisticRegression(C=1 / head.penalty, tol=1e-9, max_iter=5000).fit(scaled, y) for y in rest]
        raw = np.stack([fit.decision_function(scaled) for fit in fits], axis=1).reshape(rows, 4)
        coefficients = np.concatenate([fit.coef_ for fit in fits])
        assert ours <= 1.0001 * _loss(torch.from_numpy(raw), coefficients, targets, head.penalty, multilabel)


def _loss(raw, weight, targets, penalty, multilabel):
    if multilabel:
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            raw, targets.to(raw.dtype), reduction="sum"
        )
    else:
        loss = torch.nn.functional.cross_entropy(raw, targets.to(raw.dtype), reduction="sum")
    return float(loss) + 0.5 * penalty * float(np.square(weight).sum())


def test_each_penalty_of_a_path_equals_a_fit_of_its_own(blobs):
    features, labels = torch.from_numpy(blobs[0]), indicators(blobs[1])
    together = list(logistic_path(features, labels, TaskKind.MULTICLASS, penalties=(30.0, 3.0)))
    alone = next(logistic_path(features, labels, TaskKind.MULTICLASS, penalties=(3.0,)))
    assert torch.allclose(together[1](features), alone(features), atol=0.05)


@pytest.mark.parametrize("columns", [12, 3])
@pytest.mark.parametrize("rows", [240, 8])
def test_ridge_is_that_of_scikit_learn_in_both_its_forms(blobs, rows, columns):
    features = blobs[0][:rows, :columns]
    targets = features @ np.arange(columns, dtype=np.float32)[:, None] + blobs[1][:rows, None]
    head = next(
        ridge_path(
            torch.from_numpy(features), torch.from_numpy(targets), TaskKind.REGRESSION, penalties=(10.0,)
        )
    )
    scaled = StandardScaler().fit_transform(features)
    reference = Ridge(alpha=10.0).fit(scaled, targets).predict(scaled)
    found = head(torch.from_numpy(features)).numpy()
    assert np.abs(found - reference.reshape(found.shape)).max() < 1e-2


def test_prototypes_choose_the_nearest_class_mean(blobs):
    features, labels = blobs
    head = prototype_head(torch.from_numpy(features), indicators(labels))
    scaled = StandardScaler().fit_transform(features)
    means = np.stack([scaled[labels == c].mean(axis=0) for c in range(4)])
    nearest = ((scaled[:, None] - means[None]) ** 2).sum(axis=2).argmin(axis=1)
    assert (head(torch.from_numpy(features)).argmax(dim=1).numpy() == nearest).all()


def test_class_weights_move_the_decision_towards_the_rare_class(blobs):
    features = torch.from_numpy(blobs[0])
    labels = (blobs[1] == 0).astype(np.int64)
    targets = indicators(labels)
    weights = torch.tensor([240 / (2 * 180), 240 / (2 * 60)])
    plain = next(logistic_path(features, targets, TaskKind.BINARY, penalties=(10.0,)))
    balanced = next(logistic_path(features, targets, TaskKind.BINARY, penalties=(10.0,), weights=weights))
    share = [(head(features).argmax(dim=1) == 1).float().mean() for head in (plain, balanced)]
    assert share[1] > share[0]


def test_a_constant_column_does_no_harm(blobs):
    features = torch.from_numpy(blobs[0]).clone()
    features[:, 0] = 7.0
    head = next(logistic_path(features, indicators(blobs[1]), TaskKind.MULTICLASS, penalties=(1.0,)))
    assert torch.isfinite(head(features)).all()


def test_the_module_is_the_head(blobs):
    features = torch.from_numpy(blobs[0])
    head = next(ridge_path(features, indicators(blobs[1]), TaskKind.MULTICLASS, penalties=(1.0,)))
    assert torch.allclose(head.module()(features), head(features), atol=1e-5)
