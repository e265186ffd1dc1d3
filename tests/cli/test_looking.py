"""`autotl backbones`, `leaderboard`, `profile` and `space`: what a machine and a person are shown."""

from __future__ import annotations

import json

import pytest

from autotl.config import TrialConfig, TrialResult, TrialState
from autotl.console.output import input_words, show_json, words
from autotl.trial.run_folder import RunFolder

TASK = {"kind": "regression", "classes": [], "metric": "rmse", "target": "price"}


@pytest.fixture
def run(tmp_path) -> RunFolder:
    """A run that was cut off after two finished trials and a failed one."""
    folder = RunFolder(tmp_path / "run")
    folder.create()
    folder.write_json("run.json", {"task": TASK})
    for number, score in enumerate((-3.0, -2.0, None)):
        state = TrialState.COMPLETE if score else TrialState.FAILED
        error = None if score else "out of memory"
        config = TrialConfig("minilm", "linear_probe", {"c": number})
        folder.write_result(TrialResult(number, config, state, score, seconds=1.0, error=error))
    return folder


def test_the_leaderboard_of_an_unfinished_run_ranks_what_is_finished(call, run):
    found = json.loads(call("leaderboard", run.path, "--json").stdout)
    assert found["metric"] == "rmse"
    assert [(row["rank"], row["trial"], row["score"]) for row in found["rows"]] == [
        (1, 1, 2.0),
        (2, 0, 3.0),
        (None, 2, None),
    ]


def test_an_export_of_an_unfinished_run_tells_which_trial_it_took(call, run, monkeypatch):
    monkeypatch.setattr("autotl.automl.export.export_trial", lambda *_, **__: run.path / "model")
    result = call("export", run.path, "--json")
    assert result.exit_code == 0
    best = json.loads(call("leaderboard", run.path, "--json").stdout)["rows"][0]["trial"]
    assert json.loads(result.stdout) == {"bundle": str(run.path / "model"), "trial": best}


def test_in_a_pipe_no_column_of_a_leaderboard_is_cut(call, run, monkeypatch):
    name = "a-backbone-whose-name-alone-would-fill-a-terminal-of-eighty-columns-or-most-of-it"
    run.write_result(TrialResult(3, TrialConfig(name, "full"), TrialState.COMPLETE, -1.0, seconds=1.0))
    monkeypatch.delenv("COLUMNS", raising=False)
    assert name in call("leaderboard", run.path).stdout
    monkeypatch.setenv("COLUMNS", "80")
    assert name not in call("leaderboard", run.path).stdout


def test_the_leaderboard_shows_failures_to_a_person(call, run):
    shown = call("leaderboard", run.path).stdout
    assert "minilm" in shown
    assert "out of memory" in shown


def test_the_leaderboard_can_be_cut(call, run):
    assert len(json.loads(call("leaderboard", run.path, "--limit", 1, "--json").stdout)["rows"]) == 1


def test_backbones_say_where_they_come_from_and_whether_they_are_here(call):
    found = json.loads(call("backbones", "--offline", "--json").stdout)
    assert {row["modality"] for row in found} == {"image", "text"}
    assert all(row["reason"] for row in found)
    assert {
        *("name", "source", "licence", "parameters", "macs", "input", "pretraining", "available")
    } <= found[0].keys()


def test_backbones_of_one_modality(call):
    found = json.loads(call("backbones", "--modality", "text", "--offline", "--json").stdout)
    assert {row["modality"] for row in found} == {"text"}


def test_backbones_are_shown_as_a_table(call, monkeypatch):
    monkeypatch.setenv("COLUMNS", "250")
    shown = call("backbones", "--offline").stdout.splitlines()
    assert shown[0].split() == ["backbone", "licence", "weights", "input", "here", "pretraining"]
    assert shown[1].split() == ["image:", "packaged"]
    assert len(shown) > 30


@pytest.mark.parametrize("columns", ["80", "110"])
def test_each_backbone_has_one_line_and_stays_whole_but_for_its_description(call, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    shown = call("backbones", "--offline").stdout.splitlines()
    rows = json.loads(call("backbones", "--offline", "--json").stdout)
    assert sum(" px " in line or " tokens " in line for line in shown) == len(rows)
    for row in rows:
        assert any(row["name"] in line and row["licence"] in line for line in shown)


def test_profile_describes_a_folder_of_images(call, images):
    found = json.loads(call("profile", images, "--json").stdout)
    assert found["modality"] == "image"
    assert found["task"]["classes"] == ["bright", "dark"]
    assert "dark" in call("profile", images).stdout
    (images / "dark" / "torn.png").write_bytes(b"no image")
    assert "cannot be read" in " ".join(call("profile", images).stdout.split())


def test_data_that_nothing_here_can_learn_have_a_profile_too(call, tmp_path):
    things = ("das Paket", "die Karte", "das Konto", "der Brief")
    rows = [f"Wo ist denn {things[i % 4]} Nummer {i} geblieben?,{('ja', 'nein')[i % 2]}" for i in range(40)]
    table = tmp_path / "fragen.csv"
    table.write_text("\n".join(["text,label", *rows]))
    found = json.loads(call("profile", table, "--offline", "--json").stdout)
    assert max(found["inputs"]["languages"], key=found["inputs"]["languages"].get) == "de"
    assert found["shifts"] == []
    assert "Nothing can be trained on these data here: no backbone is left" in found["findings"][-1]


def test_space_says_why_each_backbone_is_in_or_out(call, images):
    found = json.loads(call("space", images, "--offline", "--json").stdout)
    assert found["space"]["backbones"]
    out = [row for row in found["backbones"] if not row["included"]]
    assert all(row["reason"] for row in out)


def test_space_is_shown_as_tables(call, images, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    shown = call("space", images, "--offline").stdout
    assert "why" in shown
    assert "linear_probe" in shown
    assert "tried first" in shown


def test_json_for_machines_has_no_nan(capsys):
    show_json({"a": float("nan"), "b": [float("inf"), 1.5], 3: None})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [None, 1.5], "3": None}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"train": 1200, "val": 3}, "train 1,200, val 3"),
        ([0.123456, 2], "0.1235, 2"),
        (["far", "near"], "far\nnear"),
        (True, "yes"),
    ],
)
def test_values_are_put_in_words(value, text):
    assert words(value) == text


@pytest.mark.parametrize(
    ("requirements", "text"), [({"size": 224}, "224 px"), ({"max_length": 256}, "256 tokens"), ({}, "")]
)
def test_input_sizes_are_put_in_words(requirements, text):
    assert input_words(requirements) == text
