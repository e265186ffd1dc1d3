"""Mixed precision, clipping and what else stands between a loss and a step."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from autotl.config import TrialConfig
from autotl.features.precision import fastest_dtype
from autotl.strategies.registry import strategy
from autotl.task import TaskKind
from autotl.testing.workbench import tiny_workbench
from autotl.training import finetune
from autotl.training.loss import mean_loss
from autotl.training.mixup import mix
from autotl.training.precision import MixedPrecision, training_dtype

CPU = torch.device("cpu")
SHORT = {"epochs": 2, "batch_size": 8, "learning_rate": 1e-3, "augment": "none"}


def start(bench, name="top_k", state=None, **params):
    return strategy(name).start(bench, TrialConfig("tiny", name, {**SHORT, **params}), state)


def in_half(monkeypatch, dtype):
    monkeypatch.setattr(finetune, "training_dtype", lambda device, network: dtype)


@pytest.mark.parametrize(
    ("capability", "expected"),
    [
        ((9, 0), torch.bfloat16),
        ((8, 0), torch.bfloat16),
        ((7, 5), torch.float16),
        ((7, 0), torch.float16),
        ((6, 1), None),
    ],
)
def test_gpus_train_in_the_type_that_they_have_units_for(monkeypatch, capability, expected):
    gpus = {torch.device("cuda:0"): (6, 1), torch.device("cuda:1"): capability}
    monkeypatch.setattr(torch.cuda, "get_device_capability", gpus.get)
    assert fastest_dtype(torch.device("cuda:1")) is expected, "the one that was chosen is asked"


@pytest.mark.parametrize("device", ["cpu", "mps"])
def test_other_devices_pass_in_float32(device):
    assert fastest_dtype(torch.device(device)) is None


@pytest.mark.parametrize(
    ("capabilities", "modality", "expected"),
    [
        ({"avx512_bf16": True}, "text", torch.bfloat16),
        ({"amx_bf16": True}, "text", torch.bfloat16),
        ({"avx512_bf16": False, "avx2": True}, "text", None),
        ({"avx512_bf16": True}, "image", None),
    ],
)
def test_a_cpu_trains_transformers_in_bfloat16_where_it_has_units(
    tmp_path, monkeypatch, capabilities, modality, expected
):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert start(tiny_workbench(tmp_path, modality))._precision.dtype is expected


def test_a_cpu_that_tells_nothing_of_its_units_trains_in_float32(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert training_dtype(CPU, torch.nn.Linear(2, 2)) is None


def test_losses_are_scaled_for_float16_alone():
    scaled = [
        dtype
        for dtype in (None, torch.bfloat16, torch.float16)
        if MixedPrecision(CPU, dtype).scaler.is_enabled()
    ]
    assert scaled == [torch.float16]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_training_in_a_half_type_follows_that_in_float32(tmp_path, monkeypatch, dtype):
    bench = tiny_workbench(tmp_path, "text")
    in_half(monkeypatch, None)
    exact = start(bench).step().train_loss
    in_half(monkeypatch, dtype)
    assert start(bench).step().train_loss == pytest.approx(exact, rel=0.02)


def test_a_paused_training_in_float16_goes_on_with_its_scale(tmp_path, monkeypatch):
    in_half(monkeypatch, torch.float16)
    bench = tiny_workbench(tmp_path, "text")
    whole, paused = start(bench), start(bench)
    paused.step()
    paused._precision.scaler.update(1024.0)
    state = paused.state()
    resumed = start(bench, state=state)
    assert resumed._precision.scaler.get_scale() == 1024.0
    whole.step(), whole.step(), resumed.step()
    assert torch.allclose(resumed.validation_outputs(), whole.validation_outputs(), atol=0.02)


def test_a_step_whose_gradients_overflow_is_left_out_and_the_scale_falls(tmp_path, monkeypatch):
    in_half(monkeypatch, torch.float16)
    run = start(tiny_workbench(tmp_path, "text"))
    run._weights.train_from(run._plan.cut)
    before = [weight.detach().clone() for weight in run._weights.head]
    scale = run._precision.scaler.get_scale()
    run._optimizer.clear()
    run._optimizer.backward(sum(weight.sum() for weight in run._weights.head) * torch.inf)
    run._optimizer.step(1.0)
    assert all(map(torch.equal, run._weights.head, before))
    assert run._precision.scaler.get_scale() < scale


@pytest.mark.parametrize("dtype", [None, torch.float16])
def test_gradients_are_clipped_to_norm_1_after_their_scale_is_taken_off(tmp_path, monkeypatch, dtype):
    in_half(monkeypatch, dtype)
    run = start(tiny_workbench(tmp_path, "text"))
    run._weights.train_from(run._plan.cut)
    for factor, norm in ((1e3, 1.0), (1e-3, 1e-3)):
        run._optimizer.clear()
        (bias,) = (weight for weight in run._weights.head if weight.ndim == 1)
        run._optimizer.backward(bias[0] * factor)
        run._optimizer.step(1.0)
        assert float(bias.grad.norm()) == pytest.approx(norm, rel=1e-3)


def test_mixup_blends_rows_and_targets_by_the_same_share():
    torch.manual_seed(0)
    pixels = (torch.eye(6) * 200).to(torch.uint8)
    batch, targets = mix({"pixels": pixels}, torch.eye(6), 0.4, np.random.default_rng(1))
    assert torch.allclose(batch["pixels"] / 200, targets)
    assert torch.allclose(targets.sum(dim=1), torch.ones(6))
    assert ((targets > 0) & (targets < 1)).any()


@pytest.mark.parametrize("name", ["full", "top_k"])
def test_mixup_reaches_images_at_any_cut(tmp_path, name):
    bench = tiny_workbench(tmp_path)
    plain, mixed = (start(bench, name, mixup=share).step().train_loss for share in (0.0, 0.4))
    assert plain != mixed


def test_label_smoothing_spreads_a_share_of_the_target():
    raw, target = torch.tensor([[2.0, 0.0, 0.0, 0.0]]), torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    spread = torch.tensor([[0.925, 0.025, 0.025, 0.025]])
    smoothed = mean_loss(raw, target, TaskKind.MULTICLASS, None, 0.1)
    assert smoothed == pytest.approx(float(-(spread * raw.log_softmax(dim=1)).sum()))
