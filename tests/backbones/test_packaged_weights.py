"""The weights inside packages are the real ones: they know pictures and sentences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from autotl.backbones.build import timm_network
from autotl.backbones.catalogue import catalogue
from autotl.backbones.load import load
from autotl.backbones.sources.packaged import package_folder, packaged_tensors
from autotl.testing.source_contract import embedding

LITES = {"efficientnet-lite0": 224, "efficientnet-lite1": 240, "efficientnet-lite2": 260}


@pytest.mark.parametrize("name", LITES)
def test_an_efficientnet_lite_loads_at_its_native_size(name: str) -> None:
    info = catalogue("image")[name]
    backbone = load(info, offline=True)
    assert info.input["size"] == LITES[name]
    assert info.input["mean"] == info.input["std"] == [0.5, 0.5, 0.5]
    assert backbone.depth == 9
    assert backbone.feature_dim() == 1280
    assert sum(weight.numel() for weight in backbone.module.parameters()) == info.parameters


def test_efficientnet_lite_gives_the_known_logits_on_stripes_and_sky() -> None:
    info = catalogue("image")["efficientnet-lite0"]
    network = timm_network(
        info, packaged_tensors(info, package_folder(info) / str(info.extra["file"]))
    ).eval()
    stripes = np.zeros((224, 224, 3), np.uint8)
    stripes[:, (np.arange(224) // 14) % 2 == 0] = 255
    sky = np.tile(np.array([90, 150, 230], np.uint8), (224, 224, 1))
    pixels = torch.from_numpy(np.stack([stripes, sky])).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.inference_mode():
        logits = network(pixels)
    best = logits.max(dim=1)
    assert best.indices.tolist() == [753, 21]  # "radiator" and "kite" of ImageNet
    torch.testing.assert_close(best.values, torch.tensor([7.6910, 3.8935]), rtol=0, atol=1e-3)


def test_minilm_puts_sentences_of_one_meaning_together() -> None:
    backbone = load(catalogue("text")["all-minilm-l6"], offline=True)
    tokenizer = Tokenizer.from_file(str(backbone.assets()["tokenizer.json"]))
    tokenizer.no_truncation()
    tokenizer.enable_padding()
    texts = ["A man is eating food.", "Someone is having a meal.", "The stock market fell sharply today."]
    encoded = tokenizer.encode_batch(texts)
    batch = {
        "input_ids": torch.tensor([row.ids for row in encoded]),
        "attention_mask": torch.tensor([row.attention_mask for row in encoded]),
    }
    unit = torch.nn.functional.normalize(embedding(backbone, batch), dim=1)
    similarity = unit @ unit.T
    assert similarity[0, 1] > 0.6
    assert similarity[0, 2] < 0.2
    assert unit.shape == (3, 384)
