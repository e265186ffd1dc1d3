"""Rows far from all others, or from their class, are found; clean data give few."""

from __future__ import annotations

import numpy as np

from autotl.audit.neighbours import directions, nearest
from autotl.audit.outliers import outliers


def rows(count: int = 300):
    rng = np.random.default_rng(0)
    targets = np.arange(count) % 3
    return 4 * np.eye(12)[targets] + 0.4 * rng.normal(size=(count, 12)), targets


def test_clean_rows_give_next_to_no_outliers():
    features, targets = rows()
    assert len(outliers(directions(features), np.arange(300), targets)) <= 3


def test_a_row_of_another_kind_comes_first():
    features, targets = rows()
    features[7] = -10 * np.ones(12)
    first = outliers(directions(features), np.arange(300), targets)[0]
    assert (first.row, first.in_class) == (7, False)
    assert first.times > 2


def test_a_row_amid_another_class_is_far_from_its_own():
    features, targets = rows()
    targets[5] = 0
    found = {outlier.row: outlier for outlier in outliers(directions(features), np.arange(300), targets)}
    assert found[5].in_class


def test_copies_of_an_outlier_do_not_make_it_ordinary():
    features, targets = rows()
    features[:6] = -10 * np.ones(12) + 0.001 * np.arange(6)[:, None]
    units = np.arange(300)
    units[:6] = 0
    named = {outlier.row for outlier in outliers(directions(features), units, targets)}
    assert set(range(6)) <= named


def test_nearest_rows_are_those_of_the_greatest_cosine_without_the_row_itself():
    unit = directions(np.random.default_rng(0).normal(size=(50, 5)))
    found = nearest(unit, 4)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -2)
    np.testing.assert_array_equal(found.rows, np.argsort(-cosines, axis=1)[:, :4])
    np.testing.assert_allclose(found.cosines, -np.sort(-cosines, axis=1)[:, :4], atol=1e-6)
