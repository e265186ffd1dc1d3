"""Learning rates of the blocks, read from first steps: AdamW's is as large as the learning rate."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from autotl.config import TrialConfig
from autotl.training.optimizer import Optimizer
from autotl.training.plan import Plan, Settings

RATE = 0.01
EVERY_BLOCK = Plan(0, (0,))


def rates(plan=EVERY_BLOCK, blocks=4, **params):
    """What each block's weight moves by in a first step, then what the head's does."""
    *body, head = [torch.nn.Parameter(torch.ones(1, 1)) for _ in range(blocks + 1)]
    trained = [[weight] if i in range(blocks)[plan.cut : plan.end] else [] for i, weight in enumerate(body)]
    settings = Settings.of(
        TrialConfig("tiny", "full", {"learning_rate": RATE, "weight_decay": 0.0, **params})
    )
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    optimizer = Optimizer(SimpleNamespace(blocks=trained, head=[head]), plan, settings, scaler)
    optimizer.backward(sum(weight.sum() for weight in (*body, head)))
    optimizer.step(1.0)
    return [1 - weight.item() for weight in (*body, head)]


def test_the_learning_rate_falls_towards_the_input_and_the_head_has_its_full_one():
    found = rates(layer_decay=0.5, head_learning_rate_factor=2.0)
    assert found == pytest.approx([RATE / 8, RATE / 4, RATE / 2, RATE, 2 * RATE], rel=1e-3)


def test_without_decay_all_learn_alike():
    found = rates(layer_decay=1.0, head_learning_rate_factor=1.0)
    assert found == pytest.approx([RATE] * 5, rel=1e-3)


def test_the_last_block_that_trains_has_the_full_rate():
    found = rates(Plan(1, (1,), end=3), layer_decay=0.5, head_learning_rate_factor=1.0)
    assert found == pytest.approx([0, RATE / 2, RATE, 0, RATE], rel=1e-3)
