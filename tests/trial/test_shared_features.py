"""Trial runners and the feature store: what one run computed, the next one finds."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from autotl.config import TrialConfig
from autotl.data.dataset import Splits
from autotl.modalities.registry import modality
from autotl.testing.backbones import tiny_image_backbone
from autotl.testing.workbench import tiny_dataset
from autotl.trial import benches
from autotl.trial.plan import Resources, RunnerPlan
from autotl.trial.run_folder import RunFolder
from autotl.trial.runner import TrialRunner

CONFIG = TrialConfig("tiny-image", "linear_probe")
ROWS = np.arange(60)


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Starts the runner of a run of its own; further arguments go to its resources."""
    monkeypatch.setattr(benches, "load", lambda info, **_: tiny_image_backbone())
    dataset = tiny_dataset("image")
    description = modality("image").describe(list(dataset.items))

    def begin(name, dataset=dataset, **resources):
        plan = RunnerPlan(
            dataset,
            Splits(ROWS[:36], ROWS[36:48], ROWS[48:]),
            {"tiny-image": tiny_image_backbone().info},
            description,
            RunFolder(tmp_path / name),
            Resources(torch.device("cpu"), 1, True, 0, tmp_path / "cache", **resources),
        )
        return TrialRunner(plan)

    begin.dataset = dataset
    return begin


def test_a_run_on_relabelled_data_starts_with_the_features_of_the_last(start, monkeypatch):
    first = start("one")
    expected = first.bench(CONFIG).frozen.pooled(ROWS, (1, 2))
    first.close()
    relabelled = replace(start.dataset, targets=start.dataset.targets[::-1].copy())
    frozen = start("two", relabelled).bench(CONFIG).frozen
    monkeypatch.setattr(frozen, "_compute", lambda *_: pytest.fail("computed again"))
    assert np.array_equal(frozen.pooled(ROWS, (1, 2)), expected)
    assert frozen.seconds_a_row > 0


def test_a_run_on_other_items_computes_its_own(start):
    first = start("one")
    expected = first.bench(CONFIG).frozen.pooled(ROWS, (1,))
    other = start("two", start.dataset.take(ROWS[::-1])).bench(CONFIG).frozen.pooled(ROWS, (1,))
    assert not np.allclose(other, expected, atol=1e-3)
    assert np.allclose(other[::-1], expected, atol=1e-4)


def test_a_run_that_may_keep_nothing_leaves_nothing(start, tmp_path):
    runner = start("one", cache_limit=0)
    runner.bench(CONFIG).frozen.pooled(ROWS, (1,))
    assert list((tmp_path / "cache" / "features").rglob("*.npy"))
    runner.close()
    assert not list((tmp_path / "cache" / "features").rglob("*.npy"))


def test_a_second_trial_with_the_same_cut_does_not_run_the_frozen_blocks(start):
    runner, rows, found = start("one"), Counter(), []

    def count(block, inputs, outputs):  # of the copies that are trained too
        rows["frozen" if block.first else "trained"] += len(outputs["hidden"])

    settings = {"cut": 0.5, "epochs": 2, "augment": "none"}
    blocks = runner.bench(CONFIG).backbone.blocks()
    for block in (blocks[0], blocks[-1]):
        block.register_forward_hook(count)
    for number, rate in enumerate((1e-3, 2e-3)):
        trial = runner.start(number, TrialConfig("tiny-image", "top_k", {**settings, "learning_rate": rate}))
        while not trial.done:
            trial.step()
        found.append(rows.copy())
        rows.clear()
    assert found[0]["frozen"] >= 48
    assert found[1]["frozen"] == 0
    assert found[1]["trained"] >= 2 * 48


def test_preprocessing_has_inputs_of_its_own(start):
    runner = start("one")
    small = TrialConfig("tiny-image", "linear_probe", {"input_size": 16})
    widths = [
        runner.bench(config).frozen.inputs.batch(ROWS[:1])["pixels"].shape for config in (CONFIG, small)
    ]
    assert widths == [(1, 32, 32, 3), (1, 16, 16, 3)]
