"""What a run says of its data from features that it has cached, and from nothing else."""

from __future__ import annotations

import math
import time
from types import SimpleNamespace

import numpy as np
import pytest

from autotl.automl.cached_audit import audit_cached
from autotl.config import TrialConfig
from autotl.testing.workbench import tiny_workbench

CONFIG = TrialConfig("tiny", "linear_probe", {})


@pytest.fixture(params=["image", "text"])
def runner(request, tmp_path):
    """A runner that knows one workbench of 60 rows."""
    bench = tiny_workbench(tmp_path, request.param)
    return SimpleNamespace(bench=lambda config: bench, dataset=bench.dataset, splits=bench.splits)


def computed(runner, rows):
    bench = runner.bench(CONFIG)
    bench.frozen.pooled(rows, [bench.backbone.depth])


def test_rows_with_features_are_looked_at_and_mapped_with_their_parts(runner):
    computed(runner, np.arange(55))
    found = audit_cached(runner, CONFIG, 0, math.inf)
    assert {name: len(values) for name, values in found.arrays.items()} == dict.fromkeys(
        ("names", "parts", "targets", "xy", "suspect"), 55
    )
    assert found.arrays["xy"].shape == (55, 2)
    assert found.arrays["parts"].tolist() == ["train"] * 36 + ["val"] * 12 + ["test"] * 7
    assert found.arrays["suspect"].dtype == bool
    assert all(len(finding.details) == len(finding.rows) for finding in found.findings)


def test_nothing_is_computed_for_it(runner, monkeypatch):
    computed(runner, np.arange(52))
    frozen = runner.bench(CONFIG).frozen
    monkeypatch.setattr(frozen, "_compute", lambda *_: pytest.fail("features were computed"))
    assert len(audit_cached(runner, CONFIG, 0, math.inf).arrays["names"]) == 52


def test_too_few_features_or_too_little_time_find_nothing_and_say_why(runner):
    everything = ["copies", "suspect labels", "outliers", "leaks"]
    computed(runner, np.arange(20))
    few = audit_cached(runner, CONFIG, 0, math.inf)
    assert (few.findings, few.arrays) == ((), {})
    reason = "the run has features of 20 rows only"
    assert few.examined == {"rows_compared": 0, "rows": 60, "not_examined": everything, "reason": reason}
    computed(runner, np.arange(60))
    late = audit_cached(runner, CONFIG, 0, time.monotonic() + 1.0)
    assert late.examined["not_examined"] == everything
    assert late.examined["reason"].startswith("its few seconds were over (autotl audit DATA")


def test_what_is_left_out_for_want_of_time_is_said(runner, monkeypatch):
    computed(runner, np.arange(60))
    whole = audit_cached(runner, CONFIG, 0, math.inf)
    assert whole.examined == {"rows_compared": 60, "rows": 60, "not_examined": [], "reason": ""}
    monkeypatch.setattr("autotl.audit.look.time.monotonic", lambda: math.inf)
    late = audit_cached(runner, CONFIG, 0, 1e12)
    assert late.examined["rows_compared"] == 60
    assert late.examined["not_examined"] == ["copies", "suspect labels", "outliers", "leaks"]
    assert late.examined["reason"].startswith("its few seconds were over (autotl audit DATA")
