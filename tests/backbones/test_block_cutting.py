"""Cut networks give what the whole networks give, for every family in the catalogue."""

from __future__ import annotations

import copy
import io
import warnings

import numpy as np
import pytest
import torch

from autotl.backbones.backbone import BackboneInfo
from autotl.backbones.image_blocks import cut_image_network
from autotl.backbones.text_blocks import cut_text_network
from autotl.errors import BackboneError
from autotl.testing.source_contract import embedding, random_batch

IMAGE_NETWORKS = {  # architecture: (input size, blocks)
    "test_efficientnet": (64, 7),
    "mobilenetv3_small_050": (64, 8),
    "mobilenetv4_conv_small_035": (64, 7),
    "test_resnet": (64, 5),
    "test_convnext": (64, 5),
    "convnextv2_atto": (64, 5),
    "efficientvit_b0": (64, 6),
    "efficientvit_m0": (224, 4),
    "test_vit": (160, 7),
    "vit_pwee_patch16_reg1_gap_256": (256, None),
    "repvit_m0_9": (64, 5),
}
SIZES = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 64}
DEBERTA = {
    "relative_attention": True,
    "position_buckets": 16,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_biased_input": False,
    "type_vocab_size": 0,
}
MODERN = {
    "global_attn_every_n_layers": 3,
    "local_attention": 8,
    "pad_token_id": 0,
    "cls_token_id": 1,
    "sep_token_id": 2,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
ENCODERS = {
    "BertConfig": SIZES,
    "DistilBertConfig": {"dim": 32, "n_layers": 3, "n_heads": 4, "hidden_dim": 64},
    "RobertaConfig": SIZES,
    "XLMRobertaConfig": SIZES,
    "MPNetConfig": SIZES,
    "DebertaV2Config": {**SIZES, **DEBERTA},
    "ModernBertConfig": {**SIZES, **MODERN},
}


def info(**facts: object) -> BackboneInfo:
    kind = "image" if "size" in facts else "text"
    return BackboneInfo("tiny", kind, "test", "tiny", "MIT", True, 0, 0, facts)


def image_network(name: str):
    import timm

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return timm.create_model(name, pretrained=False, num_classes=0).eval()


def text_network(config: str):
    import transformers

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        settings = getattr(transformers, config)(vocab_size=100, **ENCODERS[config])
        network = transformers.AutoModel.from_config(settings).eval()
    if getattr(network, "pooler", None) is not None:
        network.pooler = None
    return network


def exported(backbone, names: list[str], axes: dict[int, str]):
    """The embedding as an ONNX Runtime session."""
    import onnxruntime

    class Embedding(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = backbone.module

        def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
            hidden = backbone.run(dict(zip(names, inputs, strict=True)))
            return backbone.pool(hidden, backbone.depth)

    batch = random_batch(backbone)
    target = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of being old, and of every shape that it freezes
        torch.onnx.export(
            Embedding().eval(),
            tuple(batch[name] for name in names),
            target,
            dynamo=False,
            opset_version=20,
            input_names=names,
            output_names=["embedding"],
            dynamic_axes=dict.fromkeys(names, axes),
        )
    return onnxruntime.InferenceSession(target.getvalue(), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("name", IMAGE_NETWORKS)
def test_a_cut_image_network_gives_the_output_of_the_whole_one(name: str) -> None:
    size, depth = IMAGE_NETWORKS[name]
    network = image_network(name)
    backbone = cut_image_network(info(size=size, mean=[0.4, 0.5, 0.6], std=[0.2, 0.3, 0.25]), network)
    batch = random_batch(backbone)
    pixels = batch["pixels"].permute(0, 3, 1, 2).float() / 255
    mean, std = torch.tensor([0.4, 0.5, 0.6]), torch.tensor([0.2, 0.3, 0.25])
    with torch.inference_mode():
        wanted = network((pixels - mean[:, None, None]) / std[:, None, None])
    torch.testing.assert_close(embedding(backbone, batch), wanted, rtol=1e-4, atol=1e-4)
    assert backbone.depth == depth or (depth is None and backbone.depth > 4)


def test_an_image_network_with_rotary_positions_is_cut() -> None:
    import timm

    network = timm.create_model(
        "vit_small_patch16_dinov3",
        pretrained=False,
        num_classes=0,
        img_size=64,
        embed_dim=48,
        depth=2,
        num_heads=4,
    )
    backbone = cut_image_network(info(size=64, mean=[0.5] * 3, std=[0.5] * 3), network)
    assert backbone.depth == 3


def test_an_image_network_of_unknown_structure_is_one_block() -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    backbone = cut_image_network(info(size=16, mean=[0.5] * 3, std=[0.5] * 3), network)
    assert backbone.depth == 1
    assert backbone.feature_dim() == 4


@pytest.mark.parametrize("config", ENCODERS)
def test_a_cut_encoder_gives_the_states_of_the_whole_one(config: str) -> None:
    network = text_network(config)
    backbone = cut_text_network(info(max_length=64, pooling="mean"), network, {})
    assert backbone.depth == 4
    ids = torch.randint(5, 90, (3, 40), generator=torch.Generator().manual_seed(3))
    mask = torch.ones(3, 40, dtype=torch.int64)
    mask[1, 17:] = 0
    with torch.inference_mode():
        wanted = network(input_ids=ids, attention_mask=mask).last_hidden_state
        found = backbone.run({"input_ids": ids, "attention_mask": mask})["hidden"]
    torch.testing.assert_close(found[mask.bool()], wanted[mask.bool()], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("config", ["BertConfig", "MPNetConfig", "DebertaV2Config", "ModernBertConfig"])
def test_a_cut_encoder_is_exported_with_free_batch_and_length(config: str) -> None:
    backbone = cut_text_network(info(max_length=64, pooling="mean"), text_network(config), {})
    session = exported(backbone, ["input_ids", "attention_mask"], {0: "batch", 1: "length"})
    for rows, length in ((1, 5), (3, 40)):
        ids = torch.randint(5, 90, (rows, length), generator=torch.Generator().manual_seed(4))
        mask = torch.ones(rows, length, dtype=torch.int64)
        mask[-1, 4:] = 0
        found = session.run(None, {"input_ids": ids.numpy(), "attention_mask": mask.numpy()})[0]
        wanted = embedding(backbone, {"input_ids": ids, "attention_mask": mask})
        np.testing.assert_allclose(found, wanted.numpy(), atol=1e-4)


@pytest.mark.parametrize("name", ["test_efficientnet", "test_resnet", "test_vit"])
def test_a_cut_image_network_is_exported_with_a_free_batch(name: str) -> None:
    size = IMAGE_NETWORKS[name][0]
    backbone = cut_image_network(info(size=size, mean=[0.5] * 3, std=[0.5] * 3), image_network(name))
    session = exported(backbone, ["pixels"], {0: "batch"})
    batch = random_batch(backbone, rows=3)
    found = session.run(None, {"pixels": batch["pixels"].numpy()})[0]
    np.testing.assert_allclose(found, embedding(backbone, batch).numpy(), atol=1e-4)


@pytest.mark.parametrize("config", ["MPNetConfig", "DebertaV2Config", "ModernBertConfig"])
def test_a_copy_of_a_cut_encoder_shares_nothing_with_the_original(config: str) -> None:
    backbone = cut_text_network(info(max_length=64, pooling="mean"), text_network(config), {})
    twin = copy.deepcopy(backbone)
    batch = random_batch(backbone)
    before = embedding(backbone, batch)
    with torch.no_grad():
        for weight in twin.module.parameters():
            weight.zero_()
    torch.testing.assert_close(embedding(backbone, batch), before, rtol=0, atol=0)
    assert not torch.allclose(embedding(twin, batch), before)


def test_a_pooling_that_is_unknown_is_named() -> None:
    with pytest.raises(BackboneError, match="found 'max'; expected mean or cls"):
        cut_text_network(info(max_length=64, pooling="max"), text_network("BertConfig"), {})


def test_the_first_token_is_the_embedding_where_the_checkpoint_says_so() -> None:
    backbone = cut_text_network(info(max_length=64, pooling="cls"), text_network("BertConfig"), {})
    batch = random_batch(backbone)
    with torch.inference_mode():
        hidden = backbone.run(batch)
    torch.testing.assert_close(backbone.pool(hidden, backbone.depth), hidden["hidden"][:, 0])
