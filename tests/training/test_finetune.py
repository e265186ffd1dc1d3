"""Gradient training: what each batch sees, and how it keeps to its time."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import pytest

from autotl.config import TrialConfig
from autotl.strategies.registry import strategy
from autotl.testing.workbench import tiny_workbench


def start(bench, **params):
    defaults = {"cut": 0.5, "epochs": 4, "batch_size": 8, "learning_rate": 1e-3, "augment": "none"}
    config = TrialConfig("tiny", "top_k", {**defaults, **params})
    return strategy("top_k").start(bench, config)


def test_token_dropout_reaches_activations_that_were_kept(tmp_path):
    losses = {}
    for augment in ("none", "light", "strong"):
        run = start(tiny_workbench(tmp_path, "text"), augment=augment)
        assert run._cut > 0
        losses[augment] = run.step().train_loss
    assert len(set(losses.values())) == 3


def test_training_ends_early_enough_to_be_scored_before_the_deadline(tmp_path, monkeypatch):
    bench = replace(tiny_workbench(tmp_path), deadline=time.monotonic() + 60)
    run = start(bench, epochs=1000)
    run.step()
    monkeypatch.setattr(run, "_evaluation_seconds", 61.0)
    begun = time.process_time()
    run.step()  # one batch, then it is known that no time is left
    assert run.done
    assert time.process_time() - begun < 30


def test_before_the_first_scoring_its_time_is_estimated_from_training(tmp_path):
    run = start(tiny_workbench(tmp_path))
    assert run._seconds_to_evaluate(2.0) == pytest.approx(0.4 * 2.0 * 12)
    run.step()
    assert run._seconds_to_evaluate(math.inf) < 60
