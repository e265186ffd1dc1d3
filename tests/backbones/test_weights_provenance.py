"""What identifies weights: the revision of a hub, and the sha256 of files, whatever the source."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from loopback_hub import Files, LoopbackHub

from autotl.backbones.backbone import BackboneInfo
from autotl.backbones.catalogue import catalogue
from autotl.backbones.load import load, resolve
from autotl.backbones.provenance import provenance
from autotl.backbones.sources.finetuned import finetuned

BERT = "owner/tiny-bert"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def text_info(source: str, reference: str) -> BackboneInfo:
    facts = {"max_length": 64, "prefix": "", "pooling": "mean"}
    return BackboneInfo("tiny", "text", source, reference, "Apache-2.0", True, 0, 0, facts)


def test_of_a_hub_the_revision_and_every_file_are_told(hub: LoopbackHub, tiny_bert_files: Files) -> None:
    hub.publish(BERT, tiny_bert_files)
    info = text_info("huggingface", BERT)
    load(info)
    found = provenance(info)
    assert found["revision"]
    assert found["sha256"] == {name: digest(content) for name, content in tiny_bert_files.items()}
    assert (found["source"], found["reference"], found["licence"]) == ("huggingface", BERT, "Apache-2.0")


def test_other_repositories_of_the_lock_file_are_not_told(hub: LoopbackHub, tiny_bert_files: Files) -> None:
    for name in (BERT, f"{BERT}-large"):
        hub.publish(name, tiny_bert_files)
        load(text_info("huggingface", name))
    assert set(provenance(text_info("huggingface", BERT))["sha256"]) == set(tiny_bert_files)


def test_of_a_package_the_recorded_files_are_told(caches: Path) -> None:
    info = catalogue("image")["efficientnet-lite0"]
    found = provenance(info)
    assert found["sha256"] == dict(info.sha256)
    assert found["revision"] is None


@pytest.fixture
def bert(caches: Path, tiny_bert_files: Files) -> BackboneInfo:
    """A backbone of the user's own."""
    folder = caches / "bert"
    folder.mkdir()
    for name, content in tiny_bert_files.items():
        (folder / name).write_bytes(content)
    return resolve(f"local:{folder}", "text")


def test_files_of_the_users_are_hashed(bert: BackboneInfo, tiny_bert_files: Files) -> None:
    assert provenance(bert)["sha256"] == {"model.safetensors": digest(tiny_bert_files["model.safetensors"])}


def test_weights_that_a_run_tuned_are_hashed(caches: Path, bert: BackboneInfo) -> None:
    path = caches / "run" / "tuned.safetensors"
    info = finetuned(replace(bert, name="base"), load(bert).module, path, "tuned")
    found = provenance(info)
    assert found["sha256"] == {"tuned.safetensors": digest(path.read_bytes())}
    assert found["source"] == "finetuned"
