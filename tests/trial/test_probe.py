"""Probing scores frozen features of training rows, and leaves them to the trials."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from autotl.config import EpochResult, TrialConfig, TrialResult, TrialState
from autotl.data.dataset import Splits
from autotl.modalities.registry import modality
from autotl.testing.backbones import tiny_image_backbone
from autotl.testing.workbench import tiny_dataset
from autotl.trial import benches
from autotl.trial.plan import Resources, RunnerPlan
from autotl.trial.probe import Prober
from autotl.trial.run_folder import RunFolder
from autotl.trial.runner import TrialRunner
from autotl.trial.trial import Price

SEEDS = {"one": 0, "other": 1}


def config(name, **params):
    return TrialConfig(name, "linear_probe", params)


@pytest.fixture
def runner(tmp_path, monkeypatch):
    dataset, infos = tiny_dataset("image"), {}
    for name, seed in SEEDS.items():
        infos[name] = replace(tiny_image_backbone(seed).info, name=name)

    def load(info, **_):
        backbone = tiny_image_backbone(SEEDS[info.name])
        backbone.info = info
        return backbone

    monkeypatch.setattr(benches, "load", load)
    rows = np.arange(len(dataset))
    resources = Resources(torch.device("cpu"), 1, True, 0, tmp_path / "cache")
    description = modality("image").describe(list(dataset.items))
    folder = RunFolder(tmp_path / "run")
    folder.create()
    return TrialRunner(
        RunnerPlan(dataset, Splits(rows[:36], rows[36:48], rows[48:]), infos, description, folder, resources)
    )


def test_every_set_of_depths_is_scored_once_and_training_rows_only_are_read(runner):
    prober = Prober(runner, 0)
    scores = prober.scores(config("one"), 20, ("last", "late", "inner", "all"))
    assert set(scores) == {(4,), (2, 3, 4), (2,), (3,), (1, 2, 3, 4)}
    assert all(0 <= s.ridge <= 1 and 0 <= s.knn <= 1 for s in scores.values())
    assert (prober.rows, prober.classes) == (36, 3)
    frozen = runner.bench(config("one")).frozen
    assert frozen.missing(runner.splits.train) == 16
    assert frozen.missing(np.concatenate([runner.splits.val, runner.splits.test])) == 24


def test_more_rows_hold_the_fewer_and_only_the_depths_that_are_asked_for(runner, monkeypatch):
    prober = Prober(runner, 0)
    first = prober.scores(config("one"), 12, ("last", "all"))
    again = prober.scores(config("one"), 12, ("last", "all"), only={(4,)})
    assert again == {(4,): first[(4,)]}
    prober.scores(config("one"), 24, ("last",))
    assert runner.bench(config("one")).frozen.missing(runner.splits.train) == 12


def test_time_is_predicted_from_passes_of_other_backbones_and_for_missing_rows_only(runner):
    prober = Prober(runner, 0)
    assert prober.seconds(config("one"), 20) is None
    prober.scores(config("one"), 12, ("last",))
    pace = runner.bench(config("one")).frozen.seconds_a_row
    assert prober.seconds(config("one"), 12) == 0
    assert prober.seconds(config("one"), 20) == pytest.approx(8 * pace)
    unseen = prober.seconds(config("other"), 20)
    assert unseen == pytest.approx(20 * pace, abs=1.0)
    assert prober.seconds(config("other", input_size=16), 20) < unseen


def test_the_pace_counts_neither_loading_nor_features_that_are_there(runner):
    frozen = runner.bench(config("one")).frozen
    everything = runner.splits.train_and_val
    frozen.pooled(everything, (4,))
    frozen.seconds_a_row = 2.0
    curve = (EpochResult(1, 0.5, float("nan"), 3.0),)
    for seconds in (4.0, 500.0):  # the second had to download its backbone
        result = TrialResult(0, config("one"), TrialState.COMPLETE, 0.5, curve, seconds=seconds)
        runner.pace.learn(result)
    macs = runner.infos["one"].macs
    assert runner.pace.rates["linear_probe"] == pytest.approx(macs * 48 / (48 * 2.0 + 3.0))
    assert runner.price(config("one")) == Price(3.0, 3.0), "features are there"
    smaller = runner.price(config("one", input_size=16))
    assert smaller.whole == pytest.approx(3.0 + 48 * 2.0 * (16 / 32) ** 2)


def test_a_training_takes_as_long_as_its_epochs_views_and_the_area_of_its_inputs(runner):
    def price(**params):
        return runner.price(TrialConfig("one", "top_k", {"cut": 0.5, **params}))

    assert price(epochs=4) is None
    runner.bench(config("one"))
    runner.pace.expect({"top_k": 1e6})
    plain = price(epochs=4)
    assert plain.first == pytest.approx(0.3 * plain.whole / 4)
    passes = runner.infos["one"].macs * 48 / 1e6
    assert price(epochs=8).whole - plain.whole == pytest.approx(plain.whole - passes)
    assert price(epochs=4, augment="light", views=2).whole - plain.whole == pytest.approx(passes)
    assert price(epochs=4, augment="none", views=2) == plain
    assert price(epochs=4, input_size=16).whole == pytest.approx(plain.whole / 4)
