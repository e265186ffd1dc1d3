"""Which weights each strategy changes, and which it stores."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from autotl.config import TrialConfig
from autotl.strategies.registry import strategies, strategy
from autotl.testing.backbones import tiny_image_backbone, tiny_text_backbone
from autotl.testing.strategy_contract import suited_workbench
from autotl.testing.workbench import tiny_workbench
from autotl.training.heads import best_head

GRADIENT = sorted(set(strategies()) - {"linear_probe"})


def start(bench, name, **params):
    short = {"epochs": 1, "batch_size": 8, "learning_rate": 1e-2, "augment": "none", "batch_norm": "train"}
    return strategy(name).start(bench, TrialConfig("tiny", name, {**short, **params}))


def weights(model):
    return {name: value.clone() for name, value in model.module.state_dict().items()}


def changes(bench, name, **params):
    """Largest change of each tensor of the backbone in one epoch, of those that changed."""
    run = start(bench, name, **params)
    before = weights(run.model())
    run.step()
    after = weights(run.model())
    sizes = {key: float((after[key] - before[key]).abs().max()) for key in before}
    return {key: size for key, size in sizes.items() if size}


def blocks_of(names):
    return {int(name.split(".")[0]) for name in names}


def with_other_random_weights(bench, folder):
    def build():
        if bench.dataset.modality == "image":
            return tiny_image_backbone(seed=1)
        return tiny_text_backbone(seed=1, folder=folder)

    return replace(bench, build=build)


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("name", ["image", "text"])
def test_first_blocks_trains_those_and_nothing_behind_them(tmp_path, name, count):
    changed = changes(tiny_workbench(tmp_path, name), "first_blocks", trained_blocks=count)
    assert blocks_of(changed) == set(range(count))


def test_first_blocks_of_convolutions_follow_the_statistics_of_their_batches_and_later_ones_do_not(tmp_path):
    changed = changes(tiny_workbench(tmp_path), "first_blocks", trained_blocks=1)
    assert [key for key in changed if "running" in key] == ["0.norm.running_mean", "0.norm.running_var"]


def moved_since(bench, run):
    """Tensors of the backbone whose present values are not the pretrained ones."""
    start, pretrained = "model.module.", bench.backbone.module.state_dict()
    present = {key.removeprefix(start): v for key, v in run.state().items() if key.startswith(start)}
    return {key for key, value in present.items() if not torch.equal(value, pretrained[key])}


@pytest.mark.parametrize("name", ["image", "text"])
def test_gradual_unfreezing_trains_a_further_block_each_epoch_and_none_before_its_turn(tmp_path, name):
    bench = tiny_workbench(tmp_path, name)
    depth = bench.backbone.depth
    run = start(bench, "gradual", cut=0.0, unfreeze_every=1, unfreeze_blocks=1, epochs=depth)
    for first in reversed(range(depth)):
        run.step()
        assert blocks_of(moved_since(bench, run)) == set(range(first, depth))


@pytest.mark.parametrize("name", ["image", "text"])
def test_lp_ft_trains_the_head_alone_in_its_epochs_and_then_every_block(tmp_path, name):
    bench = tiny_workbench(tmp_path, name)
    run = start(bench, "lp_ft", head_epochs=1, epochs=2)
    head = run.state()["model.head.weight"]
    run.step()
    assert moved_since(bench, run) == set()
    assert not torch.equal(run.state()["model.head.weight"], head)
    run.step()
    assert blocks_of(moved_since(bench, run)) == set(range(bench.backbone.depth))


def test_lp_ft_starts_from_the_linear_probe(tmp_path):
    bench = tiny_workbench(tmp_path)
    probe = best_head(bench, "logistic", (bench.backbone.depth,))[0]
    assert torch.equal(start(bench, "lp_ft").state()["model.head.weight"], probe.weight)


@pytest.mark.parametrize("name", ["image", "text"])
def test_reinit_starts_later_blocks_from_random_weights_and_leaves_early_ones(tmp_path, name):
    bench = with_other_random_weights(tiny_workbench(tmp_path, name), tmp_path)
    run = start(bench, "reinit", reinit_from=0.67)
    first = {"image": 3, "text": 2}[name]
    before, kept = weights(run.model()), bench.backbone.module.state_dict()
    random = bench.build().module.state_dict()
    for key, value in before.items():
        assert torch.equal(value, (random if int(key.split(".")[0]) >= first else kept)[key])
    run.step()
    changed = {key for key, value in weights(run.model()).items() if not torch.equal(value, before[key])}
    assert blocks_of(changed) == set(range(first, bench.backbone.depth))


def test_reinit_can_train_what_it_keeps_at_a_smaller_rate(tmp_path):
    bench = with_other_random_weights(tiny_workbench(tmp_path), tmp_path)
    changed = changes(bench, "reinit", reinit_from=0.5, kept_rate=0.1)
    kernels = [changed[f"{block}.conv.weight"] for block in range(4)]
    # The first steps of AdamW are as large as the learning rate.
    assert max(kernels[:2]) < 0.2 * min(kernels[2:])


def test_batch_norms_of_random_blocks_follow_their_batches_where_kept_ones_are_frozen(tmp_path):
    bench = with_other_random_weights(tiny_workbench(tmp_path), tmp_path)
    changed = changes(bench, "reinit", reinit_from=0.5, kept_rate=0.1, batch_norm="frozen")
    assert blocks_of(key for key in changed if "running" in key) == {2, 3}


@pytest.mark.parametrize("name", ["image", "text"])
def test_norm_bias_trains_norms_and_biases_after_the_cut(tmp_path, name):
    bench = tiny_workbench(tmp_path, name)
    changed = changes(bench, "norm_bias", cut=0.5, batch_norm="frozen")
    parameters = bench.backbone.module.named_parameters()
    assert set(changed) == {key for key, value in parameters if value.ndim == 1 and int(key[0]) >= 2}


def test_lora_changes_the_linear_layers_after_the_cut_only(tmp_path):
    bench = tiny_workbench(tmp_path, "text")
    layers = ("query_key_value", "output", "up", "down")
    assert set(changes(bench, "lora", cut=0.0)) == {f"{b}.{layer}.weight" for b in (1, 2) for layer in layers}
    assert blocks_of(changes(bench, "lora", cut=0.5)) == {2}


def test_merged_adapters_give_what_the_adapters_gave_in_the_plain_network(tmp_path):
    bench = tiny_workbench(tmp_path, "text")
    run = start(bench, "lora", cut=0.0, epochs=2)
    run.step()
    model = run.model()
    with torch.inference_mode():
        merged = model(bench.frozen.inputs.batch(bench.splits.val))
    assert torch.allclose(merged, run.validation_outputs(), atol=1e-5)
    assert list(model.module.state_dict()) == list(bench.backbone.module.state_dict())
    assert [type(m) for m in model.module.modules()] == [type(m) for m in bench.backbone.module.modules()]


def test_lora_stores_adapters_and_head_only(tmp_path):
    run = start(tiny_workbench(tmp_path, "text"), "lora")
    run.step()
    names = {key for key in run.state() if key.startswith(("best.", "model."))}
    assert any("lora_A" in name for name in names)
    assert all("lora_" in name or ".head." in name for name in names)


def test_a_model_can_be_taken_while_training_goes_on(tmp_path):
    curves = []
    for taken in (False, True):
        run = start(tiny_workbench(tmp_path, "text"), "lora", epochs=3)
        while not run.done:
            run.step()
            if taken:
                run.model()
        curves.append(run.validation_outputs())
    assert torch.equal(*curves)


@pytest.mark.parametrize("name", GRADIENT)
def test_what_is_stored_is_what_may_change(tmp_path, name):
    bench = with_other_random_weights(suited_workbench(strategy(name), tmp_path), tmp_path)
    run = start(bench, name, epochs=2, cut=0.5)
    present, best, before = "model.module.", "best.module.", run.state()
    while not run.done:
        run.step()
    after = run.state()
    stored = {key.removeprefix(present) for key in after if key.startswith(present)}
    moved = {key for key in stored if not torch.equal(after[present + key], before[present + key])}
    assert blocks_of(moved) == blocks_of(stored)
    assert {key.removeprefix(best) for key in after if key.startswith(best)} == stored
    # Adapters are stored under names of their own and end in the weight that they stand beside.
    reached = {key.split(".lora_")[0] + ".weight" if "lora_" in key else key for key in stored}
    pretrained = bench.backbone.module.state_dict()
    model = weights(run.model())
    assert {key for key, value in model.items() if not torch.equal(value, pretrained[key])} <= reached
