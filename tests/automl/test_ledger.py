"""What a run records of itself, over all its processes, without what is not to be told."""

from __future__ import annotations

import time

import pytest

from autotl import AutoTL
from autotl.automl.ledger import Ledger
from autotl.automl.settings import Settings
from autotl.trial.run_folder import RunFolder

BEFORE = {"seconds": 590.0, "started": "2026-03-02T09:14:07+00:00", "budget_seconds": 600.0}


def ledger(**parameters):
    return Ledger(Settings.of(AutoTL(**parameters).get_params()), None, time.monotonic() - 5)


@pytest.mark.parametrize(("budget", "expected"), [("10m", 1190.0), (None, None)])
def test_a_run_that_goes_on_counts_from_its_first_start(budget, expected):
    made = ledger(time_budget=budget, trials=3)
    made.go_on(BEFORE)
    assert made.record["budget_seconds"] == expected
    assert made.record["started"] == BEFORE["started"]
    assert 595 <= made.seconds < 600


def test_passwords_in_addresses_are_not_written(tmp_path):
    address, folder = "https://me:p@ss'word@host:5000/x", RunFolder(tmp_path)
    made = ledger(mlflow=address)
    made.record |= {"command": ["autotl", "fit", "d", "--mlflow", address], "resumed": [f"'{address}'"]}
    made.write(folder)
    written = folder.read_json("run.json")
    assert written["settings"]["mlflow"] == written["command"][-1] == "https://***@host:5000/x"
    assert written["resumed"] == ["'https://***@host:5000/x'"]
    assert made.record["settings"]["mlflow"] == address
    assert written["settings"]["out"] == made.record["settings"]["out"]
