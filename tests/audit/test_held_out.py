"""Outputs of heads for rows held out equal those of heads that were really fitted without them."""

from __future__ import annotations

import numpy as np
import pytest

from autotl.audit.held_out import _GAMMA, PENALTIES, kernel_outputs, linear_outputs
from autotl.audit.neighbours import directions
from autotl.data.components import rows_by_code


@pytest.fixture
def rows():
    """Features (60, 8), two columns that depend on them, and units of one to four rows."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, 8))
    columns = features[:, :2] + rng.normal(scale=0.5, size=(60, 2))
    return features, columns, np.sort(rng.integers(0, 30, 60))


def test_a_row_is_judged_by_a_fit_without_its_unit(rows, monkeypatch):
    features, columns, units = rows
    unit = directions(features).astype(np.float64)
    monkeypatch.setattr("autotl.audit.held_out.PENALTIES", PENALTIES[2:3])
    found = kernel_outputs(unit, columns, units)
    kernel = np.exp(_GAMMA * (unit @ unit.T - 1))
    mean = columns.mean(axis=0)
    for out in rows_by_code(units):
        kept = np.setdiff1d(np.arange(60), out)
        inside = kernel[np.ix_(kept, kept)] + PENALTIES[2] * np.eye(len(kept))
        expected = mean + kernel[np.ix_(out, kept)] @ np.linalg.solve(inside, columns[kept] - mean)
        np.testing.assert_allclose(found[out], expected, atol=1e-6)


def test_rows_that_were_copied_do_not_vouch_for_one_another(rows):
    features, columns, _ = rows
    twice, noise = np.concatenate([features, features]), np.concatenate([columns, columns])
    alone, together = np.arange(120), np.tile(np.arange(60), 2)

    def error(outputs):
        return np.square(outputs - noise).mean()

    for outputs, inputs in ((linear_outputs, twice), (kernel_outputs, directions(twice))):
        assert error(outputs(inputs, noise, together)) > 1.1 * error(outputs(inputs, noise, alone))
