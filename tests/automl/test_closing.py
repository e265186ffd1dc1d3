"""What a run says of a test part on which its metric is not defined."""

from __future__ import annotations

import json

import pytest

from autotl import AutoTL
from autotl.testing.data import write_text_table

pytestmark = pytest.mark.slow


def test_a_metric_that_the_test_part_does_not_define_is_said_to_be_that(tmp_path):
    write_text_table(tmp_path / "table.csv", rows=90)
    head, *rows = (tmp_path / "table.csv").read_text().splitlines()
    label = rows[0].rsplit(",", 1)[1]
    held_out = [row for row in rows if row.endswith(f",{label}")][:12]
    (tmp_path / "table.csv").write_text("\n".join([head, *(row for row in rows if row not in held_out)]))
    (tmp_path / "test.csv").write_text("\n".join([head, *held_out]))
    (tmp_path / "space.toml").write_text("[strategies.from_scratch]\nenabled = false\n")
    model = AutoTL(
        time_budget=None,
        trials=2,
        offline=True,
        metric="auroc",
        test=tmp_path / "test.csv",
        space=tmp_path / "space.toml",
        out=tmp_path / "run",
    ).fit(tmp_path / "table.csv")
    files = [model.run_.path / name for name in ("run.json", "model/bundle.json")]
    record, bundle = (json.loads(path.read_text(), parse_constant=pytest.fail) for path in files)
    assert record["test"]["score"] is record["test"]["metrics"]["auroc"] is None
    assert "auroc" not in bundle["metrics"]["test"]
    assert "accuracy" in bundle["metrics"]["test"]
    assert record["verdict"][0] == (
        "On the test part: auroc is not defined on these rows, so nothing can be compared there."
    )
    assert not any("nan" in sentence for sentence in record["verdict"])
    assert "auroc is not defined on these rows" in (model.run_.path / "report.html").read_text()
