"""Low-rank adapters on the layers of each family of transformers in the catalogue."""

from __future__ import annotations

import copy

import pytest
import torch

from autotl.backbones.backbone import BackboneInfo
from autotl.backbones.image_blocks import cut_image_network
from autotl.backbones.text_blocks import cut_text_network
from autotl.errors import TrialError
from autotl.strategies.lora import LowRank
from autotl.testing.backbones import tiny_image_backbone
from autotl.testing.source_contract import random_batch

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
DEBERTA = {"relative_attention": True, "position_buckets": 16, "share_att_key": True, "type_vocab_size": 0}
MODERN = {"pad_token_id": 0, "cls_token_id": 1, "sep_token_id": 2, "bos_token_id": 1, "eos_token_id": 2}
ENCODERS = {
    "BertConfig": SIZES,
    "DistilBertConfig": {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64},
    "MPNetConfig": SIZES,
    "DebertaV2Config": {**SIZES, **DEBERTA, "pos_att_type": ["p2c", "c2p"], "position_biased_input": False},
    "ModernBertConfig": {**SIZES, **MODERN, "local_attention": 8},
}
VISION = {
    "vit_tiny_patch16_224": {"embed_dim": 48, "num_heads": 4},
    "vit_small_patch16_dinov3": {"embed_dim": 48, "num_heads": 4, "init_values": 1.0},
    "vit_base_patch16_siglip_224": {"embed_dim": 48, "num_heads": 4},
}


def info(**facts):
    return BackboneInfo(
        "tiny", "image" if "size" in facts else "text", "test", "tiny", "MIT", True, 0, 0, facts
    )


def backbone_of(family):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if family in ENCODERS:
            import transformers

            settings = getattr(transformers, family)(vocab_size=100, **ENCODERS[family])
            network = transformers.AutoModel.from_config(settings)
            network.pooler = None
            return cut_text_network(info(max_length=64, pooling="mean"), network, {})
        import timm

        network = timm.create_model(family, num_classes=0, img_size=64, depth=2, **VISION[family])
        return cut_image_network(info(size=64, mean=[0.5] * 3, std=[0.5] * 3), network)


@pytest.mark.parametrize("family", [*ENCODERS, *VISION])
def test_adapters_learn_and_merge_in(family):
    backbone, adaptation = backbone_of(family), LowRank(4)
    names, batch = list(backbone.module.state_dict()), random_batch(backbone)
    with torch.inference_mode():
        before = backbone.run(batch)["hidden"]
    torch.manual_seed(0)
    adaptation.attach(backbone.blocks()[1:])
    with torch.inference_mode():
        assert torch.equal(backbone.run(batch)["hidden"], before)
    trained = [matrix for block in backbone.blocks()[1:] for matrix in adaptation.trained(block)]
    for matrix in trained:
        torch.nn.init.normal_(matrix, std=0.1)
    adapted = backbone.run(batch)["hidden"]
    adapted.square().sum().backward()
    assert all(matrix.grad is not None and matrix.grad.any() for matrix in trained)
    merged = copy.deepcopy(backbone)
    adaptation.merge(merged.blocks())
    assert list(merged.module.state_dict()) == names
    with torch.inference_mode():
        torch.testing.assert_close(merged.run(batch)["hidden"], adapted, rtol=1e-4, atol=1e-5)
    assert (adapted - before).abs().max() > 1e-2


def test_a_network_without_linear_layers_is_refused():
    with pytest.raises(TrialError, match="no linear layer; expected a transformer"):
        LowRank(4).attach(tiny_image_backbone().blocks())
