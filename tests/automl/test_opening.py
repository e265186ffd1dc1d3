"""A run has its folder to itself before it writes anything, and goes on where the run it follows is gone."""

from __future__ import annotations

import time

import pytest

from autotl import AutoTL
from autotl.automl.ledger import Ledger
from autotl.automl.opening import Opening
from autotl.automl.settings import Settings
from autotl.config import TrialConfig
from autotl.errors import DataError, RunError
from autotl.search.event_log import EventLog
from autotl.testing.data import write_text_table
from autotl.trial.run_folder import RunFolder

LEFT = ("space.json", "profile.json", "splits.npz", "predecessor.json")


def fit(folder, data, **parameters):
    how = {"trials": 1, "time_budget": None, "offline": True, "cache_dir": folder / "cache"}
    return AutoTL(**how, experience=False, **parameters).fit(data)


def test_a_second_run_in_a_folder_is_refused_before_it_writes(tmp_path):
    run = RunFolder(tmp_path / "run")
    run.create()
    for name in LEFT:
        (run.path / name).write_text("of the first")
    log = EventLog(time.monotonic())
    log.open(run.path)
    with pytest.raises(RunError, match="another process is at work in this run folder"):
        fit(tmp_path, write_text_table(tmp_path / "table.csv", rows=30), out=run.path)
    log.close()
    assert {name: (run.path / name).read_text() for name in LEFT} == dict.fromkeys(LEFT, "of the first")


@pytest.mark.parametrize("out", [None, "run"])
def test_a_run_that_cannot_read_its_data_leaves_no_folder(tmp_path, monkeypatch, out):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text("text,label\n")
    with pytest.raises(DataError):
        fit(tmp_path, tmp_path / "table.csv", out=out)
    assert not list(tmp_path.glob("run*/*"))
    assert not (tmp_path / "run").exists()


def test_what_a_run_left_that_broke_off_unrecorded_is_not_taken_over(tmp_path):
    network = RunFolder(tmp_path).predecessor.with_suffix(".json")
    network.write_text("of that run")
    with pytest.raises(DataError):
        fit(tmp_path, tmp_path / "missing.csv", out=tmp_path)
    assert not network.exists()


@pytest.mark.parametrize("is_relative", [True, False])
@pytest.mark.parametrize("is_there", [True, False])
def test_a_run_goes_on_without_the_run_that_it_follows_where_that_is_gone(tmp_path, is_there, is_relative):
    old, run = RunFolder(tmp_path / "old"), RunFolder(tmp_path / "run")
    task, winner = {"metric": "accuracy"}, {"config": TrialConfig("first", "full", {}).to_json()}
    for folder in (old, run) if is_there else (run,):
        folder.bundle.mkdir(parents=True)
        followed = {"from_run": "old" if is_relative else str(old.path)}
        data = {"folder": str(tmp_path)}
        record = {"settings": followed, "data": data, "task": task, "winner": winner}
        folder.write_json("run.json", record)
    settings = Settings.of(AutoTL(out=run.path, resume=True).get_params())
    told = []
    opening = Opening(settings, Ledger(settings, told.append, time.monotonic()), None, None)
    opening._open_folder()
    assert (opening._predecessor is not None) is is_there
    assert any("no comparison with its model" in event.message for event in told) is not is_there
