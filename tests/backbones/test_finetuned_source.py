"""The network that a run has fine-tuned is loaded by the next one, and no other."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from autotl.backbones.catalogue import catalogue
from autotl.backbones.load import availability, load
from autotl.backbones.sources.finetuned import finetuned, recorded
from autotl.errors import BackboneError, BackboneUnavailableError, StorageError

NAMES = {"image": "efficientnet-lite0", "text": "all-minilm-l6-v2"}


@pytest.fixture(params=["image", "text"])
def base(request):
    info = next(
        info for info in catalogue(request.param).values() if info.name.startswith(NAMES[request.param][:12])
    )
    if not availability(info, offline=True).available:
        pytest.skip(f"{info.name} is not installed")
    return info


@pytest.fixture
def tuned(base, tmp_path):
    backbone = load(base, offline=True)
    with torch.no_grad():
        for weight in backbone.module.parameters():
            weight.add_(0.01)
    return backbone, finetuned(base, backbone.module, tmp_path / "network.safetensors", "base@run")


def test_the_weights_come_back_under_a_name_of_their_own(base, tuned, tmp_path):
    backbone, info = tuned
    assert (info.name, info.source, info.licence) == ("base@run", "finetuned", base.licence)
    assert info.prior == base.prior, "the baseline stays on what was pretrained"
    assert recorded(tmp_path / "network.safetensors") == info
    assert availability(info, offline=True).available
    again = load(info, offline=True)
    assert again.info.name == "base@run"
    assert not again.module.training
    state = again.module.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in backbone.module.state_dict().items())
    assert again.assets() == backbone.assets()


def test_a_network_whose_folder_was_moved_is_where_it_is_now(tuned, tmp_path, monkeypatch):
    moved = tmp_path / "moved"
    moved.mkdir()
    for path in tmp_path.glob("network.*"):
        path.rename(moved / path.name)
    monkeypatch.chdir(tmp_path)
    assert recorded(Path("moved/network.safetensors")).reference == str(moved / "network.safetensors")


def test_without_pretrained_weights_it_is_random(tuned):
    backbone, info = tuned
    first = next(iter(load(info, offline=True, pretrained=False).module.parameters()))
    assert not torch.equal(first, next(iter(backbone.module.parameters())))


def test_nothing_is_recorded_where_nothing_was_kept(tmp_path):
    assert recorded(tmp_path / "network.safetensors") is None
    (tmp_path / "network.json").write_text(json.dumps({"name": "x"}))
    with pytest.raises(BackboneError, match=r"network.json is malformed; found KeyError"):
        recorded(tmp_path / "network.safetensors")


def test_weights_that_are_gone_or_torn_are_told(tuned, tmp_path):
    info = tuned[1]
    path = tmp_path / "network.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(BackboneError, match=r"the weights at .* do not fit"):
        load(info, offline=True)
    path.unlink()
    assert not availability(info, offline=True).available
    with pytest.raises(BackboneUnavailableError, match=r"cannot load a fine-tuned network; found nothing at"):
        load(replace(info), offline=True)


def test_a_network_that_does_not_fit_on_the_disk(base, tmp_path, files_of_at_most):
    backbone, path = load(base, offline=True), tmp_path / "network.safetensors"
    with files_of_at_most(10_000), pytest.raises(StorageError, match="cannot write a file"):
        finetuned(base, backbone.module, path, "base@run")
    assert list(tmp_path.iterdir()) == []
