"""The backbone that was asked for learns from the winner of the search, and is delivered in its place."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from small_spaces import small_space

from autotl import AutoTL
from autotl.automl import export_trial, space_for
from autotl.automl.distill import Distillation, recipes
from autotl.backbones.catalogue import catalogue
from autotl.config import EpochResult, TrialConfig, TrialResult, TrialState
from autotl.errors import BackboneError, SpaceError
from autotl.task import TaskKind, metric
from autotl.testing.data import write_image_folder

ONE_EPOCH = """
[strategies.distill.parameters]
epochs = { low = 1, high = 1, default = 1 }
"""
STUDENT = "efficientnet-lite0"
QUICK = {"time_budget": None, "trials": 2, "offline": True, "threads": 2, "experience": False}


def result(number, backbone, strategy, score, **facts):
    config = TrialConfig(backbone, strategy, {})
    return TrialResult(number, config, TrialState.COMPLETE, score, facts=facts)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_image_folder(tmp_path_factory.mktemp("data"), classes=3, rows_per_class=16)


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    how = {"space": small_space(folder, ONE_EPOCH), "backbones": "efficientnet-lite1", "distill_to": STUDENT}
    return AutoTL(**QUICK, **how, out=folder / "run").fit(data)


@pytest.mark.slow
def test_the_student_is_delivered_with_its_teacher_named(run):
    assert run.best_trial_.config.backbone == STUDENT
    record = json.loads((run.run_.path / "run.json").read_text())
    assert record["winner"]["backbone"] == STUDENT
    said = next(sentence for sentence in record["verdict"] if "of its teacher" in sentence)
    assert said.startswith(f"{STUDENT} reaches accuracy")
    assert "(efficientnet-lite1)" in said
    assert json.loads((run.run_.bundle / "bundle.json").read_text())["backbone"]["name"] == STUDENT


@pytest.mark.slow
def test_what_was_distilled_is_on_the_leaderboard_and_no_trial_of_the_search(run):
    rows = [row for row in run.leaderboard_.to_rows() if row["strategy"] == "distill"]
    assert rows
    assert all(row["error"] is None for row in rows)
    assert {result.config.strategy for result in run.run_.results()} == {"linear_probe"}
    with np.load(run.run_.path / "teacher.npz") as teacher:
        assert np.allclose(teacher["outputs"].sum(axis=1).max(), 1, atol=1e-4)


@pytest.mark.slow
def test_a_distilled_model_can_be_exported_later(run, tmp_path):
    number = next(row["trial"] for row in run.leaderboard_.to_rows() if row["strategy"] == "distill")
    manifest = json.loads((export_trial(run.run_, number, tmp_path / "out") / "bundle.json").read_text())
    assert manifest["backbone"]["name"] == STUDENT


@pytest.mark.slow
def test_such_a_run_goes_on(run, data):
    settings = {**QUICK, "trials": 3, "space": run.space, "backbones": run.backbones, "distill_to": STUDENT}
    again = AutoTL(**settings, out=run.run_.path, resume=True).fit(data)
    assert len(again.run_.results()) == 3
    assert again.best_trial_.config.backbone == STUDENT


def test_the_student_takes_part_whatever_else_is_asked_for(data, tmp_path):
    space, _ = space_for(data, offline=True, backbones="efficientnet-lite1", distill_to=STUDENT)
    assert set(space.backbones) == {"efficientnet-lite1", STUDENT}
    rates = [config.get("learning_rate") for config in recipes(space, STUDENT)]
    assert len(set(rates)) == 3
    assert all(space.contains(config) for config in recipes(space, STUDENT))


class Diverging:
    """A trial that fails after some epochs, and gives its best so far."""

    keeps_deadline = True

    def __init__(self, number, config, epochs):
        self.number, self.config = number, config
        self.curve, self._left, self.done = [], epochs, False

    def step(self):
        if len(self.curve) == self._left:
            raise MemoryError("no room")
        self.curve.append(EpochResult(len(self.curve) + 1, 0.5, 1.0, 1.0))
        return self.curve[-1]

    def finish(self, state, error=None):
        score = self.curve[-1].score if self.curve else None
        return TrialResult(self.number, self.config, state, score, tuple(self.curve), error=error)


@pytest.mark.parametrize(
    ("epochs", "state", "score"), [(0, TrialState.FAILED, None), (2, TrialState.PRUNED, 0.5)]
)
def test_a_student_that_fails_keeps_what_it_had_reached(data, epochs, state, score):
    space, _ = space_for(data, offline=True, backbones="efficientnet-lite1", distill_to=STUDENT)
    runner = SimpleNamespace(
        start=lambda number, config: Diverging(number, config, epochs), teach=lambda model: None
    )
    combinations = SimpleNamespace(model=lambda teacher: None, keep=lambda found: None)
    told = []
    distillation = Distillation(
        SimpleNamespace(runner=runner, combinations=combinations), space, None, STUDENT, told.append
    )
    found = distillation.run(7, 0.0)
    assert (found[0].number, found[0].state, found[0].score) == (7, state, score)
    assert found[0].error == "MemoryError: no room"
    assert told[-1].result == found[-1]


def test_a_student_that_is_unknown_or_cannot_take_part_is_refused(data):
    with pytest.raises(BackboneError, match="unknown image backbone; found 'lite-zero'"):
        space_for(data, offline=True, distill_to="lite-zero")
    with pytest.raises(
        SpaceError, match=r"cannot distill into convnextv2-atto; found licence .* is not permissive"
    ):
        space_for(data, offline=True, license="permissive", distill_to=closed())


def closed() -> str:
    """A backbone whose licence restricts its use."""
    return next(info.name for info in catalogue("image").values() if not info.commercial)


@pytest.mark.parametrize(
    ("teacher", "winner", "expected"),
    [
        (
            result(0, "large", "linear_probe", 0.9, parameters=400),
            result(2, STUDENT, "distill", 0.875, parameters=100),
            f"{STUDENT} reaches accuracy 0.875 on validation against 0.900 of its teacher, trial 0 (large), "
            "with 25 % of its weights, and 0.850 at best without a teacher.",
        ),
        (
            result(1, STUDENT, "linear_probe", 0.85, parameters=100),
            result(1, STUDENT, "linear_probe", 0.85, parameters=100),
            "What learnt from trial 1 reaches accuracy 0.875 on validation against 0.850 of its teacher, "
            f"trial 1, which is on {STUDENT} itself and is delivered.",
        ),
    ],
)
def test_a_sentence_tells_what_distillation_gave(teacher, winner, expected):
    delivery = SimpleNamespace(evidence=SimpleNamespace(metric=metric("accuracy", TaskKind.BINARY)))
    distillation = Distillation(delivery, None, teacher, STUDENT, lambda event: None)
    results = [
        result(0, "large", "linear_probe", 0.9),
        result(1, STUDENT, "linear_probe", 0.85),
        result(2, STUDENT, "distill", 0.875),
    ]
    assert distillation.words(winner, results) == expected
