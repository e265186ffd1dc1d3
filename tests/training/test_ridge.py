"""Ridge regression in closed form equals the fits that it saves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge as Reference
from sklearn.preprocessing import StandardScaler

from autotl.task import TaskKind
from autotl.training.heads import most_relevant
from autotl.training.linear import Components
from autotl.training.ridge import Ridge, ridge_path, sharpness, signs

PENALTIES = (100.0, 10.0, 1.0)


def problem(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(rows, columns)) * rng.uniform(0.5, 2.0, columns) + 3.0
    targets = features @ rng.normal(size=(columns, 2)) + rng.normal(size=(rows, 2))
    return features.astype(np.float32), targets.astype(np.float32)


@pytest.mark.parametrize(("rows", "columns"), [(40, 6), (20, 50)])
def test_rows_left_out_get_what_a_fit_without_them_gives(rows, columns):
    features, targets = problem(rows, columns)
    ridge = Ridge(Components(torch.from_numpy(features)), torch.from_numpy(targets), PENALTIES)
    scaled = StandardScaler().fit_transform(features)
    for index, penalty in enumerate(PENALTIES):
        expected = np.empty_like(targets)
        for row in range(rows):
            others = np.arange(rows) != row
            fit = Reference(alpha=penalty).fit(scaled[others], targets[others])
            expected[row] = fit.predict(scaled[row : row + 1])
        assert np.abs(ridge.left_out(index).numpy() - expected).max() < 2e-3


def test_one_product_gives_the_outputs_of_every_head():
    features, targets = map(torch.from_numpy, problem(40, 6))
    ridge = Ridge(Components(features), targets, PENALTIES)
    outputs = ridge.outputs(features[:7])
    assert outputs.shape == (3, 7, 2)
    for index in range(3):
        assert torch.allclose(outputs[index], ridge.head(index)(features[:7]), atol=1e-4)


def test_features_that_matter_are_the_relevant_ones():
    rng = np.random.default_rng(1)
    features = torch.from_numpy(rng.normal(size=(200, 30)).astype(np.float32))
    targets = features[:, [4, 17, 21]].sum(dim=1, keepdim=True)
    relevance = Ridge(Components(features), targets).relevance()
    assert most_relevant(relevance, 0.1).tolist() == [4, 17, 21]


@pytest.mark.parametrize("kind", [TaskKind.MULTICLASS, TaskKind.MULTILABEL])
def test_outputs_of_classes_are_logits(kind):
    rng = np.random.default_rng(2)
    labels = torch.from_numpy(rng.integers(3, size=300))
    targets = torch.nn.functional.one_hot(labels).float()
    features = targets @ torch.eye(3, 8) + 0.3 * torch.from_numpy(
        rng.normal(size=(300, 8)).astype(np.float32)
    )
    raw = next(ridge_path(features, targets, kind, penalties=(1.0,)))(features)
    multilabel = kind is TaskKind.MULTILABEL
    probabilities = torch.sigmoid(raw) if multilabel else torch.softmax(raw, dim=1)
    # Three labels that exclude each other: one above a half, and sure of it.
    assert ((probabilities > 0.5) == targets.bool()).float().mean() > 0.97
    assert probabilities[targets.bool()].mean() > 0.9


def test_sharpness_is_that_of_the_least_log_loss():
    targets = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).repeat(10, 1)
    wrong = signs(targets).clone()
    wrong[:2] *= -1
    # Nine in ten are right: softmax(2 s) = 0.9 at s = 1.1.
    assert sharpness(wrong, targets, TaskKind.MULTICLASS) == 1.0
    assert sharpness(signs(targets), targets, TaskKind.MULTICLASS) >= 8.0
