"""The catalogue is complete, true to timm, and says what each name means."""

from __future__ import annotations

from pathlib import Path

import pytest
from loopback_hub import Files, LoopbackHub

from autotl.backbones.catalogue import catalogue, parse_backbones
from autotl.backbones.load import load, resolve, sources
from autotl.backbones.measure import macs, parameters
from autotl.errors import BackboneError

PERMISSIVE = {"Apache-2.0", "MIT", "BSD-3-Clause"}


def test_it_lists_at_least_twenty_image_networks_and_twelve_text_encoders() -> None:
    assert len(catalogue("image")) >= 20
    assert len(catalogue("text")) >= 12
    assert len(catalogue()) == len(catalogue("image")) + len(catalogue("text"))


@pytest.mark.parametrize("info", catalogue().values(), ids=lambda info: info.name)
def test_every_entry_is_whole(info) -> None:
    assert info.source in sources()
    assert info.commercial == (info.licence in PERMISSIVE)
    assert info.parameters > 1e6
    assert info.macs > 1e7
    assert 0 < info.prior < 1
    assert info.pretraining
    if info.modality == "image":
        assert set(info.input) == {"size", "mean", "std", "filter", "crop_share", "fixed_size"}
        assert len(info.input["mean"]) == len(info.input["std"]) == 3
    else:
        assert set(info.input) == {"max_length", "prefix", "pooling"}
        assert info.input["pooling"] in ("mean", "cls")
        assert info.languages
    if info.source == "packaged":
        assert all(len(digest) == 64 for digest in info.sha256.values())
        assert info.sha256


def test_every_timm_entry_is_a_pretrained_network_that_timm_knows() -> None:
    import timm

    known = set(timm.list_pretrained())
    for info in catalogue("image").values():
        if info.source == "timm":
            facts = timm.get_pretrained_cfg(info.extra["architecture"])
            assert info.extra["architecture"] in known
            assert info.reference == facts.hf_hub_id
            assert list(facts.mean) == pytest.approx(info.input["mean"], abs=1e-5)
            assert (facts.license == "cc-by-nc-4.0") == (info.licence == "CC-BY-NC-4.0")
            assert (facts.license == "dinov3-license") == (info.licence == "other:dinov3-license")


def test_the_stated_size_of_a_network_is_its_size() -> None:
    info = catalogue("image")["mobilenetv3-small"]
    backbone = load(info, pretrained=False)
    assert parameters(backbone) == info.parameters
    assert macs(backbone) == info.macs


def test_a_name_of_the_catalogue_and_its_hub_id_are_the_same_backbone() -> None:
    info = catalogue("image")["resnet50"]
    assert resolve("resnet50", "image") is info
    assert resolve("timm/resnet50.a1_in1k", "image") is info
    assert resolve("hf:intfloat/e5-small-v2", "text").name == "e5-small"


def test_an_unknown_name_is_answered_with_close_ones() -> None:
    with pytest.raises(BackboneError, match="found 'resnet5'; expected perhaps resnet50"):
        resolve("resnet5", "image")


def test_an_unlisted_timm_network_is_described_by_timm() -> None:
    info = resolve("timm/test_resnet.r160_in1k", "image")
    assert (info.source, info.reference) == ("timm", "timm/test_resnet.r160_in1k")
    assert info.input["size"] == 160
    assert info.licence == "Apache-2.0"
    assert 1e5 < info.parameters < info.macs


def test_an_unlisted_hub_encoder_is_described_by_its_configuration(
    hub: LoopbackHub, tiny_bert_files: Files
) -> None:
    hub.publish("owner/tiny-bert", tiny_bert_files)
    info = resolve("hf:owner/tiny-bert", "text")
    assert info.input["max_length"] == 64
    assert info.parameters > 0
    assert info.licence == "other:unstated"
    assert load(info).feature_dim() == 16


def test_an_unlisted_hub_encoder_is_not_asked_for_offline(hub: LoopbackHub, tiny_bert_files: Files) -> None:
    hub.publish("owner/tiny-bert", tiny_bert_files)
    assert resolve("hf:owner/tiny-bert", "text", offline=True).parameters == 0
    assert hub.requests == []


def test_an_unlisted_hub_encoder_that_cannot_be_reached_still_has_a_name(caches: Path, monkeypatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert resolve("hf:owner/tiny-bert", "text").reference == "owner/tiny-bert"


@pytest.mark.parametrize(
    ("name", "modality", "message"),
    [
        ("timm/resnet_none", "image", "architecture 'resnet_none'"),
        ("timm/resnet18", "text", "timm has no text networks"),
        ("hf:a/b", "image", "hf: names text encoders"),
        ("local:/no/such/place", "image", "nothing at /no/such/place"),
    ],
)
def test_a_name_that_cannot_be_resolved_says_why(name: str, modality: str, message: str) -> None:
    with pytest.raises(BackboneError, match=message):
        resolve(name, modality)


def test_a_local_image_backbone_needs_an_architecture(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match="expected local:PATH:ARCHITECTURE"):
        resolve(f"local:{tmp_path}", "image")


def test_a_table_with_a_missing_and_an_unknown_field_is_named() -> None:
    table = {"name": "x", "source": "timm", "reference": "timm/x", "licence": "MIT", "colour": "red"}
    with pytest.raises(
        BackboneError, match="no commercial; no parameters; no macs; no input; unknown colour"
    ):
        parse_backbones([table], "image")
