"""From data to a served bundle, on the packaged weights."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import autotl
from autotl import AutoTL
from autotl.automl.finished import asks_for_nothing_more
from autotl.automl.settings import Settings
from autotl.data.open import open_dataset
from autotl.errors import DataError, ExportError, RunError
from autotl.search.event_log import last_event
from autotl.search.events import RunEnded
from autotl.serve.bundle import read_bundle
from autotl.serve.monitoring.monitor import Monitor
from autotl.serve.monitoring.reference import read_reference
from autotl.testing.data import make_images, make_texts, write_image_folder, write_text_table
from autotl.trial.runner import TrialRunner

pytestmark = pytest.mark.slow

QUICK = {"time_budget": None, "trials": 1, "offline": True, "threads": 2}


#: The control trains a network from nothing: one of these tests has it, the others do without.
NO_CONTROL = "[strategies.from_scratch]\nenabled = false\n"


def fitted(folder, data, labels=None, **parameters):
    space = folder / "space.toml"
    space.parent.mkdir(parents=True, exist_ok=True)
    space.write_text(NO_CONTROL)
    parameters = {"space": space, **parameters}
    return AutoTL(**{**QUICK, "out": folder / "run", **parameters}).fit(data, labels)


def check_run(model):
    """What every finished run must have left."""
    folder = model.run_.path
    for name in (
        "run.json",
        "journal.log",
        "leaderboard.csv",
        "leaderboard.json",
        "report.html",
        "profile.json",
    ):
        assert (folder / name).stat().st_size > 0, name
    assert (folder / "model" / "model.onnx").is_file()
    record = json.loads((folder / "run.json").read_text())
    assert record["test"]["n"] == record["data"]["rows"]["test"] > 0
    assert record["parity"]["rows"] > 0
    assert record["parity"]["largest_difference"] < 1e-4
    assert record["verdict"]
    assert record["command"].startswith("AutoTL(")
    assert all(len(found) == 64 for found in record["weights"]["sha256"].values())
    assert list(record["weights"]["sha256"])
    assert record["audit"]["rows"] == sum(record["data"]["rows"].values())
    assert record["stages"]["report"] > 0
    with np.load(folder / "test_predictions.npz") as saved:
        assert len(set(saved["fingerprints"].tolist())) == record["test"]["n"]
    assert model.best_trial_.score is not None
    said = read_bundle(folder / "model").manifest["monitoring"]
    assert (said["part"], said["rows"]) == ("test", record["test"]["n"])
    rows = model.leaderboard_.to_rows()
    assert rows[0]["size_bytes"] > 0
    assert rows[0]["latency_ms"] > 0
    return record


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    data = write_image_folder(folder / "data", classes=3, rows_per_class=20)
    return data, fitted(folder, data, trials=2, space=None)


def test_class_folders_become_a_verified_bundle(images):
    model = images[1]
    record = check_run(model)
    assert [r["strategy"] for r in model.leaderboard_.to_rows()] == ["linear_probe", "linear_probe"]
    assert record["test"]["score"] > record["test"]["trivial"]
    assert record["control"]["config"]["strategy"] == "from_scratch"
    assert any(shift["measure"] == "batch_norm_distance" for shift in model.profile_.to_json()["shifts"])


def test_a_fitted_model_predicts_scores_and_exports(images, tmp_path):
    data, model = images
    files = sorted(data.glob("*/*.png"))[:5]
    predicted = model.predict(files)
    assert set(predicted) <= set(model.classes_)
    probabilities = model.predict_proba(files)
    assert probabilities.shape == (5, 3)
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert model.score(data) > 0.5
    model.export(tmp_path / "bundle")
    assert autotl.load(tmp_path / "bundle").predict(files) == list(predicted)
    with pytest.raises(
        ExportError, match=r"cannot export there; found .*bundle exists; expected a new folder"
    ):
        model.export(tmp_path / "bundle")


def test_a_run_folder_is_not_overwritten(images):
    data, model = images
    with pytest.raises(RunError, match=r"the run folder already holds a run; found .*--resume"):
        AutoTL(**QUICK, out=model.run_.path).fit(data)


def test_a_finished_run_goes_on_with_more_trials(images):
    data, model = images
    before = {r.number: r.score for r in model.run_.results()}
    earlier = model.run_.read_json("run.json")["seconds"]
    again = AutoTL(**{**QUICK, "trials": 3}, out=model.run_.path, resume=True).fit(data)
    after = {r.number: r.score for r in again.run_.results()}
    assert len(after) == 3
    assert {number: after[number] for number in before} == before
    record = again.run_.read_json("run.json")
    assert record["seconds"] > earlier + sum(record["stages"].values()) - 1
    assert "resume=True" not in record["command"]
    assert "resume=True" in record["resumed"][-1]
    assert "It was then resumed" in (again.run_.path / "report.html").read_text()


def test_a_finished_run_that_is_asked_for_nothing_more_stays_as_it_is(images):
    data, model = images
    folder, told = model.run_.path, []
    before = {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
    trials = len(model.run_.results())
    again = AutoTL(**{**QUICK, "trials": trials}, out=folder, resume=True, listener=told.append).fit(data)
    assert {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()} == before
    assert f"nothing is left to do, the run has its {trials} trial" in " ".join(
        getattr(e, "message", "") for e in told
    )
    record = model.run_.read_json("run.json")
    assert again.best_trial_.number == record["winner"]["trial"]
    assert (again.test_["score"], len(again.leaderboard_)) == (record["test"]["score"], trials)


@pytest.mark.parametrize(
    "change", [{"interrupted": True}, {"test": None}, {"settings": {"compress": "int8"}}]
)
def test_what_is_not_over_or_asked_for_more_goes_on(images, change):
    """An interrupted run, one without an outcome, one that is now asked for another graph."""
    run = images[1].run_
    record = run.read_json("run.json")
    settings = Settings.from_json({**record["settings"], "metric": record["metric"], "resume": True})
    settings = replace(settings, trials=len(run.results()))
    assert asks_for_nothing_more(run, settings)
    assert not asks_for_nothing_more(run, replace(settings, trials=settings.trials + 1))
    assert not asks_for_nothing_more(run, replace(settings, time_seconds=60.0))
    run.write_json(
        "run.json", {**record, **change, "settings": {**record["settings"], **change.get("settings", {})}}
    )
    try:
        assert not asks_for_nothing_more(run, settings)
    finally:
        run.write_json("run.json", record)


def test_resuming_on_other_data_is_refused(images, tmp_path):
    other = write_image_folder(tmp_path / "other", classes=2, rows_per_class=20, seed=5)
    with pytest.raises(RunError, match=r"the run was begun on other data; found fingerprint"):
        AutoTL(**QUICK, out=images[1].run_.path, resume=True).fit(other)


def test_resuming_for_another_metric_is_refused(images):
    data, model = images
    with pytest.raises(RunError, match=r"begun for another task; found multiclass, judged by macro_f1"):
        AutoTL(**QUICK, out=model.run_.path, resume=True, metric="macro_f1").fit(data)


def test_a_control_and_a_final_fit_that_fail_cost_nothing_else(images, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(TrialRunner, "control", fail)
    monkeypatch.setattr(TrialRunner, "refit", fail)
    model = AutoTL(**{**QUICK, "trials": 1}, out=tmp_path / "run").fit(images[0])
    record = model.run_.read_json("run.json")
    assert record["winner"]["refitted"] is False
    assert any("out of memory" in sentence for sentence in record["verdict"])
    assert len([note for note in record["notes"] if "out of memory" in note]) == 2
    assert (model.run_.path / "report.html").is_file()


def test_a_report_and_an_audit_that_fail_cost_nothing_else(images, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise ValueError("a plug-in's fault")

    for name in ("write_report", "audit_cached", "write_examples", "explained_errors"):
        monkeypatch.setattr(f"autotl.automl.leavings.{name}", fail)
    model = fitted(tmp_path, images[0])
    record = model.run_.read_json("run.json")
    assert any(
        note == "the report could not be written: ValueError: a plug-in's fault" for note in record["notes"]
    )
    assert len([note for note in record["notes"] if "a plug-in's fault" in note]) == 4
    assert record["audit"]["not_examined"]
    assert not (model.run_.path / "report.html").exists()
    assert last_event(model.run_.path / "events.jsonl") == RunEnded("finished")
    assert model.predict(sorted(images[0].glob("*/*.png"))[:2]).shape == (2,)


def test_the_ten_lines_are_scored_on_the_test_part_beside_another_winner(images, tmp_path, monkeypatch):
    def other(results, *_, **__):
        return next(result for result in results if result.number == 1), False

    monkeypatch.setattr("autotl.automl.fit.choose", other)
    model = fitted(tmp_path, write_text_table(tmp_path / "table.csv", rows=60), trials=2)
    test = model.run_.read_json("run.json")["test"]
    assert model.best_trial_.number == 1
    assert 0 <= test["ten_lines"] <= 1
    gain = test["gain_over_ten_lines"]
    assert gain["low"] <= gain["value"] <= gain["high"]
    assert gain["value"] == pytest.approx(test["score"] - test["ten_lines"])
    assert test["verdict"][1].startswith("The ten lines, frozen features under a linear head, reach accuracy")
    assert "ten lines" in (model.run_.path / "report.html").read_text()


def test_another_trial_can_be_exported_later(images):
    from autotl.automl import export_trial

    folder = export_trial(images[1].run_, 0)
    assert folder.name == "model-0000"
    assert autotl.load(folder).classes == tuple(images[1].classes_)
    manifest = json.loads((folder / "bundle.json").read_text())
    assert manifest["metrics"]["validation"]["accuracy"] == images[1].run_.results()[0].score
    with pytest.raises(RunError, match=r"no finished trial 99 in .*; expected 0, 1"):
        export_trial(images[1].run_, 99)


def test_the_winner_is_exported_as_the_run_made_it(images, tmp_path):
    from autotl.automl import export_trial

    run = images[1].run_
    before = (run.bundle / "bundle.json").read_text()
    assert export_trial(run) == run.bundle
    assert (run.bundle / "bundle.json").read_text() == before
    copy = export_trial(run, folder=tmp_path / "copy")
    assert (copy / "bundle.json").read_text() == before


def test_an_export_with_a_graph_of_raw_inputs_is_verified_with_it(images, tmp_path):
    from autotl.automl import export_as, export_trial, verify

    said = []
    folder = export_trial(images[1].run_, folder=tmp_path / "raw", raw=True, tell=said.append)
    assert len(said) == 1
    assert said[0].startswith("raw.onnx takes 'encoded' and decides ")
    found = verify(folder, images[0])["raw.onnx"]
    assert found["rows"] > 10
    assert found["label_flips"] <= 2
    assert not (images[1].run_.bundle / "raw.onnx").exists()
    with pytest.raises(ExportError, match=r"raw\.onnx has no use in triton"):
        export_as("triton", images[1].run_, folder=tmp_path / "triton", raw=True)


def test_an_exported_trial_says_what_came_of_its_compression(images, tmp_path):
    from autotl.automl import export_trial

    said = []
    folder = export_trial(images[1].run_, 0, tmp_path / "int8", compress="int8", tell=said.append)
    told = json.loads((folder / "bundle.json").read_text())["compression"]
    outcome = "is shipped" if told["kept"] else "is left out"
    assert said[0].startswith("exporting trial 0 (efficientnet-lite2, linear_probe)")
    assert said[1:] == [f"{told['method']} {outcome}: {told['reason']}"]


def test_an_exported_trial_describes_the_test_part_with_or_without_its_rows(images, tmp_path):
    from autotl.automl import export_trial

    run = images[1].run_
    rows = run.read_splits().test
    for number, kept in ((0, True), (0, False), (None, False)):
        folder = export_trial(run, number, tmp_path / f"{number}-{kept}", reference_rows=kept)
        reference = read_reference(read_bundle(folder))
        assert reference.has_rows == kept
        assert reference.count == len(rows)
        assert reference.arrays["confusion"].sum() == len(rows)
    assert read_reference(read_bundle(run.bundle)).has_rows


def test_rows_of_the_test_part_look_like_the_reference_that_was_made_of_them(images):
    data, model = images
    dataset = open_dataset(data).take(model.run_.read_splits().test)
    outputs, features = model.predictor_.outputs(dataset.items)
    reference = read_reference(read_bundle(model.run_.bundle))
    np.testing.assert_allclose(np.sort(outputs.max(axis=1)), reference.arrays["certainties"], atol=1e-5)
    assert reference.arrays["true"].tolist() == np.bincount(dataset.targets, minlength=3).tolist()
    assert Monitor(model.predictor_.task, reference).check(outputs, features).verdict == "too few rows"


def test_a_fit_can_leave_rows_out_of_its_bundle(tmp_path):
    data = write_text_table(tmp_path / "table.csv", rows=60)
    model = fitted(tmp_path, data, reference_rows=False)
    assert not read_reference(read_bundle(model.run_.bundle)).has_rows


def test_a_score_on_the_rows_of_the_run_is_told_to_flatter(images, tmp_path):
    from autotl.automl import evaluate

    data, model = images
    (told,) = evaluate(model.run_.bundle, data)["notes"]
    assert "fitted on most of these rows" in told
    some = sorted(data.glob("*/*.png"))[::3]
    assert evaluate(model.run_.bundle, some, labels=[path.parent.name for path in some])["notes"] == []


@pytest.mark.parametrize("kind", ["multiclass", "multilabel", "regression", "pair"])
def test_text_tables_of_every_kind_of_task(tmp_path, kind):
    data = write_text_table(tmp_path / "table.csv", rows=60, kind=kind)
    model = fitted(tmp_path, data)
    record = check_run(model)
    assert record["task"]["kind"] == {"pair": "binary"}.get(kind, kind)
    assert np.isfinite(record["test"]["score"])


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_tables_in_memory(tmp_path, library):
    module = pytest.importorskip(library)
    texts, labels = make_texts(45)
    columns = {"text": texts, "label": labels}
    table = module.table(columns) if library == "pyarrow" else module.DataFrame(columns)
    model = fitted(tmp_path, table)
    check_run(model)
    assert model.predict(texts[:2]).shape == (2,)
    assert list(model.predict(table)) == list(model.predict(texts))
    assert autotl.load(model.run_.bundle).predict(table) == list(model.predict(texts))


def test_lists_of_images_with_labels(tmp_path):
    arrays, labels = make_images(45)
    model = fitted(tmp_path, [Image.fromarray(array) for array in arrays], labels)
    check_run(model)
    assert model.predict(arrays[:3]).shape == (3,)


def test_the_same_seed_gives_the_same_trials_and_scores(tmp_path):
    texts, labels = make_texts(60)
    runs = [fitted(tmp_path / name, texts, labels, trials=3).run_.results() for name in ("a", "b")]
    assert [r.config for r in runs[0]] == [r.config for r in runs[1]]
    assert [r.score for r in runs[0]] == [r.score for r in runs[1]]
    assert [[e.score for e in r.curve] for r in runs[0]] == [[e.score for e in r.curve] for r in runs[1]]


def test_a_time_budget_is_kept(tmp_path):
    texts, labels = make_texts(60)
    model = fitted(tmp_path, texts, labels, time_budget="40s", trials=None)
    record = json.loads((model.run_.path / "run.json").read_text())
    assert record["seconds"] <= 44
    assert 0 < record["first_predictor_seconds"] <= record["first_model_seconds"] < record["seconds"]


def test_a_time_that_is_too_short_for_the_baseline_is_said_so_and_gives_the_baseline(tmp_path):
    texts, labels = make_texts(60)
    model = fitted(tmp_path, texts, labels, time_budget="1s", trials=None)
    assert [(result.number, result.score is not None) for result in model.run_.results()] == [(0, True)]
    told = json.loads((model.run_.path / "run.json").read_text())["notes"]
    long = [note for note in told if note.startswith("the ten-line baseline takes about")]
    assert re.search(r"over \d+ rows, and 0:00 is left before export and test: it is run to its end", long[0])


@pytest.mark.filterwarnings("ignore")
def test_ray_leaves_the_same_kind_of_run(tmp_path):
    pytest.importorskip("ray")
    data = write_text_table(tmp_path / "table.csv", rows=60, kind="multiclass")
    model = fitted(tmp_path, data, engine="ray", trials=2, threads=1)
    check_run(model)
    assert [row["trial"] for row in sorted(model.leaderboard_.to_rows(), key=lambda r: r["trial"])] == [0, 1]
    assert json.loads((tmp_path / "run" / "run.json").read_text())["settings"]["engine"] == "ray"


def test_evaluating_data_with_unknown_classes_is_refused(images, tmp_path):
    other = write_image_folder(tmp_path / "other", classes=5, rows_per_class=3)
    with pytest.raises(DataError, match="holds classes that the model does not know"):
        images[1].score(other)
