"""Labels that do not go with their features are found, and few others."""

from __future__ import annotations

import numpy as np
import pytest

from autotl.audit.labels import suspects
from autotl.audit.neighbours import directions
from autotl.task import TaskKind

ROWS = 600


def blobs(classes: int, spread: float, rows: int = ROWS):
    """Features (N, 16) around a centre a class, and the classes."""
    rng = np.random.default_rng(0)
    targets = np.arange(rows) % classes
    centres = rng.normal(size=(classes, 16))
    return centres[targets] + spread * rng.normal(size=(rows, 16)), targets


def flipped(targets, classes: int):
    """Targets of which 5 % are another class, and which rows those are."""
    rng = np.random.default_rng(1)
    rows = rng.permutation(len(targets))[: len(targets) // 20]
    wrong = targets.copy()
    wrong[rows] = (targets[rows] + rng.integers(1, classes, len(rows))) % classes
    return wrong, rows


@pytest.mark.parametrize(
    ("classes", "kind"), [(2, TaskKind.BINARY), (3, TaskKind.MULTICLASS), (12, TaskKind.MULTICLASS)]
)
def test_wrong_classes_are_found_with_the_right_one(classes, kind):
    features, targets = blobs(classes, 0.6)
    wrong, rows = flipped(targets, classes)
    found = suspects(directions(features), wrong, kind, np.arange(ROWS))
    named = {suspect.row for suspect in found}
    assert len(named & set(rows.tolist())) >= 0.6 * len(rows)
    assert len(named & set(rows.tolist())) >= 0.8 * len(named)
    assert all(suspect.column == targets[suspect.row] for suspect in found if suspect.row in rows)
    assert [s.sureness for s in found] == sorted((s.sureness for s in found), reverse=True)


@pytest.mark.parametrize("spread", [0.3, 1.0, 2.0])
def test_hard_rows_of_clean_data_are_no_suspects(spread):
    features, targets = blobs(4, spread)
    assert len(suspects(directions(features), targets, TaskKind.MULTICLASS, np.arange(ROWS))) <= 0.01 * ROWS


def test_copies_with_one_wrong_label_do_not_hide_one_another():
    features, targets = blobs(3, 0.5)
    wrong, rows = flipped(targets, 3)
    rng = np.random.default_rng(2)
    copied = np.concatenate(
        [features, *(features + 0.01 * rng.normal(size=features.shape) for _ in range(2))]
    )
    units = np.tile(np.arange(ROWS), 3)
    found = suspects(directions(copied), np.tile(wrong, 3), TaskKind.MULTICLASS, units)
    named = {suspect.row % ROWS for suspect in found}
    assert len(named & set(rows.tolist())) >= 0.6 * len(rows)


def test_a_label_too_many_or_too_few_is_found():
    rng = np.random.default_rng(0)
    bears = rng.random((ROWS, 3)) < 0.4
    features = bears @ rng.normal(size=(3, 16)) + 0.2 * rng.normal(size=(ROWS, 16))
    rows, columns = rng.permutation(ROWS)[:90], rng.integers(0, 3, 90)
    wrong = bears.copy()
    wrong[rows, columns] = ~wrong[rows, columns]
    found = suspects(directions(features), wrong.astype(np.float32), TaskKind.MULTILABEL, np.arange(ROWS))
    planted = set(zip(rows.tolist(), columns.tolist(), strict=True))
    named = {(suspect.row, suspect.column) for suspect in found}
    assert len(named & planted) >= 0.6 * len(planted)
    assert len(named & planted) >= 0.8 * len(named)


def test_values_far_from_what_is_expected_are_found_with_that():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(ROWS, 6))
    values = directions(features)[:, 0] * 10 + 0.1 * rng.normal(size=ROWS)
    values[[3, 50]] += 30.0
    found = suspects(directions(features), values, TaskKind.REGRESSION, np.arange(ROWS))
    assert {suspect.row for suspect in found[:2]} == {3, 50}
    assert len(found) <= 6
    assert all(abs(suspect.value - values[suspect.row] + 30) < 5 for suspect in found[:2])


def test_values_that_features_do_not_explain_are_not_judged():
    rng = np.random.default_rng(0)
    values = rng.standard_cauchy(ROWS)
    assert (
        suspects(directions(rng.normal(size=(ROWS, 6))), values, TaskKind.REGRESSION, np.arange(ROWS)) == []
    )


def test_a_handful_of_rows_gives_no_suspects():
    features, targets = blobs(2, 0.1, rows=12)
    targets[0] = 1
    assert suspects(directions(features), targets, TaskKind.BINARY, np.arange(12)) == []
