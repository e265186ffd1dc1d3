"""What the choice knows: like is compared with like, and combinations come from what was trained."""

from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from autotl.automl import evidence as evidence_module
from autotl.automl.choice import choose
from autotl.automl.combine import Combinations, recall
from autotl.automl.delivery import Delivery
from autotl.automl.evidence import Evidence
from autotl.config import TrialConfig, TrialState
from autotl.data.splits import split
from autotl.errors import RunError, TrialError
from autotl.modalities.registry import modality
from autotl.space.limits import Limits
from autotl.testing.backbones import tiny_image_backbone
from autotl.testing.workbench import tiny_dataset
from autotl.trial import benches, cross_validation
from autotl.trial.cross_validation import REPEATS
from autotl.trial.plan import Resources, RunnerPlan
from autotl.trial.run_folder import RunFolder
from autotl.trial.runner import TrialRunner

FOREVER = float("inf")
TRAINING = {"cut": 0.5, "epochs": 1, "batch_size": 8, "augment": "none", "layer_decay": 1.0}


@pytest.fixture
def runner(tmp_path, monkeypatch):
    monkeypatch.setattr(benches, "load", lambda info, **_: tiny_image_backbone())
    dataset = tiny_dataset("image", rows=90)
    noise = np.random.default_rng(0).random(90) < 0.3  # heads must differ, and be wrong now and then
    dataset = replace(dataset, targets=np.where(noise, (dataset.targets + 1) % 3, dataset.targets))
    described = modality("image").describe(list(dataset.items))
    info = tiny_image_backbone().info
    resources = Resources(torch.device("cpu"), 1, True, 0, tmp_path / "cache")
    folder = RunFolder(tmp_path / "run")
    return TrialRunner(
        RunnerPlan(dataset, split(dataset, seed=0), {info.name: info}, described, folder, resources)
    )


def run_trial(runner, number, name, **params):
    trial = runner.start(number, TrialConfig("tiny-image", name, params))
    while not trial.done:
        trial.step()
    result = trial.finish(TrialState.COMPLETE)
    runner.folder.write_result(result)
    return result


@pytest.fixture
def heads(runner):
    kinds = [("logistic", "last"), ("logistic", "2"), ("ridge", "1,3"), ("prototype", "all")]
    return [
        run_trial(runner, n, "linear_probe", head=head, depths=depths)
        for n, (head, depths) in enumerate(kinds)
    ]


def test_weights_are_those_of_the_blocks_that_the_model_runs(runner, heads):
    info = runner.infos["tiny-image"]
    last, second, *_ = (head.facts["parameters"] for head in heads)
    assert last == info.parameters
    blocks = runner.restore(heads[1]).model().backbone.blocks()
    assert second == sum(weight.numel() for block in blocks[:2] for weight in block.parameters()) < last


def test_heads_are_cross_validated_where_rows_are_few_and_trainings_are_not(runner, heads, monkeypatch):
    trained = run_trial(runner, 4, "top_k", **TRAINING)
    evidence = Evidence(runner, seed=0)
    *crossed, same = evidence.cross_validate([*heads, trained], FOREVER)
    assert same == trained
    assert all(0.3 < result.facts["cross_validated"] < 1 for result in crossed)
    rows = len(runner.splits.train_and_val)
    targets, _, copies = evidence.shared(heads)
    assert (len(targets), copies) == (REPEATS * rows, REPEATS)
    difference = crossed[1].facts["cross_validated"] - crossed[0].facts["cross_validated"]
    assert evidence.gain(heads[1], heads[0]).value == pytest.approx(difference)
    assert len(evidence.shared([heads[0], trained])[0]) == len(runner.splits.val)
    monkeypatch.setattr(evidence_module, "FEW_ROWS", rows)
    assert Evidence(runner, seed=0).cross_validate(heads, FOREVER) == heads


def test_rows_are_predicted_by_fits_that_had_not_seen_them(runner, heads):
    """Targets drawn by lot cannot be predicted, however well they are learnt."""
    targets = np.random.default_rng(1).integers(0, 3, 90)
    runner = TrialRunner(replace(runner.plan, dataset=replace(runner.dataset, targets=targets)))
    found = Evidence(runner, seed=0).cross_validate(heads, FOREVER)
    assert max(result.facts["cross_validated"] for result in found) < 0.6


class CurveOfRows:
    """In place of a strategy: scores a + b log(rows), and judges on rows that it was not fitted on."""

    def __init__(self, slope):
        self.slope = slope

    def start(self, bench, config):
        splits = bench.splits
        assert not np.intersect1d(splits.train, splits.val).size
        return SimpleNamespace(
            step=lambda: SimpleNamespace(score=0.2 + self.slope * np.log(len(splits.train)))
        )


def test_what_more_rows_bring_goes_on_as_the_learning_curve_went(runner, heads, monkeypatch):
    evidence = Evidence(runner, seed=0)
    expected = 0.1 * np.log(len(runner.splits.train_and_val) / len(runner.splits.train))
    monkeypatch.setattr(cross_validation, "strategy", lambda name: CurveOfRows(0.1))
    assert evidence.gain_of_rows(heads[0], FOREVER) == pytest.approx(expected)
    assert evidence.gain_of_rows(heads[0], -FOREVER) == 0.0
    monkeypatch.setattr(cross_validation, "strategy", lambda name: CurveOfRows(-0.1))
    assert evidence.gain_of_rows(heads[0], FOREVER) == 0.0, "no loss is expected"


def test_a_score_that_was_luck_promises_nothing_of_more_rows(runner, heads):
    evidence = Evidence(runner, seed=0)
    lucky = replace(heads[0], score=1.0)
    assert evidence.gain_of_rows(lucky, FOREVER) == evidence.gain_of_rows(heads[0], FOREVER) < 0.2


def test_a_final_fit_takes_the_time_of_features_that_are_no_longer_there(runner, heads, monkeypatch):
    soon = runner.refit_seconds(heads[0])
    monkeypatch.setattr(runner.pace, "pass_seconds", lambda config, rows: float(len(rows)))
    assert runner.refit_seconds(heads[0]) == pytest.approx(soon + len(runner.splits.train_and_val), rel=0.01)


def test_of_a_training_nothing_is_known_of_more_rows(runner):
    trained = run_trial(runner, 4, "top_k", **TRAINING)
    assert Evidence(runner, seed=0).gain_of_rows(trained, FOREVER) == 0.0


def test_a_trial_is_compared_although_its_backbone_may_no_longer_be_used(runner, heads):
    gone = replace(heads[0], config=replace(heads[0].config, backbone="gone"))
    with pytest.raises(TrialError, match=r"takes no part in this run; found gone; expected tiny-image"):
        runner.start(9, gone.config)
    with pytest.raises(TrialError, match=r"takes no part in this run; found gone"):
        runner.resume(gone)
    evidence = Evidence(runner, seed=0)
    assert evidence.gain(heads[1], gone) == Evidence(runner, seed=0).gain(heads[1], heads[0])


def test_without_time_nothing_is_cross_validated(runner, heads):
    evidence = Evidence(runner, seed=0)
    assert evidence.cross_validate(heads, -FOREVER) == heads
    assert evidence.cross_validate([heads[0].with_facts(cross_validated=0.9)], -FOREVER) == heads[:1]


def test_rows_that_must_all_stay_together_are_not_cross_validated(runner, heads):
    joined = replace(runner.dataset, groups=np.zeros(90, int))
    runner = TrialRunner(replace(runner.plan, dataset=joined))
    assert Evidence(runner, seed=0).cross_validate(heads, FOREVER) == heads


def test_operations_are_those_of_the_input_size(runner):
    info = runner.infos["tiny-image"]
    size = info.input["size"] // 2
    result = run_trial(runner, 0, "linear_probe", head="logistic", depths="last", input_size=size)
    assert result.facts["macs"] == pytest.approx(info.macs / 4)


def test_an_ensemble_is_kept_with_its_members_and_made_again_from_disk(runner, heads):
    evidence = Evidence(runner, seed=0)
    combinations = Combinations(runner, evidence, seed=0)
    results = evidence.cross_validate(heads, FOREVER)
    (found,) = combinations.find(results, FOREVER)
    assert (found.number, found.config.strategy) == (4, "ensemble")
    weights = {int(number): weight for number, weight in found.facts["members"].items()}
    assert len(weights) > 1
    val, own = runner.splits.val, {result.number: result for result in heads}
    expected = sum(w * evidence.validation(own[n]) for n, w in weights.items()) / sum(weights.values())
    assert runner.predict(combinations.model(found), val) == pytest.approx(expected, abs=1e-4)
    refitted = runner.predict(combinations.model(found, refit=True), val)
    assert np.abs(refitted - expected).max() > 1e-3
    assert [result.number for result in runner.folder.results()] == [0, 1, 2, 3]
    again = Combinations(runner, Evidence(runner, seed=0), seed=0)
    assert recall(runner.folder, heads) == [found]
    again.know(heads)
    assert runner.predict(again.model(found), val) == pytest.approx(expected, abs=1e-4)
    recorded = {"trial": 4, "config": found.config.to_json()}
    assert again.winner(recorded) == found
    another = [*heads, replace(heads[0], number=4)]
    assert recall(runner.folder, another) == []
    again.know(another)
    with pytest.raises(RunError, match="is none of its trials; found 4 of another configuration"):
        again.winner(recorded)


@pytest.mark.parametrize(("seconds", "fewest", "most"), [(FOREVER, 20, 20), (9.0, 5, 10), (-9.0, 1, 2)])
def test_an_ensemble_is_chosen_from_as_many_heads_as_the_metric_has_time_for(seconds, fewest, most):
    slow = SimpleNamespace(metric=SimpleNamespace(score=lambda targets, predictions: time.sleep(0.01)))
    combinations = Combinations(None, slow, seed=0)
    assert fewest <= combinations._affordable(None, None, time.monotonic() + seconds) <= most


def test_a_soup_is_made_of_trainings_that_do_not_hurt_it(runner):
    trainings = [
        run_trial(runner, n, "top_k", learning_rate=rate, **TRAINING) for n, rate in enumerate((1e-3, 2e-3))
    ]
    other = run_trial(runner, 2, "top_k", depths="late", learning_rate=1e-3, **TRAINING)
    evidence = Evidence(runner, seed=0)
    combinations = Combinations(runner, evidence, seed=0)
    found = combinations.find([*trainings, other], FOREVER)
    assert [result.config.strategy for result in found] == ["soup"]
    assert set(found[0].facts["members"]) == {"0", "1"}
    assert found[0].score >= max(result.score for result in trainings)
    predicted = runner.predict(combinations.model(found[0]), runner.splits.val)
    assert predicted == pytest.approx(evidence.validation(found[0]), abs=1e-5)
    assert combinations.find([*trainings, other], -FOREVER) == []


def test_a_combination_that_does_not_gain_beyond_the_noise_is_not_delivered(runner, heads):
    evidence = Evidence(runner, seed=0)
    results = evidence.cross_validate(heads, FOREVER)
    best = max(results, key=lambda result: result.facts["cross_validated"])
    same = replace(best, number=9, config=TrialConfig("tiny-image", "ensemble"))
    evidence.add(same, evidence.validation(best), evidence.shared([best])[1][0])
    assert choose(results, lambda r: True, evidence.gain, combined=[same])[0].number == best.number
    targets = runner.dataset.targets
    right = replace(same, number=10)
    crossed = np.eye(3)[np.tile(targets[runner.splits.train_and_val], REPEATS)]
    evidence.add(right, np.eye(3)[targets[runner.splits.val]], crossed)
    assert choose(results, lambda r: True, evidence.gain, combined=[right])[0] == right


def test_an_ensemble_is_measured_ranked_refitted_and_exported_like_a_trial(runner, heads, tmp_path):
    delivery = Delivery(runner, seed=0, limits=Limits())
    results = delivery.evidence.cross_validate(heads, FOREVER)
    (found,) = delivery.combinations.find(results, FOREVER)
    board = delivery.leaderboard(delivery.graphs.measure([*results, found], FOREVER), found, {})
    assert len(board) == 5
    row = next(row for row in board if row.winner)
    assert (row.trial, row.strategy, row.backbone) == (4, "ensemble", "tiny-image")
    assert set(row.settings["members"].replace(" x", ":").split(", ")) == {
        f"{number}:{weight}" for number, weight in found.facts["members"].items()
    }
    assert row.latency_ms > 0
    assert row.gain is not None
    model = delivery.combinations.model(found, refit=True)
    assert model.temperature == delivery.calibrate(model, found)
    parity = delivery.export(model, {}, tmp_path / "bundle", parity_rows=32)["parity"]["model.onnx"]
    assert parity["rows"] == 32
    assert parity["largest_difference"] < 1e-4
