"""A run goes on from an earlier one on new data, and says which of the two models is better on them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from small_spaces import small_space

from autotl import AutoTL
from autotl.automl import fit as fit_module
from autotl.automl import predecessor
from autotl.automl.choice import choose
from autotl.automl.predecessor import Comparison, Predecessor, aligned
from autotl.automl.settings import Settings
from autotl.config import TrialConfig
from autotl.errors import BackboneUnavailableError, DataError, RunError, SpaceError
from autotl.leaderboard.interval import Interval
from autotl.task import Task, TaskKind
from autotl.testing.data import write_image_folder, write_text_table
from autotl.trial.run_folder import RunFolder

ONE_EPOCH = """
[parameters.epochs]
low = 1
high = 1
default = 1
[[portfolio]]
strategy = "full"
"""
QUICK = {"time_budget": None, "offline": True, "threads": 2, "experience": False}


def test_probabilities_are_put_into_the_order_of_other_classes():
    task = Task(TaskKind.MULTICLASS, ("b", "c", "a"), "accuracy")
    given = np.array([[0.5, 0.3, 0.2], [0.0, 0.0, 1.0]])
    found = aligned(task, given, ("a", "b", "gone"), task.classes)
    assert np.allclose(found, [[0.375, 0, 0.625], [1 / 3, 1 / 3, 1 / 3]])
    labels = Task(TaskKind.MULTILABEL, ("b", "new"), "macro_f1")
    assert np.allclose(aligned(labels, given, ("a", "b", "gone"), labels.classes), [[0.3, 0], [0, 0]])
    values = Task(TaskKind.REGRESSION, (), "rmse")
    assert np.allclose(aligned(values, given[:, 0], (), ()), given[:, 0])


@pytest.mark.parametrize(
    ("low", "high", "left_out", "words"),
    [
        (0.01, 0.05, 3, "a difference of +0.030 (+0.010 to +0.050), clearly better."),
        (-0.01, 0.07, 0, "within the noise; that is no reason to replace the old one."),
        (
            -0.05,
            -0.01,
            None,
            "some of them is not known: a difference of -0.030 (-0.050 to -0.010), clearly worse",
        ),
    ],
)
def test_the_comparison_says_whether_to_replace_the_old_model(low, high, left_out, words):
    found = Comparison(40, left_out, 0.90, 0.93, Interval((low + high) / 2, low, high, 0.01))
    assert words in found.words(Path("runs/old"), "accuracy")
    assert found.is_better == (low > 0)
    assert found.to_json(Path("runs/old"))["is_better"] == found.is_better


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """A run whose winner is a network that was fine-tuned."""
    folder = tmp_path_factory.mktemp("old")
    data = write_image_folder(folder / "data", classes=3, rows_per_class=20)
    space = small_space(folder, ONE_EPOCH)

    def trained(results, *arguments, **options):
        return choose([r for r in results if r.config.strategy == "full"], *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit_module, "choose", trained)
        model = AutoTL(
            **QUICK, trials=2, space=space, backbones="efficientnet-lite0", out=folder / "run"
        ).fit(data)
    assert model.best_trial_.config.strategy == "full"
    return folder / "run", data


@pytest.fixture(scope="module")
def following(old, tmp_path_factory):
    folder = tmp_path_factory.mktemp("new")
    data = write_image_folder(folder / "data", classes=3, rows_per_class=30, seed=3)
    space = small_space(folder, ONE_EPOCH)
    how = {"from_run": old[0], "backbones": "efficientnet-lite0", "space": space}
    how |= {"out": folder / "run"}
    model = AutoTL(**QUICK, trials=4, **how).fit(data)
    return folder / "run", data, model


@pytest.mark.slow
def test_recipe_and_network_of_the_old_winner_come_right_after_the_baseline(following):
    configs = [result.config for result in following[2].run_.results()]
    tried = [(config.backbone, config.strategy) for config in configs]
    assert tried[:2] == [("efficientnet-lite0", "linear_probe"), ("efficientnet-lite0@run", "linear_probe")]
    assert set(tried[2:]) == {("efficientnet-lite0@run", "full"), ("efficientnet-lite0", "full")}
    assert all(result.score is not None for result in following[2].run_.results())


@pytest.mark.slow
def test_both_models_are_compared_on_rows_that_are_new_to_both(following):
    record = json.loads((following[0] / "run.json").read_text())
    found = record["predecessor"]
    assert (found["rows"], found["left_out"]) == (record["test"]["n"], 0)
    assert found["new"] == record["test"]["score"]
    assert found["gain"]["low"] <= found["gain"]["value"] <= found["gain"]["high"]
    assert "test rows the model of" in record["verdict"][-1] or any(
        "test rows the model of" in sentence for sentence in record["verdict"]
    )
    assert record["settings"]["metric"] == "accuracy"


@pytest.mark.slow
def test_rows_that_the_old_model_was_fitted_on_do_not_count(old, tmp_path):
    how = {"from_run": old[0], "space": small_space(tmp_path, ONE_EPOCH), "out": tmp_path / "run"}
    model = AutoTL(**QUICK, trials=2, seed=1, **how).fit(old[1])
    new, before = model.run_.read_splits(), RunFolder(old[0]).read_splits()
    assert {*new.val, *new.test} <= {*before.test}
    assert any("@run" in result.config.backbone for result in model.run_.results())


@pytest.mark.slow
def test_a_network_that_has_learnt_what_would_judge_it_is_left_behind(old, tmp_path):
    how = {"from_run": old[0], "space": small_space(tmp_path, ONE_EPOCH), "out": tmp_path / "run"}
    model = AutoTL(**QUICK, trials=2, seed=1, test_share=0.5, val_share=0.5, **how).fit(old[1])
    notes = json.loads((tmp_path / "run" / "run.json").read_text())["notes"]
    assert any("of the validation and test parts" in note for note in notes)
    assert not any("@run" in result.config.backbone for result in model.run_.results())


@pytest.mark.slow
def test_a_trial_on_the_old_network_can_be_exported_later(following, tmp_path):
    from autotl.automl import export_trial

    folder = export_trial(following[0], 1, tmp_path / "bundle")
    manifest = json.loads((folder / "bundle.json").read_text())
    assert manifest["backbone"]["name"] == "efficientnet-lite0@run"
    assert "fine-tuned by an earlier run" in (folder / "README.md").read_text()


@pytest.mark.slow
def test_without_the_old_data_the_recipe_is_taken_over_and_the_reader_told(old, tmp_path):
    run = tmp_path / "moved"
    shutil.copytree(old[0], run)
    record = json.loads((run / "run.json").read_text())
    record["data"]["source"] = str(tmp_path / "gone")
    (run / "run.json").write_text(json.dumps(record))
    data = write_image_folder(tmp_path / "data", classes=3, rows_per_class=20, seed=5)
    how = {"from_run": run, "space": small_space(tmp_path, ONE_EPOCH), "out": tmp_path / "run"}
    model = AutoTL(**QUICK, trials=2, **how).fit(data)
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert any("only the recipe of" in note for note in record["notes"])
    assert [r.config.strategy for r in model.run_.results()] == ["linear_probe", "full"]
    assert record["predecessor"]["left_out"] is None


@pytest.mark.slow
def test_data_of_another_kind_are_refused(old, tmp_path):
    table = write_text_table(tmp_path / "texts.csv")
    with pytest.raises(
        RunError, match=r"of another kind .*; found text multiclass; expected image multiclass"
    ):
        AutoTL(**QUICK, trials=1, from_run=old[0], out=tmp_path / "run").fit(table)


@pytest.mark.slow
def test_what_was_asked_for_goes_before_what_the_old_run_had(old):
    asked = Settings.of(AutoTL(metric="macro_f1", from_run=old[0]).get_params())
    found = Predecessor(old[0]).inherited(asked)
    assert (found.metric, found.task) == ("macro_f1", "multiclass")


def test_a_folder_that_holds_no_run_is_refused(tmp_path):
    with pytest.raises(RunError, match=r"not a run folder"):
        Predecessor(tmp_path)


@pytest.fixture
def bare(tmp_path):
    """The record of a finished run, and no more."""
    run = RunFolder(tmp_path)
    run.bundle.mkdir()
    winner = {"trial": 3, "config": TrialConfig("first", "full", {}).to_json()}
    run.write_json("run.json", {"settings": {}, "task": {}, "data": {}, "winner": winner})
    return Predecessor(tmp_path)


@pytest.mark.parametrize("kind", [DataError, SpaceError, BackboneUnavailableError])
def test_whatever_keeps_the_old_run_shut_leaves_its_recipe(bare, monkeypatch, kind):
    def fail(run):
        raise kind("it cannot be opened")

    monkeypatch.setattr(predecessor, "reopen", fail)
    assert bare.learnt() == frozenset()
    assert bare.take_over(None, None, None).endswith("is taken over, not its network: it cannot be opened.")


def test_rows_of_the_run_before_the_old_one_go_on_with_its_network(bare, monkeypatch, tmp_path):
    """The old winner has fine-tuned a network that it had taken over: what that learnt, this one did."""
    base = SimpleNamespace(info=SimpleNamespace(source="finetuned", name="first@oldest"))
    model = SimpleNamespace(backbone=object(), module=None)
    dataset = SimpleNamespace(fingerprints=["a", "b", "c"])
    runner = SimpleNamespace(
        folder=SimpleNamespace(results=lambda: []),
        bench=lambda config: base,
        close=lambda: None,
        dataset=dataset,
        splits=SimpleNamespace(train_and_val=np.array([0])),
    )
    base.backbone = base
    first = SimpleNamespace(config=TrialConfig("first@oldest", "full", {}))
    combinations = SimpleNamespace(
        know=lambda results: None,
        winner=lambda recorded: first,
        members=lambda result: [result],
        model=lambda result: model,
    )
    opened = SimpleNamespace(runner=runner, combinations=combinations)
    monkeypatch.setattr(predecessor, "reopen", lambda run: opened)
    monkeypatch.setattr(predecessor, "weights_key", id)
    monkeypatch.setattr(predecessor, "finetuned", lambda *arguments: base.info)
    new = RunFolder(tmp_path / "new")
    new.create()
    splits = SimpleNamespace(val=np.array([1]), test=np.array([2]))
    told = bare.take_over(new, dataset, splits)
    assert told.endswith("what rows it began with, from a run before that, is not recorded")

    def follow(*before):
        run = Predecessor(tmp_path)
        run._run.write_json("predecessor.rows.json", {"learnt": before})
        return run, run.take_over(new, dataset, splits)

    run, told = follow("c", "z")
    assert run.learnt() == {"a", "c", "z"}
    assert told.endswith("it was fitted on 1 row of the validation and test parts")
    assert not new.predecessor_rows.exists()
    assert follow("z")[1] is None
    assert new.read_json("predecessor.rows.json") == {"learnt": ["a", "z"]}


def test_an_old_winner_that_cannot_be_built_leaves_its_recipe(bare, monkeypatch):
    def fail(*_):
        raise BackboneUnavailableError("its weights are not here")

    closed = []
    folder = SimpleNamespace(results=lambda: [])
    runner = SimpleNamespace(folder=folder, bench=fail, close=lambda: closed.append(True))
    first = SimpleNamespace(config=TrialConfig("first", "lora", {}))
    combinations = SimpleNamespace(
        know=lambda results: None, winner=lambda recorded: first, members=lambda result: [result], model=fail
    )
    opened = SimpleNamespace(runner=runner, combinations=combinations)
    monkeypatch.setattr(predecessor, "reopen", lambda run: opened)
    assert bare.take_over(None, None, None).endswith("not its network: its weights are not here.")
    assert bare._recipe.strategy == "lora"
    assert closed
