"""What seems to hold a score back."""

from __future__ import annotations

from dataclasses import replace

from autotl.report.obstacles import obstacles
from autotl.report.summarize import summarize


def test_a_small_test_part_is_told_of_a_share_and_not_of_a_loss(make_run):
    summary = summarize(make_run())
    wide = replace(summary.outcome, low=0.81, high=0.89)
    assert any("known to about 0.04" in said for said in obstacles(replace(summary, outcome=wide)))
    loss = replace(wide, metric="log_loss", greater_is_better=False)
    assert not any("known to about" in said for said in obstacles(replace(summary, outcome=loss)))
