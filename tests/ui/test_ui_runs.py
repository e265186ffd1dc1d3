"""What the page says of runs: all of them, one of them, live ones, and several side by side."""

from __future__ import annotations

import csv
import io
import json
import os
import zipfile

import numpy as np
import pytest
from run_folders import BASE, CONFIG, RESULT, begin_run, cards
from starlette.testclient import TestClient

from autotl.errors import RunError
from autotl.search.events import EpochDone, Note, RunEnded, TrialFinished, TrialStarted
from autotl.serve.bundle import read_bundle
from autotl.testing.bundles import reseal
from autotl.ui.app import create_app


def test_runs_are_listed_with_what_they_reached_the_newest_first(page):
    found = cards(page)
    assert list(found) == ["mails", "photos", "letters"]
    assert found["photos"] | {"started": ""} == {
        "name": "photos",
        "state": "finished",
        "data": "data",
        "task": "multiclass",
        "metric": "accuracy",
        "greater_is_better": True,
        "score": 0.875,
        "low": 0.775,
        "high": 0.925,
        "part": "test",
        "winner": "tiny linear_probe",
        "started": "",
        "seconds": 61.5,
    }


def test_a_live_run_shows_its_best_score_so_far_and_then_its_end(page, live_log):
    assert (cards(page)["live"]["state"], cards(page)["live"]["score"]) == ("live", None)
    live_log(TrialFinished(RESULT, 0.75))
    found = cards(page)["live"]
    assert (found["score"], found["part"], found["winner"]) == (0.75, "validation", "tiny linear_probe")
    live_log(RunEnded("failed", "out of memory"))
    assert cards(page)["live"]["state"] == "failed"


def test_progress_grows_with_what_the_run_tells(page, live_log):
    live_log(TrialStarted(3, CONFIG))
    before = page.get("/api/runs/live/live").json()
    assert (before["stage"], before["best"]) == ("search", None)
    assert [line["number"] for line in before["lines"]] == [3]
    live_log(EpochDone(3, RESULT.curve[0]))
    live_log(Note("the disk is nearly full", warning=True))
    after = page.get("/api/runs/live/live").json()
    assert after["lines"][0]["score"] == 0.75
    assert after["notes"] == [{"message": "the disk is nearly full", "warning": True}]
    assert 590 < after["left"] <= 600


def test_a_run_that_died_is_interrupted_and_says_how_it_goes_on(page, runs, live_log):
    live_log.close()
    found = page.get("/api/runs/live").json()
    assert found["state"] == "interrupted"
    assert found["resume"] == f"autotl fit data --out {runs / 'live'} --resume"


def test_a_run_has_verdict_leaderboard_files_and_says_what_its_model_takes(page):
    found = page.get("/api/runs/letters").json()
    assert found["verdict"] == ["Transfer helped."]
    assert [(row["backbone"], row["score"], row["winner"]) for row in found["rows"]] == [("tiny", 0.75, True)]
    assert found["rows"][0]["settings"] == {"learning_rate": "0.001"}
    assert found["files"] == {"report.html": True, "leaderboard.csv": True}
    assert (found["model"]["columns"], found["model"]["endings"]) == (["subject", "body"], [])
    assert ".png" in page.get("/api/runs/photos").json()["model"]["endings"]


def test_the_first_model_of_a_run_is_called_provisional(page, runs):
    assert page.get("/api/runs/mails").json()["model"]["provisional"] is False
    reseal(runs / "mails" / "model", lambda manifest: manifest["record"].update(provisional=True))
    assert page.get("/api/runs/mails").json()["model"]["provisional"] is True


def test_a_damaged_run_is_still_listed(page, runs):
    for name, content in (("run.json", "{"), ("leaderboard.json", "[1"), ("events.jsonl", "\0\n")):
        (runs / "photos" / name).write_text(content)
        os.utime(runs / "photos" / name, (0, 0))
    assert cards(page)["photos"]["state"] == "interrupted"
    assert page.get("/api/runs/photos").json()["problems"] != []
    assert page.get("/api/runs/photos/live").status_code == 200


def test_what_a_record_says_is_passed_on_as_text_that_can_be_shown(page, runs):
    run = begin_run(runs, "odd")
    record = {**run.read_json("run.json"), "verdict": "a\ud800b\u202e", "seconds": 1e999, "winner": 5}
    (run.path / "run.json").write_text(json.dumps(record))
    found = page.get("/api/runs/odd").json()
    assert found["verdict"] == ["a\ufffdb\ufffd"]
    assert found["seconds"] is None


def test_one_run_folder_alone_can_be_shown(runs):
    with TestClient(create_app(runs / "mails"), base_url=BASE) as client:
        assert list(cards(client)) == ["mails"]
        assert client.get("/runs/mails/report.html").status_code == 200


def test_a_folder_without_runs_is_an_empty_list_and_no_folder_an_error(tmp_path):
    with TestClient(create_app(tmp_path), base_url=BASE) as client:
        assert cards(client) == {}
    with pytest.raises(RunError, match="no such folder of runs"):
        create_app(tmp_path / "nowhere")


def test_runs_are_compared_on_the_test_rows_they_share(page):
    found = page.get("/api/compare", params={"run": ["letters", "mails"]}).json()
    assert [run["run"] for run in found["runs"]] == ["letters", "mails"]
    assert found["runs"][0]["settings"] == {"learning_rate": "0.001"}
    (pair,) = found["pairs"]
    assert {pair["run"], pair["other"]} == {"letters", "mails"}
    assert pair["rows"] == 60
    assert "letters" in pair["words"]
    assert "/letters" not in pair["words"]


def test_runs_that_do_not_tell_which_rows_they_tested_say_so(page, runs):
    path = runs / "letters" / "test_predictions.npz"
    arrays = dict(np.load(path))
    del arrays["fingerprints"]
    np.savez(path, **arrays)
    (pair,) = page.get("/api/compare", params={"run": ["letters", "mails"]}).json()["pairs"]
    assert (pair["rows"], pair["gain"]) == (0, None)
    assert "letters was made before runs kept what identifies a test row" in pair["words"]


def test_one_run_is_nothing_to_compare(page):
    answer = page.get("/api/compare", params={"run": ["letters", "letters"]})
    assert (answer.status_code, answer.json()["error"]) == (422, "nothing to compare")


def test_a_model_comes_as_a_zip_that_is_a_bundle(page, runs, tmp_path):
    there = {path.name for path in (runs / "photos" / "model").iterdir()}
    (runs / "photos" / "model" / "notes.txt").write_text("which the bundle does not list")
    answer = page.get("/runs/photos/model.zip")
    assert answer.headers["content-disposition"] == "attachment; filename*=utf-8''photos-model.zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path)
    read_bundle(tmp_path / "photos-model")
    assert {path.name for path in (tmp_path / "photos-model").iterdir()} == there
    assert page.get("/runs/photos/model.zip").content == answer.content


def test_the_leaderboard_comes_as_csv(page):
    answer = page.get("/runs/photos/leaderboard.csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="photos-leaderboard.csv"'
    assert next(iter(csv.reader(io.StringIO(answer.text)))) == ["rank", "trial"]


def test_a_model_of_another_version_is_told_and_not_offered(page, runs):
    path = runs / "photos" / "model" / "bundle.json"
    path.write_text(path.read_text().replace('"format_version": 2', '"format_version": 1'))
    found = page.get("/api/runs/photos").json()
    assert found["model"] is None
    assert "found format version 1" in found["problems"][0]
