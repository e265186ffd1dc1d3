"""The ten lines on the test part: on the rows of the winner, for nothing where it stands on their network."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from autotl.automl.delivery import Delivery
from autotl.automl.ten_lines import default_recipe, ten_lines, ten_lines_seconds
from autotl.config import LEFT_OUT, TrialConfig, TrialState
from autotl.data.splits import split
from autotl.leaderboard.paired import paired_gain
from autotl.modalities.registry import modality
from autotl.serve.predictor import Predictor
from autotl.space.limits import Limits
from autotl.testing.backbones import tiny_image_backbone
from autotl.testing.workbench import tiny_dataset
from autotl.trial import benches
from autotl.trial.plan import Resources, RunnerPlan
from autotl.trial.run_folder import RunFolder
from autotl.trial.runner import TrialRunner

TRAINING = {"cut": 0.5, "epochs": 1, "batch_size": 8, "augment": "none", "layer_decay": 1.0}
LATE = -math.inf


@pytest.fixture
def runner(tmp_path, monkeypatch):
    monkeypatch.setattr(benches, "load", lambda info, **_: tiny_image_backbone())
    dataset = tiny_dataset("image", rows=90)
    noise = np.random.default_rng(0).random(90) < 0.3
    dataset = replace(dataset, targets=np.where(noise, (dataset.targets + 1) % 3, dataset.targets))
    described = modality("image").describe(list(dataset.items))
    info = tiny_image_backbone().info
    resources = Resources(torch.device("cpu"), 1, True, 0, tmp_path / "cache")
    plan = RunnerPlan(
        *(
            dataset,
            split(dataset, seed=0),
            {info.name: info},
            described,
            RunFolder(tmp_path / "run"),
            resources,
        )
    )
    return TrialRunner(plan)


def run_trial(runner, number, name, **params):
    trial = runner.start(number, TrialConfig("tiny-image", name, params))
    while not trial.done:
        trial.step()
    return trial.finish(TrialState.COMPLETE)


@pytest.fixture
def scored(runner, tmp_path):
    """Scores the baseline beside a winner; gives what came of it, and what the winner answered."""
    default = run_trial(runner, 0, "linear_probe", head="logistic", depths="last")

    def score(winner, *, refit=False, until=math.inf):
        delivery = Delivery(runner, 0, Limits())
        delivery.combinations.know([default, winner])
        folder = tmp_path / f"model-{winner.number}"
        delivery.export(delivery.combinations.model(winner), {}, folder, parity_rows=4)
        predictor = Predictor(folder)
        seen = delivery.run_test(predictor)
        found = ten_lines(delivery, predictor, seen, winner, default, refit=refit, until=until)
        return found, seen, ten_lines_seconds(delivery, winner, default, refit=refit)

    score.default = default
    return score


def expected(runner, model, seen):
    outputs = runner.predict(model, seen.rows)
    targets = runner.dataset.targets[seen.rows]
    metric = runner.bench(TrialConfig("tiny-image", "linear_probe", {})).metric
    return metric(targets, outputs), paired_gain(metric, targets, seen.outputs, outputs, repeats=1000)


@pytest.mark.parametrize("depths", ["last", "2,4", "all"])
def test_a_winner_on_the_same_frozen_network_gives_the_features_for_nothing(
    runner, scored, monkeypatch, depths
):
    winner = run_trial(runner, 1, "linear_probe", head="ridge", depths=depths)
    frozen = runner.bench(winner.config).frozen
    monkeypatch.setattr(frozen, "_compute", lambda *_: pytest.fail("features were computed"))
    found, seen, seconds = scored(winner, until=LATE)
    score, gain = expected(runner, runner.restore(scored.default).model(), seen)
    assert seconds == 0.0
    assert found.score == pytest.approx(score)
    assert (found.gain.value, found.gain.low) == (pytest.approx(gain.value), pytest.approx(gain.low))


def test_a_winner_without_the_last_depth_costs_a_pass_and_gives_the_same_score(runner, scored):
    winner = run_trial(runner, 1, "linear_probe", head="ridge", depths="1")
    found, seen, _ = scored(winner)
    assert found.score == pytest.approx(expected(runner, runner.restore(scored.default).model(), seen)[0])


def test_beside_a_trained_network_it_is_scored_where_there_is_time_for_a_pass(runner, scored):
    winner = run_trial(runner, 1, "top_k", **TRAINING)
    late, _, seconds = scored(winner, until=LATE)
    assert late is None
    assert seconds > 0
    found, seen, _ = scored(winner)
    score, gain = expected(runner, runner.restore(scored.default).model(), seen)
    assert found.score == pytest.approx(score)
    assert found.gain.value == pytest.approx(gain.value)
    bounds = {"value": found.gain.value, "low": found.gain.low, "high": found.gain.high}
    assert found.to_json() == {"ten_lines": found.score, "gain_over_ten_lines": bounds}


def test_beside_a_winner_that_was_fitted_again_the_ten_lines_are_too(runner, scored):
    winner = run_trial(runner, 1, "linear_probe", head="ridge", depths="last")
    found, seen, _ = scored(winner, refit=True)
    assert found.score == pytest.approx(expected(runner, runner.refit(scored.default), seen)[0])


def test_trial_0_is_compared_with_unless_it_won_or_left_nothing(runner, scored):
    default, winner = scored.default, replace(scored.default, number=1)
    assert default_recipe([winner, default], winner) == default
    assert default_recipe([winner, default], default) is None
    assert default_recipe([winner], winner) is None
    assert default_recipe([replace(default, score=None), winner], winner) is None
    assert default_recipe([default.with_facts(**{LEFT_OUT: "licence"}), winner], winner) is None
    trained = replace(default, config=TrialConfig("tiny-image", "full", {"epochs": 3}))
    assert default_recipe([trained, winner], winner) is None


@pytest.mark.parametrize("described", [5, 2048])
def test_features_of_many_test_rows_are_never_held_all_at_once(runner, scored, monkeypatch, described):
    winner, again = (run_trial(runner, n, "linear_probe", head="ridge", depths="last") for n in (1, 2))
    _, usual, _ = scored(winner)
    held = []
    outputs = Predictor.outputs
    monkeypatch.setattr(
        Predictor, "outputs", lambda self, items: held.append(len(items)) or outputs(self, items)
    )
    monkeypatch.setattr("autotl.automl.delivery.MOST_ROWS", described)
    monkeypatch.setattr("autotl.automl.delivery._MOST_FEATURES", 0)
    _, seen, _ = scored(again)
    assert seen.all_features is None
    assert max(held) <= described
    assert np.array_equal(seen.rows, usual.rows)
    assert np.allclose(seen.outputs, usual.outputs, atol=1e-5)
    assert len(seen.rows) > 5
    assert len(seen.described) == len(seen.features) == min(described, len(seen.rows))
