"""The box to try a model in: the label is that of `autotl predict`, limits hold, explanations stand apart."""

from __future__ import annotations

import json
import shutil

import pytest
from run_folders import BASE, png
from starlette.testclient import TestClient
from typer.testing import CliRunner

from autotl.cli import app as command_line
from autotl.serve.http.limits import Limits
from autotl.ui.app import create_app
from autotl.ui.trying import Models


def predicted(runs, *arguments, stdin=None):
    """Rows of `autotl predict --json`."""
    result = CliRunner().invoke(command_line, ["predict", *map(str, arguments), "--json"], input=stdin)
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_images_are_predicted_as_on_the_command_line(page, runs, tmp_path):
    paths = [tmp_path / f"{level}.png" for level in range(3)]
    for level, path in enumerate(paths):
        path.write_bytes(png(level))
    sent = [("files", (path.name, path.read_bytes())) for path in paths]
    found = page.post("/api/runs/photos/predict", files=sent).json()["predictions"]
    wanted = predicted(runs, runs / "photos", *paths)
    assert [row["label"] for row in found] == [row["label"] for row in wanted]
    for row, other in zip(found, wanted, strict=True):
        assert row["probabilities"] == pytest.approx(other["probabilities"], abs=1e-5)


def test_texts_are_predicted_as_on_the_command_line(page, runs):
    sent = {"inputs": ["card is my where", "parcel\nlate"]}
    found = page.post("/api/runs/mails/predict", json=sent).json()["predictions"]
    lines = "".join(json.dumps({"text": text}) + "\n" for text in sent["inputs"])
    wanted = predicted(runs, runs / "mails", "-", stdin=lines)
    assert [row["label"] for row in found] == [row["label"] for row in wanted]


def test_rows_of_several_columns_are_predicted(page):
    sent = {"inputs": [{"subject": "card", "body": "parcel"}]}
    (row,) = page.post("/api/runs/letters/predict", json=sent).json()["predictions"]
    assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-4)
    answer = page.post("/api/runs/letters/predict", json={"inputs": [{"subject": "card"}]})
    assert answer.status_code == 400
    assert "'body'" in answer.json()["found"]


@pytest.mark.parametrize(
    ("name", "send"),
    [
        ("photos", {"files": {"files": ("a.png", png())}}),
        ("mails", {"json": {"inputs": ["card is late"]}}),
        ("letters", {"json": {"inputs": [{"subject": "card", "body": "late parcel"}]}}),
    ],
)
def test_a_prediction_is_explained_on_a_page_without_scripts(page, name, send):
    made = page.post(f"/api/runs/{name}/explain", **send)
    assert made.status_code == 200, made.text
    answer = page.get(made.json()["page"])
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "script-src" not in policy
    assert "sandbox" in policy
    assert "frame-ancestors 'self'" in policy
    assert "<script" not in answer.text
    assert ("data:image/jpeg" in answer.text) == (name == "photos")


def test_texts_are_no_markup_in_their_explanation(page):
    sent = {"inputs": ["<img src=x onerror=alert(1)> card <script>alert(1)</script>"]}
    made = page.post("/api/runs/mails/explain", json=sent).json()
    shown = page.get(made["page"]).text
    assert "<img src=x" not in shown
    assert "<script" not in shown


def test_an_explanation_that_is_no_longer_kept_is_not_found(page):
    assert page.get("/explanations/nothing").status_code == 404


@pytest.mark.parametrize(
    ("send", "status"),
    [
        ({"content": b"x", "headers": {"Content-Type": "text/plain"}}, 415),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 400),
        ({"json": {"inputs": []}}, 400),
        ({"json": {"inputs": [5]}}, 400),
        ({"json": {"inputs": ["a"] * 17}}, 413),
        ({"json": {"inputs": ["a" * 100_001]}}, 413),
        (
            {"content": b"x", "headers": {"Content-Length": str(2**40), "Content-Type": "application/json"}},
            413,
        ),
        ({"json": {"inputs": ["a"]}, "headers": {"Content-Encoding": "gzip"}}, 415),
    ],
)
@pytest.mark.parametrize("verb", ["predict", "explain"])
def test_what_is_malformed_or_too_large_is_refused(page, verb, send, status):
    answer = page.post(f"/api/runs/mails/{verb}", **send)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]


def test_a_file_that_is_no_image_is_refused_with_words(page):
    answer = page.post("/api/runs/photos/predict", files={"files": ("a.png", b"no image")})
    assert answer.status_code == 422
    assert "input 0" in answer.json()["error"]


def test_strings_are_never_paths(page, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png())
    answer = page.post("/api/runs/photos/predict", json={"inputs": [str(path)]})
    assert answer.status_code == 400


def test_a_body_without_a_declared_length_is_cut_off_at_the_limit(runs, monkeypatch):
    monkeypatch.setattr("autotl.ui.app.Models", lambda: Models(Limits(items=1, body_bytes=1000)))

    def endless():
        for _ in range(100):
            yield b'{"inputs": ["' + b"a" * 100

    with TestClient(create_app(runs), base_url=BASE) as client:
        headers = {"Content-Type": "application/json"}
        assert client.post("/api/runs/mails/predict", content=endless(), headers=headers).status_code == 413


def test_a_run_without_a_model_says_so(page, runs):
    shutil.rmtree(runs / "mails" / "model")
    answer = page.post("/api/runs/mails/predict", json={"inputs": ["a"]})
    assert answer.status_code == 404
    assert page.get("/api/runs/mails").json()["model"] is None
    assert page.get("/runs/mails/model.zip").status_code in (404, 422)


def test_a_model_that_was_changed_is_refused(page, runs):
    with (runs / "mails" / "model" / "model.onnx").open("ab") as file:
        file.write(b"x")
    answer = page.post("/api/runs/mails/predict", json={"inputs": ["a"]})
    assert answer.status_code == 422
    assert "was changed after the export" in answer.json()["error"]


def test_a_model_that_took_the_place_of_another_is_the_one_that_answers(page, runs):
    sent = {"json": {"inputs": [{"subject": "card", "body": "late"}]}}
    assert page.post("/api/runs/letters/predict", **sent).status_code == 200
    shutil.rmtree(runs / "letters" / "model")
    shutil.copytree(runs / "mails" / "model", runs / "letters" / "model")
    assert page.post("/api/runs/letters/predict", json={"inputs": ["card"]}).status_code == 200


def test_only_the_last_few_models_stay_open(runs, monkeypatch):
    made = []
    monkeypatch.setattr("autotl.ui.app.Models", lambda: made.append(Models()) or made[-1])
    monkeypatch.setattr("autotl.ui.trying._OPEN", 2)
    with TestClient(create_app(runs), base_url=BASE) as client:
        for name, inputs in (
            ("mails", ["a"]),
            ("letters", [{"subject": "a", "body": "b"}]),
            ("mails", ["a"]),
        ):
            assert client.post(f"/api/runs/{name}/predict", json={"inputs": inputs}).status_code == 200
        client.post("/api/runs/photos/predict", files={"files": ("a.png", png())})
        (models,) = made
        assert [key[0].parent.name for key in models._opened] == ["mails", "photos"]
    assert not models._opened
