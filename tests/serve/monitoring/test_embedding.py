"""A sketch keeps distances, and new rows of the same kind are no further out than held-out ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from autotl.serve.monitoring import embedding
from autotl.serve.monitoring.embedding import Sketch, cross_fitted_distances
from autotl.serve.monitoring.two_sample import discrepancy_test, gaussian_kernel


@pytest.mark.parametrize("width", [5, 256, 1000])
def test_distances_are_those_of_standardised_features(width):
    rng = np.random.default_rng(0)
    features = rng.normal(3, rng.uniform(0.5, 20, width), (100, width)).astype(np.float32)
    sketch = Sketch.of(features, 0)
    projected = sketch.project(features)
    assert projected.shape == (100, min(width, embedding.MOST_DIMENSIONS))
    standard = (features - sketch.mean) / sketch.scale
    expected = np.mean((standard[:50] - standard[50:]) ** 2, axis=1)
    found = np.sum((projected[:50] - projected[50:]) ** 2, axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-3 if width <= 256 else 0.4)
    assert found.mean() == pytest.approx(expected.mean(), rel=0.02)


def test_the_signs_of_a_seed_are_the_same_for_ever():
    signs = embedding._signs(300, 0) * np.sqrt(embedding.MOST_DIMENSIONS)
    assert set(np.unique(signs)) == {-1.0, 1.0}
    assert signs[0, :12].astype(int).tolist() == FIRST
    assert abs(signs.mean()) < 0.01


#: A bundle holds rows that were projected with these: other signs would make them meaningless.
FIRST = [-1, 1, -1, 1, 1, 1, 1, 1, 1, -1, -1, -1]


def test_a_feature_that_never_moved_does_not_decide_alone():
    rng = np.random.default_rng(0)
    features = rng.normal(0, 1, (200, 10)).astype(np.float32)
    features[:, 0] = 0.0
    sketch = Sketch.of(features, 0)
    moved = features.copy()
    moved[:, 0] = 0.01
    assert np.abs(sketch.project(moved) - sketch.project(features)).max() < 0.1


@pytest.mark.parametrize(("rows", "width"), [(40, 300), (300, 300), (300, 3)])
def test_rows_that_are_new_lie_no_further_out_than_held_out_ones(rows, width):
    rng = np.random.default_rng(0)
    mixing = rng.normal(0, 1, (width, width)) / np.sqrt(width)
    features = rng.normal(0, 1, (rows + 400, width)) @ mixing
    sketch = Sketch.of(features[:rows], 0)
    held_out = cross_fitted_distances(features[:rows], 0)
    new = sketch.distances(sketch.project(features[rows:]))
    assert np.median(new) <= 1.1 * np.median(held_out)
    assert stats.mannwhitneyu(new, held_out, alternative="greater").pvalue > 0.01


def test_rows_far_outside_are_far():
    rng = np.random.default_rng(0)
    features = rng.normal(0, 1, (300, 30))
    sketch = Sketch.of(features, 0)
    near, far = (sketch.distances(sketch.project(scale * rng.normal(0, 1, (50, 30)))) for scale in (1, 3))
    assert far.min() > near.max()


def test_one_feature_is_enough():
    features = np.random.default_rng(0).normal(0, 1, (50, 1)).astype(np.float32)
    sketch = Sketch.of(features, 0)
    projected = sketch.project(features)
    assert np.isfinite(sketch.distances(projected)).all()
    assert sketch.plain(features).shape == (50, 1)


def test_plain_rows_that_are_described_are_not_told_from_new_ones_by_their_scale():
    """Features that are many and seldom active: by their deviations described rows would look alike."""
    found = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        features = np.maximum(rng.normal(-2.2, 1, (220, 1500)), 0).astype(np.float32)
        sketch, is_new = Sketch.of(features[:120], 0), np.arange(220) >= 120
        kernel = gaussian_kernel(sketch.plain(features))
        found.append(discrepancy_test(kernel, is_new, np.zeros(220, int), rng)[1])
    assert 0.36 < np.mean(found) < 0.64
    assert np.mean(np.array(found) <= 0.05) <= 0.15
