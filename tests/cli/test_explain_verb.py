"""`autotl explain`: words and grids with signs, nearest rows of a run, JSON, and a folder with a page."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from PIL import Image

from autotl.serve.explain.neighbours import FILE, Examples
from autotl.serve.predictor import Predictor
from autotl.task import TaskKind
from autotl.testing.bundles import write_lexicon_bundle, write_redness_bundle

LEXICON = {"great": 4.0, "bad": -3.0, "the": 0.0, "film": 0.0, "was": 0.0, "but": 0.0, "sound": 0.0}
TEXT = "the film was great but the sound bad"


@pytest.fixture
def texts(tmp_path):
    """A bundle of texts."""
    return write_lexicon_bundle(tmp_path / "texts", LEXICON)


@pytest.fixture
def run(tmp_path):
    """A run folder with a bundle of texts and three training rows."""
    folder = tmp_path / "run"
    predictor = Predictor(write_lexicon_bundle(folder / "model", LEXICON), threads=1)
    (folder / "run.json").write_text("{}")
    rows = ["the film was great", "the sound was bad", "great great"]
    names, parts = np.array(["train.csv:1", "train.csv:2", "train.csv:3"]), np.array(["train"] * 3)
    found = Examples.of(predictor.bundle, names, parts, np.array([0, 1, 0]), predictor.embed(rows))
    np.savez(folder / FILE, **found.arrays())
    return folder


@pytest.fixture
def photo(tmp_path):
    """Grey, with a red square in the upper left."""
    image = np.full((70, 140, 3), 120, np.uint8)
    image[4:26, 8:42] = (230, 10, 10)
    path = tmp_path / "photo.png"
    Image.fromarray(image).save(path)
    return path


def test_words_that_count_carry_signs_in_a_pipe(call, texts):
    result = call("explain", texts, TEXT)
    assert result.exit_code == 0
    assert "the film was great(+++) but the sound bad(---)" in result.stdout
    assert "good 0.731" in result.stdout
    assert "Orange and + speaks for good, blue and - against it." in result.stdout.replace("\n", " ")
    assert "\x1b" not in result.stdout


def test_a_bundle_says_that_it_holds_no_training_rows(call, texts):
    told = " ".join(call("explain", texts, TEXT).stdout.split())
    assert "name a run folder: a bundle holds none" in told
    assert "run folder" not in call("explain", texts, TEXT, "--top", 0).stdout


def test_another_class_can_be_asked_for(call, texts):
    shown = call("explain", texts, TEXT, "--class", "bad").stdout
    assert "good 0.731; explained: bad 0.269" in shown
    assert "great(---) but the sound bad(+++)" in shown
    result = call("explain", texts, TEXT, "--class", "fine")
    assert result.exit_code == 2
    assert "no such class" in result.stderr
    assert "good, bad" in result.stderr


def test_a_run_shows_the_nearest_training_rows(call, run):
    shown = call("explain", run, "the film was bad", "--top", 2).stdout
    lines = [line.split() for line in shown.splitlines()]
    start = lines.index(["nearest", "label", "training", "row"])
    assert [line[1:] for line in lines[start + 1 : start + 3]] == [
        ["good", "train.csv:1"],
        ["bad", "train.csv:2"],
    ]
    (told,) = map(json.loads, call("explain", run, "great great", "--json").stdout.splitlines())
    assert told["nearest"][0]["name"] == "train.csv:3"
    assert told["nearest"][0]["similarity"] == pytest.approx(1, abs=1e-3)
    assert len(told["nearest"]) == 3


def test_a_run_whose_rows_are_of_another_model_says_so(call, run):
    write_lexicon_bundle(run / "model", LEXICON, TaskKind.MULTILABEL)
    result = call("explain", run, TEXT)
    assert result.exit_code == 0
    assert "holds no training rows of this model" in " ".join(result.stdout.split())


def test_an_image_is_a_grid_of_signs_and_a_sentence(call, tmp_path, photo):
    result = call("explain", write_redness_bundle(tmp_path / "reds"), photo)
    grid = [line.split() for line in result.stdout.splitlines() if line.startswith("  ")]
    assert [len(line) for line in grid] == [7] * 7
    assert "+" in grid[1][1]
    assert not any("+" in sign for line in grid[4:] for sign in line)
    told = " ".join(result.stdout.split())
    assert str(photo) in told.replace(" ", "")
    assert "in the upper left" in told


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_file_name_that_is_not_utf8_costs_no_explanation(call, tmp_path, photo, form):
    odd = photo.rename(photo.with_name(os.fsdecode(b"caf\xe9.png")))
    result = call("explain", write_redness_bundle(tmp_path / "reds"), odd, *form)
    assert result.exit_code == 0
    assert "caf?.png" in result.stdout.replace("\n", "")


def test_json_has_one_object_a_row(call, tmp_path, photo):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"not a picture")
    result = call("explain", write_redness_bundle(tmp_path / "reds"), photo, broken, photo, "--json")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 2
    assert [row["name"] for row in rows] == [str(photo), str(broken), str(photo)]
    assert [row.get("explained") for row in rows] == ["red", None, "red"]
    assert "broken.png" in rows[1]["error"]
    assert rows[0]["size"] == [70, 140]
    assert len(rows[0]["pieces"]) == 49
    assert rows[0]["check"]["output"] < rows[0]["output"]


@pytest.mark.parametrize("kind", [TaskKind.MULTILABEL, TaskKind.REGRESSION])
def test_other_kinds_of_task_are_explained(call, tmp_path, photo, kind):
    shown = call("explain", write_redness_bundle(tmp_path / "reds", kind), photo).stdout
    first = {TaskKind.MULTILABEL: "red; explained: red", TaskKind.REGRESSION: "label "}[kind]
    assert any(line.startswith(first) for line in shown.splitlines())


def test_out_leaves_a_page_and_its_data(call, run, tmp_path):
    folder = tmp_path / "a" / "why"
    result = call("explain", run, TEXT, "a <b>great</b> film", "--out", folder)
    assert result.exit_code == 0
    assert str(folder / "explanations.html") in result.stdout
    assert sorted(path.name for path in folder.iterdir()) == ["explanations.html", "explanations.json"]
    page = (folder / "explanations.html").read_text()
    assert page.count("<article>") == 2
    assert "<b>great" not in page
    assert "train.csv:1" in page
    rows = json.loads((folder / "explanations.json").read_text())
    assert [row["label"] for row in rows] == ["good", "good"]


def test_a_folder_that_cannot_be_written_is_named_before_anything_runs(call, texts, tmp_path):
    (tmp_path / "file").write_text("")
    result = call("explain", texts, TEXT, "--out", tmp_path / "file")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "cannot make the folder" in result.stderr


def test_a_text_cannot_command_the_terminal(call, texts):
    result = call("explain", texts, "-", stdin="great \x1b[2Jfilm\n")
    assert result.exit_code == 0
    assert "great(+++)" in result.stdout
    assert "\x1b" not in result.stdout


def test_nothing_to_explain_is_an_error(call, texts):
    result = call("explain", texts, "-", stdin="")
    assert result.exit_code == 2
    assert "standard input is empty" in result.stderr
