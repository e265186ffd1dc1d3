"""Heads with a hidden layer learn what no linear head can, alike each time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from autotl.task import TaskKind
from autotl.training.linear import logistic_path
from autotl.training.mlp import mlp_path

KINDS = [TaskKind.MULTICLASS, TaskKind.MULTILABEL, TaskKind.REGRESSION]


@pytest.fixture
def quadrants():
    """Points whose class is that of the product of their first two coordinates."""
    rng = np.random.default_rng(0)
    features = torch.from_numpy(rng.normal(size=(400, 6)).astype(np.float32)) + 2.0
    labels = ((features[:, 0] > 2.0) == (features[:, 1] > 2.0)).long()
    return features, torch.nn.functional.one_hot(labels).float()


def hits(head, features, targets):
    return float((head(features).argmax(dim=1) == targets.argmax(dim=1)).float().mean())


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_what_no_linear_head_can(quadrants, kind):
    features, targets = quadrants
    linear = next(logistic_path(features, targets, TaskKind.MULTICLASS, penalties=(1.0,)))
    assert hits(linear, features, targets) < 0.7
    assert hits(next(mlp_path(features, targets, kind, penalties=(0.3,))), features, targets) > 0.9


def test_penalties_trained_together_do_not_touch_each_other(quadrants):
    together = list(mlp_path(*quadrants, TaskKind.MULTICLASS, penalties=(30.0, 1.0)))
    alone = next(mlp_path(*quadrants, TaskKind.MULTICLASS, penalties=(1.0,)))
    assert torch.allclose(together[1](quadrants[0]), alone(quadrants[0]), atol=0.05)
    strong, weak = (head.output.weight.norm() for head in together)
    assert strong < weak


def test_the_module_is_the_head_and_a_seed_gives_it_again(quadrants):
    features = quadrants[0]
    first, again, other = (
        next(mlp_path(*quadrants, TaskKind.MULTICLASS, penalties=(3.0,), seed=seed)) for seed in (0, 0, 1)
    )
    assert torch.allclose(first.module()(features), first(features), atol=1e-5)
    assert torch.equal(first(features), again(features))
    assert not torch.equal(first(features), other(features))


def test_a_penalty_beyond_the_rows_does_not_draw_the_weights_to_nothing(quadrants):
    features, targets = (rows[:200] for rows in quadrants)
    head = next(mlp_path(features, targets, TaskKind.MULTICLASS, penalties=(1e4,)))
    assert head.penalty == 1e4
    assert head.output.weight.abs().max() > 0.1
    assert hits(head, features, targets) > 0.5
