"""Calibration before the temperature is what the logits gave."""

from __future__ import annotations

import numpy as np
import pytest

from autotl.report.mistakes import mistakes
from autotl.report.reliability import uncalibrated
from autotl.task import TaskKind


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_division_of_the_logits_is_undone(temperature):
    logits = np.random.default_rng(0).normal(0, 3, (50, 5))
    found = uncalibrated(softmax(logits / temperature), temperature, several=False)
    np.testing.assert_allclose(found, softmax(logits), atol=1e-9)
    labels = uncalibrated(1 / (1 + np.exp(-logits / temperature)), temperature, several=True)
    np.testing.assert_allclose(labels, 1 / (1 + np.exp(-logits)), atol=1e-9)


def test_certain_predictions_stay_numbers():
    found = uncalibrated(np.array([[1.0, 0.0], [0.0, 1.0]], np.float32), 3.0, several=False)
    np.testing.assert_allclose(found, [[1, 0], [0, 1]], atol=1e-6)
    assert np.isfinite(uncalibrated(np.array([[1.0, 0.0]], np.float32), 3.0, several=True)).all()


def test_an_overconfident_model_was_worse_before_its_temperature():
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 1.5, (4000, 4))
    drawn = (softmax(logits).cumsum(axis=1) < generator.random((4000, 1))).sum(axis=1)
    found = mistakes(TaskKind.MULTICLASS, tuple("abcd"), drawn, softmax(logits), temperature=3.0)
    assert found.uncalibrated.error > 3 * found.reliability.error


@pytest.mark.parametrize("temperature", [None, 1.0])
def test_without_calibration_there_is_no_before(temperature):
    targets = np.array([0, 1, 1])
    found = mistakes(TaskKind.BINARY, ("a", "b"), targets, np.eye(2)[targets], temperature=temperature)
    assert found.reliability is not None
    assert found.uncalibrated is None
