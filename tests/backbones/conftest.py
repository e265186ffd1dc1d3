"""A loopback hub with empty caches for every test that asks for one, and tiny checkpoints to publish."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from loopback_hub import Files, LoopbackHub

from autotl.backbones.hub import forget_probe
from autotl.testing.backbones import write_tokenizer


@pytest.fixture
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty cache folders and an environment without hub variables."""
    monkeypatch.setenv("AUTOTL_CACHE_DIR", str(tmp_path / "autotl"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    for name in ("HF_ENDPOINT", "HF_HUB_OFFLINE", "HF_HOME", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    forget_probe()
    return tmp_path


@pytest.fixture
def hub(caches: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    """A running hub that `HF_ENDPOINT` points to."""
    with LoopbackHub() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.address)
        yield running
    forget_probe()


@pytest.fixture(scope="session")
def tiny_bert_files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """A random BERT of two layers with its tokenizer, as a hub holds it."""
    from transformers import BertConfig, BertForMaskedLM

    folder = tmp_path_factory.mktemp("bert")
    config = BertConfig(
        vocab_size=60,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        BertForMaskedLM(config).save_pretrained(folder)
    write_tokenizer(folder)
    names = ("config.json", "tokenizer.json", "model.safetensors")
    return {name: (folder / name).read_bytes() for name in names}


@pytest.fixture(scope="session")
def tiny_resnet_file() -> bytes:
    """Random weights of timm's test_resnet, as a hub holds them."""
    import timm
    from safetensors.torch import save

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        return save(timm.create_model("test_resnet", pretrained=False).state_dict())
