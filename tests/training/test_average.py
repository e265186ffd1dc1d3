"""The moving average of the weights under training."""

from __future__ import annotations

import pytest
import torch

from autotl.config import TrialConfig
from autotl.strategies.registry import strategy
from autotl.testing.workbench import tiny_workbench
from autotl.training.average import WeightAverage

WEIGHTS = [5.0, 1.0, -2.0, 4.0, 3.0]  # the first is where training starts


def averaged(share, values=WEIGHTS):
    weight = torch.tensor([values[0]], dtype=torch.float64)
    average = WeightAverage({"w": weight}, share)
    for value in values[1:]:
        weight.fill_(value)
        average.update()
    return weight, average


def test_an_average_over_all_steps_is_their_mean_without_the_start():
    weight, average = averaged(1.0)
    with average.applied():
        assert weight.item() == pytest.approx(sum(WEIGHTS[1:]) / 4)
    assert weight.item() == WEIGHTS[-1]


def test_the_average_follows_its_formula():
    by_hand = 0.0
    for step, value in enumerate(WEIGHTS[1:], start=1):
        kept = (1 - 1 / step) ** 4
        by_hand = kept * by_hand + (1 - kept) * value
    weight, average = averaged(0.25)
    with average.applied():
        assert weight.item() == pytest.approx(by_hand)


@pytest.mark.parametrize("steps", [20, 2000])
def test_the_average_lags_by_about_its_share_of_the_steps_however_many_they_are(steps):
    weight, average = averaged(0.1, [float(step) for step in range(steps + 1)])
    with average.applied():
        assert (steps - weight.item()) / steps == pytest.approx(0.08, abs=0.02)


def test_the_weights_come_back_after_an_error():
    weight, average = averaged(1.0)
    with pytest.raises(ValueError, match="in between"), average.applied():
        raise ValueError("in between")
    assert weight.item() == WEIGHTS[-1]


def test_a_loaded_average_goes_on_where_it_was():
    _, whole = averaged(0.2)
    _, half = averaged(0.2, WEIGHTS[:3])
    weight, resumed = averaged(0.2, [0.0])
    resumed.load(half.state())
    for value in WEIGHTS[3:]:
        weight.fill_(value)
        resumed.update()
    assert torch.equal(resumed.state()["w"], whole.state()["w"])


def test_counts_are_not_averaged():
    _, average = averaged(1.0)
    assert set(WeightAverage({"n": torch.tensor(3), "w": torch.zeros(1)}, 0.1).state()) == {"w", "steps"}
    assert int(average.state()["steps"]) == 4


CONFIG = {"cut": 0.5, "epochs": 3, "batch_size": 8, "learning_rate": 1e-2, "augment": "none"}


def start(bench, state=None, **params):
    config = TrialConfig("tiny", "top_k", {**CONFIG, **params})
    return strategy("top_k").start(bench, config, state)


def test_the_average_is_scored_and_kept_while_training_goes_on_from_the_raw_weights(tmp_path):
    bench = tiny_workbench(tmp_path)
    raw, averaged = start(bench), start(bench, ema=0.2, batch_norm="frozen")
    losses = [[run.step().train_loss for _ in range(3)] for run in (raw, averaged)]
    assert losses[0] == losses[1]
    assert not torch.equal(raw.validation_outputs(), averaged.validation_outputs())
    with torch.inference_mode():
        kept = averaged.model()(bench.frozen.inputs.batch(bench.splits.val))
    assert torch.allclose(kept, averaged.validation_outputs(), atol=0.02)  # cached activations are float16


@pytest.mark.parametrize("batch_norm", ["frozen", "train"])
def test_a_paused_training_keeps_its_average(tmp_path, batch_norm):
    bench = tiny_workbench(tmp_path)
    whole = start(bench, ema=0.2, batch_norm=batch_norm)
    while not whole.done:
        whole.step()
    paused = start(bench, ema=0.2, batch_norm=batch_norm)
    paused.step()
    resumed = start(bench, paused.state(), ema=0.2, batch_norm=batch_norm)
    while not resumed.done:
        resumed.step()
    assert torch.equal(resumed.validation_outputs(), whole.validation_outputs())
