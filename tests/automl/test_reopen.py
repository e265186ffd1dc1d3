"""A finished run is opened again from its folder and the data that it names."""

from __future__ import annotations

import json

import pytest
from torch import nn

from autotl import AutoTL
from autotl.automl.inspect import read_data
from autotl.automl.reopen import reopen
from autotl.automl.settings import Settings
from autotl.backbones.catalogue import catalogue
from autotl.backbones.sources.finetuned import finetuned
from autotl.errors import RunError
from autotl.modalities.registry import modality
from autotl.profile.build import build_profile
from autotl.testing.data import write_text_table
from autotl.trial.run_folder import RunFolder


@pytest.mark.parametrize(("source", "is_told"), [("photos", True), ("/data/photos", False)])
def test_data_that_are_not_found_are_told_of_with_where_their_path_begins(tmp_path, source, is_told):
    settings = Settings.of(AutoTL().get_params()).to_json()
    record = {"settings": settings, "data": {"source": source, "folder": "/home/me"}}
    (tmp_path / "run.json").write_text(json.dumps(record))
    with pytest.raises(RunError, match="Only the winner, in model/, can be had without them") as raised:
        reopen(RunFolder(tmp_path))
    assert ("Its path begins in /home/me: type this there." in str(raised.value)) is is_told


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run on a table that was begun in the working folder, and has taken over a network."""
    monkeypatch.chdir(tmp_path)
    data = write_text_table(tmp_path / "table.csv", rows=30)
    settings = Settings.of(AutoTL(out="run", cache_dir=tmp_path / "cache", offline=True).get_params())
    dataset, splits = read_data(data, settings)
    folder = RunFolder("run")
    folder.create()
    profile = build_profile(dataset, splits, modality(dataset.modality))
    folder.write_json("profile.json", profile.to_json())
    folder.write_splits(splits)
    folder.write_json("run.json", {"settings": settings.to_json(), "data": {"source": str(data)}})
    finetuned(catalogue("text")["all-minilm-l6"], nn.Linear(1, 1), folder.predecessor, "all-minilm-l6@old")
    return folder


def test_a_run_that_was_moved_still_has_the_network_that_it_took_over(run, tmp_path, monkeypatch):
    moved = run.path.rename("moved").absolute()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    network = reopen(RunFolder(moved)).runner.infos["all-minilm-l6@old"]
    assert network.reference == str(moved / "predecessor.safetensors")


def test_data_that_changed_and_kept_their_number_of_rows_are_refused(run, tmp_path):
    table = tmp_path / "table.csv"
    header, first, *rest = table.read_text().splitlines()
    table.write_text("\n".join([header, *rest[:1], first, *rest[1:]]) + "\n")
    with pytest.raises(
        RunError, match=r"have changed; found 30 rows of fingerprint \w{12}; expected 30 of \w{12}"
    ):
        reopen(run)
