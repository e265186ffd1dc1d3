"""Between the first model and the search, a run ranks its backbones, and says so wherever it reports."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from autotl import AutoTL
from autotl.automl import inspect
from autotl.automl.time_plan import TimePlan
from autotl.backbones.backbone import Availability
from autotl.backbones.catalogue import space_files
from autotl.search.events import Note, StageStarted
from autotl.search.lessons import read_lessons
from autotl.testing.backbones import tiny_image_backbone
from autotl.testing.data import write_image_folder
from autotl.trial import benches

SEEDS = {"first": 0, "second": 1, "third": 2}
SPACE = """
[strategies.from_scratch]
enabled = false

[parameters.input_size]
options = [0, 16]
"""


@pytest.fixture
def fit(tmp_path, monkeypatch):
    """Fits images with three tiny networks; gives the record of the run and what was told."""
    infos = {
        name: replace(
            tiny_image_backbone(seed).info, name=name, prior=0.5 + 0.1 * seed, macs=10**6 * (1 + seed)
        )
        for name, seed in SEEDS.items()
    }

    def load(info, **_):
        backbone = tiny_image_backbone(SEEDS[info.name])
        backbone.info = info
        return backbone

    monkeypatch.setattr(inspect, "candidates", lambda *_: infos)
    monkeypatch.setattr(inspect, "availability", lambda *_, **__: Availability(True, "here"))
    monkeypatch.setattr(benches, "load", load)
    data = write_image_folder(tmp_path / "data", classes=3, rows_per_class=16)
    (tmp_path / "space.toml").write_text(SPACE)

    def run(name, **parameters):
        told = []
        options = {
            "time_budget": None,
            "trials": 4,
            "offline": True,
            "threads": 1,
            "space": tmp_path / "space.toml",
            "listener": told.append,
            **parameters,
        }
        model = AutoTL(out=tmp_path / name, **options).fit(data)
        return model, told

    return run


@pytest.mark.slow
def test_backbones_are_ranked_recorded_and_tried_in_that_order(fit):
    model, told = fit("run")
    folder = model.run_.path
    record, space = (json.loads((folder / name).read_text()) for name in ("run.json", "space.json"))
    stages = [event.name for event in told if isinstance(event, StageStarted)]
    assert stages.index("first model") < stages.index("probe") < stages.index("search")
    ranks = {row["backbone"]: row["predicted_rank"] for row in record["ranking"]}
    assert list(ranks) == space["backbones"]
    assert sorted(ranks.values()) == [1, 2, 3]
    assert {row["input_size"] for row in record["ranking"]} == {32}, "trials are counted: no other sizes"
    assert next(row["prior_rank"] for row in record["ranking"] if row["backbone"] == "third") == 1
    assert sum(isinstance(event, Note) and "is expected to do best" in event.message for event in told) == 1
    assert record["lessons"] == len(read_lessons(space_files()["image"].with_suffix(".jsonl"))) > 0
    trials = {result.number: result.config for result in model.run_.results()}
    assert trials[0].backbone == space["default_backbone"]
    rows = model.leaderboard_.to_rows()
    assert [row["predicted_rank"] for row in rows] == [ranks[row["backbone"]] for row in rows]
    assert rows[0]["realised_rank"] == 1
    assert "predicted_rank,realised_rank" in (folder / "leaderboard.csv").read_text()
    assert "Which backbone" in (folder / "report.html").read_text()

    again, told = fit("run", trials=5, resume=True)
    assert "probe" not in [event.name for event in told if isinstance(event, StageStarted)]
    assert json.loads((folder / "run.json").read_text())["ranking"] == record["ranking"]
    assert len(again.run_.results()) == 5


@pytest.mark.slow
def test_the_same_seed_gives_the_same_ranking(fit):
    without_time = [
        [
            {key: value for key, value in row.items() if key != "seconds"}
            for row in fit(name)[0].run_.read_json("run.json")["ranking"]
        ]
        for name in ("one", "other")
    ]
    assert without_time[0] == without_time[1]


@pytest.mark.slow
def test_one_trial_needs_no_ranking_and_a_run_that_goes_on_from_it_does(fit, monkeypatch):
    assert fit("single", trials=1)[0].run_.read_json("run.json")["ranking"] == []
    expected: list[float] = []
    monkeypatch.setattr(
        TimePlan, "measured", lambda plan, **seconds: expected.append(seconds["test_seconds"])
    )
    again, _ = fit("single", trials=3, resume=True)
    assert expected, "the time of test and export is kept back from the beginning"
    record, results = again.run_.read_json("run.json"), again.run_.results()
    ranks = {row["backbone"]: row["predicted_rank"] for row in record["ranking"]}
    assert sorted(ranks.values()) == [1, 2, 3]
    assert [result.number for result in results] == [0, 1, 2]
    assert all(result.error is None for result in results)
