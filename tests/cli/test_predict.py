"""`autotl predict` and `autotl evaluate`: what they write, for every kind of task."""

from __future__ import annotations

import csv
import io
import json
import os

import pytest


def rows_of(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_json_has_one_object_a_row_with_all_probabilities(call, make_bundle, images):
    result = call("predict", make_bundle(), images / "dark" / "0.png", images / "bright" / "0.png", "--json")
    dark, bright = rows_of(result.stdout)
    assert result.exit_code == 0
    assert (dark["name"], dark["label"]) == (str(images / "dark" / "0.png"), "dark")
    assert bright["label"] == "bright"
    assert bright["confidence"] == bright["probabilities"]["bright"] > 0.99
    assert sum(bright["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_csv_has_name_label_and_confidence(call, make_bundle, images):
    result = call("predict", make_bundle(), images)
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert list(rows[0]) == ["name", "label", "confidence"]
    assert [row["label"] for row in rows] == ["bright"] * 6 + ["dark"] * 6


def test_labels_of_a_multilabel_task_are_a_list(call, make_bundle, images):
    bundle = make_bundle("multilabel")
    (row,) = rows_of(call("predict", bundle, images / "dark" / "0.png", "--json").stdout)
    assert row["labels"] == ["dark"]
    assert set(row) == {"name", "labels", "probabilities"}
    assert call("predict", bundle, images / "dark" / "0.png").stdout.splitlines()[1].endswith(",dark")


def test_a_regression_gives_values(call, make_bundle, images):
    (row,) = rows_of(call("predict", make_bundle("regression"), images / "bright" / "0.png", "--json").stdout)
    assert row["value"] == pytest.approx(225 / 255, abs=0.03)
    assert set(row) == {"name", "value"}


def test_paths_are_read_from_standard_input(call, make_bundle, images):
    result = call("predict", make_bundle(), "-", "--json", stdin=f"{images / 'dark' / '1.png'}\n")
    assert [row["label"] for row in rows_of(result.stdout)] == ["dark"]


def test_a_pipe_needs_no_dash(call, make_bundle, images):
    result = call("predict", make_bundle(), "--json", stdin=f"{images / 'dark' / '1.png'}\n")
    assert [row["label"] for row in rows_of(result.stdout)] == ["dark"]


@pytest.mark.parametrize("name", ["labels.csv", "labels.jsonl"])
def test_the_ending_of_out_chooses_the_format(call, make_bundle, images, tmp_path, name):
    result = call("predict", make_bundle(), images, "--out", tmp_path / name)
    lines = (tmp_path / name).read_text().splitlines()
    assert (result.exit_code, result.stdout) == (0, "")
    assert "12 rows in" in result.stderr
    assert len(lines) == (13 if name.endswith("csv") else 12)


@pytest.mark.parametrize("out", [None, "labels.csv", "labels.jsonl"])
def test_a_file_name_that_is_not_utf8_costs_no_prediction(call, make_bundle, images, tmp_path, out):
    (images / "dark" / "0.png").rename(images / "dark" / os.fsdecode(b"caf\xe9.png"))
    result = call("predict", make_bundle(), images, *(("--out", tmp_path / out) if out else ("--json",)))
    text = (tmp_path / out).read_text(encoding="utf-8") if out else result.stdout
    assert result.exit_code == 0
    assert text.count("dark/") == 6
    assert "caf?.png" in text


def test_an_unwritable_out_is_named(call, make_bundle, images):
    result = call("predict", make_bundle(), images, "--out", "/no/such/folder/labels.csv")
    assert result.exit_code == 2
    assert "/no/such/folder/labels.csv" in result.stderr


def test_an_unreadable_image_costs_only_its_own_row(call, make_bundle, images):
    (images / "dark" / "2.png").write_bytes(b"not a picture")
    result = call("predict", make_bundle(), images / "dark", "--json")
    rows = rows_of(result.stdout)
    assert result.exit_code == 2
    assert [row.get("label") for row in rows] == ["dark", "dark", None, "dark", "dark", "dark"]
    assert rows[2]["error"] in result.stderr
    assert "2.png" in rows[2]["error"]


def test_a_run_folder_stands_for_its_winner(call, make_bundle, images, tmp_path):
    make_bundle().rename(tmp_path / "model")
    (tmp_path / "run.json").write_text("{}")
    result = call("predict", tmp_path, images / "dark" / "0.png", "--json")
    assert [row["label"] for row in rows_of(result.stdout)] == ["dark"]


def test_load_gives_a_predictor(make_bundle, images):
    import autotl

    assert autotl.load(make_bundle()).predict([images / "bright" / "0.png"]) == ["bright"]


def test_evaluate_gives_one_object_with_the_metric_and_the_others(call, make_bundle, images):
    result = call("evaluate", make_bundle(), images, "--json")
    found = json.loads(result.stdout)
    assert (found["metric"], found["score"], found["n"]) == ("accuracy", 1.0, 12)
    assert found["metrics"]["macro_f1"] == 1.0
    assert found["low"] == pytest.approx(0.7354, abs=1e-4)  # 12 of 12, Clopper and Pearson
    assert found["high"] == 1.0


def test_evaluate_shows_the_metrics_to_a_person(call, make_bundle, images):
    lines = call("evaluate", make_bundle(), images).stdout.splitlines()
    assert lines[0].split() == ["accuracy", "1,", "95", "%", "interval", "0.7354", "to", "1"]
    assert lines[1].split() == ["rows", "12"]
