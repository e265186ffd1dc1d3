"""One temperature undoes over- and underconfidence, and never makes the loss worse."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, softmax

from autotl.leaderboard.calibration import (
    expected_calibration_error,
    fit_temperature,
    raw_outputs,
)
from autotl.task import TaskKind


def _calibrated(rows=4000, classes=4, seed=0):
    generator = np.random.default_rng(seed)
    logits = generator.normal(scale=2.0, size=(rows, classes))
    noise = generator.gumbel(size=logits.shape)
    return logits, (logits + noise).argmax(axis=1)


@pytest.mark.parametrize("factor", [0.25, 1.0, 3.0])
def test_the_factor_on_calibrated_logits_is_found(factor):
    logits, targets = _calibrated()
    found = fit_temperature(logits * factor, targets, TaskKind.MULTICLASS)
    assert found == pytest.approx(factor, rel=0.08)


@pytest.mark.parametrize("kind", [TaskKind.MULTICLASS, TaskKind.MULTILABEL])
def test_rows_that_are_all_right_make_no_model_certain(kind):
    targets = np.random.default_rng(0).integers(0, 3, 100)
    logits = np.eye(3)[targets] if kind is TaskKind.MULTICLASS else 2 * np.eye(3)[targets] - 1
    truth = targets if kind is TaskKind.MULTICLASS else np.eye(3)[targets]
    temperature = fit_temperature(logits, truth, kind)
    sure = (
        softmax(logits / temperature, axis=1) if kind is TaskKind.MULTICLASS else expit(logits / temperature)
    )
    assert 0.97 < sure.max() < 0.998


def test_labels_of_a_multilabel_task_are_calibrated_each():
    generator = np.random.default_rng(0)
    logits = generator.normal(scale=2.0, size=(2000, 3))
    targets = (generator.random(logits.shape) < 1 / (1 + np.exp(-logits))).astype(float)
    assert fit_temperature(logits * 2.5, targets, TaskKind.MULTILABEL) == pytest.approx(2.5, rel=0.1)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 60), st.floats(0.01, 50.0))
def test_the_loss_never_rises(seed, rows, scale):
    generator = np.random.default_rng(seed)
    logits = generator.normal(scale=scale, size=(rows, 3))
    targets = generator.integers(0, 3, rows)
    temperature = fit_temperature(logits, targets, TaskKind.MULTICLASS)
    largest = logits.max(axis=1, keepdims=True)

    def loss(divisor):
        scaled = (logits - largest) / divisor
        return np.mean(np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(rows), targets])

    assert 0.049 <= temperature <= 20.1
    assert loss(temperature) <= loss(1.0) + 1e-12


def test_regression_no_rows_and_broken_logits_are_left_alone():
    assert fit_temperature(np.ones((5, 1)), np.ones(5), TaskKind.REGRESSION) == 1.0
    assert fit_temperature(np.ones((0, 3)), np.zeros(0, int), TaskKind.MULTICLASS) == 1.0
    assert fit_temperature(np.array([[np.nan, 1.0]]), np.array([0]), TaskKind.BINARY) == 1.0


def test_what_only_noise_asks_for_is_not_kept():
    kept = 0
    for seed in range(40):
        logits, targets = _calibrated(rows=60, seed=seed)
        kept += fit_temperature(logits, targets, TaskKind.MULTICLASS) != 1.0
    assert kept < 12


@pytest.mark.parametrize("kind", [TaskKind.MULTICLASS, TaskKind.MULTILABEL])
def test_raw_outputs_give_their_probabilities_back(kind):
    back = expit if kind is TaskKind.MULTILABEL else partial(softmax, axis=1)
    predicted = back(np.random.default_rng(0).normal(size=(20, 4)))
    assert back(raw_outputs(predicted, kind).astype(np.float64)) == pytest.approx(predicted, abs=1e-6)


def test_scaling_lowers_the_calibration_error():
    logits, targets = _calibrated()
    overconfident = logits * 4
    temperature = fit_temperature(overconfident, targets, TaskKind.MULTICLASS)
    before = expected_calibration_error(softmax(overconfident, axis=1), targets)
    after = expected_calibration_error(softmax(overconfident / temperature, axis=1), targets)
    assert before > 0.1
    assert after < 0.03


def test_the_calibration_error_of_known_cases():
    sure = np.array([[1.0, 0.0]] * 4)
    assert expected_calibration_error(sure, np.zeros(4, int)) == 0.0
    assert expected_calibration_error(sure, np.ones(4, int)) == 1.0
    assert expected_calibration_error(np.array([[0.75, 0.25]] * 4), np.array([0, 0, 0, 1])) == pytest.approx(
        0
    )
    assert expected_calibration_error(np.zeros((0, 2)), np.zeros(0, int)) == 0.0
    assert expected_calibration_error(np.array([[0.5, 0.5]]), np.array([[1.0, 0.0]])) == pytest.approx(0.0)
