"""An audit looks at rows in all their forms: labels by the features that are meant for that."""

from __future__ import annotations

import numpy as np

from autotl.audit.look import look
from autotl.audit.neighbours import standardised
from autotl.audit.rows import Rows
from autotl.task import Task, TaskKind

ROWS = 400


def seen(features: np.ndarray, judging: np.ndarray | None, targets: np.ndarray) -> Rows:
    task = Task(TaskKind.BINARY, ("good", "bad"), "accuracy")
    rows = np.arange(ROWS)
    names = [f"row {row}" for row in rows]
    return Rows(task, targets, names, np.full(ROWS, "train"), rows, features, judging=judging)


def test_labels_are_judged_by_the_features_that_tell_them_where_there_are_such():
    rng = np.random.default_rng(0)
    targets = np.arange(ROWS) % 2
    noise = rng.normal(size=(ROWS, 16)).astype(np.float32)
    telling = (noise + 4 * targets[:, None]).astype(np.float32)
    wrong = targets.copy()
    wrong[:20] = 1 - wrong[:20]
    blind, told = (
        {suspect.row for suspect in look(seen(noise, judging, wrong)).suspects} for judging in (None, telling)
    )
    assert len(told & set(range(20))) >= 12
    assert len(told) <= 24
    assert len(blind & set(range(20))) <= 0.5 * len(blind)


def test_columns_count_alike_when_they_are_standardised_and_constant_ones_stay_nothing():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(50, 4)) * (10.0, 1.0, 0.1, 0.0) + 7.0
    features[:, 3] += 1e-9 * np.arange(50)  # what is left of a dead unit
    found = standardised(features.astype(np.float32))
    assert found.dtype == np.float32
    assert np.allclose(found[:, :3], standardised(features)[:, :3], atol=1e-3)
    assert np.allclose(found.mean(axis=0), 0, atol=1e-3)
    assert np.allclose(found[:, :3].std(axis=0), 1, atol=1e-3)
    assert np.abs(found[:, 3]).max() < 1e-3
