"""The map is the same every time, and keeps classes apart that features keep apart."""

from __future__ import annotations

import numpy as np
import pytest

from autotl.audit.embedding import embedding


def test_the_map_is_repeatable_and_keeps_clusters_apart():
    rng = np.random.default_rng(0)
    targets = np.arange(150) % 3
    features = (6 * np.eye(20)[targets] + rng.normal(size=(150, 20))).astype(np.float32)
    found = embedding(features)
    assert (found.shape, found.dtype) == ((150, 2), np.float32)
    np.testing.assert_array_equal(found, embedding(features))
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-3)
    distance = np.linalg.norm(found[:, None] - found[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    assert (targets[distance.argmin(axis=1)] == targets).mean() > 0.95


@pytest.mark.parametrize("shape", [(2, 5), (4, 3), (9, 1)])
def test_a_few_rows_or_columns_have_a_map_too(shape):
    found = embedding(np.random.default_rng(0).normal(size=shape))
    assert found.shape == (shape[0], 2)
    assert np.isfinite(found).all()
