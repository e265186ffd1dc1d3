"""Downloads go through the real client against a hub on loopback, and every byte is checked."""

from __future__ import annotations

import hashlib
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from huggingface_hub import hf_hub_download
from loopback_hub import LoopbackHub

from autotl.backbones.hub import fetch, forget_probe, hub_cache, reachable
from autotl.backbones.lock import LockEntry, lock_path, read_lock, record
from autotl.errors import BackboneError, BackboneUnavailableError, ChecksumError

REPOSITORY, WEIGHTS, CONFIG = "owner/net", "model.safetensors", "config.json"
BODY, SETTINGS = b"weights" * 1000, b'{"a": 1}'


def publish(hub: LoopbackHub, body: bytes = BODY) -> str:
    return hub.publish(REPOSITORY, {WEIGHTS: body, CONFIG: SETTINGS})


def test_a_first_download_records_revision_and_sha256(hub: LoopbackHub) -> None:
    commit = publish(hub)
    assert fetch(REPOSITORY, WEIGHTS).read_bytes() == BODY
    assert fetch(REPOSITORY, CONFIG).read_bytes() == SETTINGS
    entry = json.loads(lock_path().read_text())[f"{REPOSITORY}/{WEIGHTS}"]
    assert entry == {"revision": commit, "sha256": hashlib.sha256(BODY).hexdigest()}
    assert set(read_lock()) == {f"{REPOSITORY}/{WEIGHTS}", f"{REPOSITORY}/{CONFIG}"}


def test_a_second_run_takes_the_cache_and_asks_nothing(hub: LoopbackHub) -> None:
    publish(hub)
    first = fetch(REPOSITORY, WEIGHTS)
    asked = len(hub.requests)
    assert fetch(REPOSITORY, WEIGHTS) == first
    assert fetch(REPOSITORY, WEIGHTS, offline=True) == first
    assert len(hub.requests) == asked


def test_a_file_that_the_repository_lacks_is_named(hub: LoopbackHub) -> None:
    publish(hub)
    with pytest.raises(
        BackboneUnavailableError, match=r"tokenizer\.json is not in the cache and the repository has no"
    ):
        fetch(REPOSITORY, "tokenizer.json")
    assert not lock_path().exists()


def test_a_repository_that_the_hub_lacks_is_named(hub: LoopbackHub) -> None:
    with pytest.raises(BackboneUnavailableError, match="the hub has no such repository"):
        fetch("owner/other", WEIGHTS)


@pytest.mark.parametrize("file", [WEIGHTS, CONFIG])
def test_a_damaged_body_is_refused_and_removed(hub: LoopbackHub, file: str) -> None:
    publish(hub)
    hub.corrupted.add(file)
    with pytest.raises(ChecksumError) as caught:
        fetch(REPOSITORY, file)
    assert str(caught.value) == (
        f"the downloaded {REPOSITORY}/{file} is damaged; found {caught.value.found}; "
        f"expected {caught.value.expected}. The damaged copy was removed: run again."
    )
    assert caught.value.found != caught.value.expected
    assert not lock_path().exists()
    hub.corrupted.clear()
    assert fetch(REPOSITORY, file).read_bytes() in (BODY, SETTINGS)


def test_a_file_changed_on_disk_after_its_download_is_refused(hub: LoopbackHub) -> None:
    publish(hub)
    fetch(REPOSITORY, WEIGHTS).resolve().write_bytes(b"tampered")
    with pytest.raises(ChecksumError, match="is not the recorded one"):
        fetch(REPOSITORY, WEIGHTS)


def test_a_later_run_stays_at_the_recorded_revision(hub: LoopbackHub, monkeypatch, tmp_path: Path) -> None:
    publish(hub)
    fetch(REPOSITORY, WEIGHTS)
    publish(hub, b"newer weights")
    assert fetch(REPOSITORY, WEIGHTS).read_bytes() == BODY
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "empty"))
    assert fetch(REPOSITORY, WEIGHTS).read_bytes() == BODY


def test_files_fetched_later_come_from_the_revision_of_the_first(hub: LoopbackHub) -> None:
    publish(hub)
    config = fetch(REPOSITORY, CONFIG)
    publish(hub, b"newer weights")
    weights = fetch(REPOSITORY, WEIGHTS)
    assert weights.read_bytes() == BODY
    assert weights.parent == config.parent


def test_a_recorded_revision_that_is_gone_is_said(hub: LoopbackHub, monkeypatch, tmp_path: Path) -> None:
    commit = publish(hub)
    fetch(REPOSITORY, WEIGHTS)
    publish(hub, b"newer weights")
    hub.forget(REPOSITORY, commit)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "empty"))
    with pytest.raises(BackboneUnavailableError, match=f"the hub has no revision {commit}"):
        fetch(REPOSITORY, WEIGHTS)


def test_other_bytes_at_the_recorded_revision_are_refused(
    hub: LoopbackHub, monkeypatch, tmp_path: Path
) -> None:
    commit = publish(hub)
    fetch(REPOSITORY, WEIGHTS)
    hub.commits[REPOSITORY][commit][WEIGHTS] = b"forged weights"
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "empty"))
    with pytest.raises(ChecksumError, match="is not the recorded one"):
        fetch(REPOSITORY, WEIGHTS)


def test_a_file_that_another_program_cached_is_checked_and_recorded(hub: LoopbackHub) -> None:
    commit = publish(hub)
    hf_hub_download(REPOSITORY, WEIGHTS, cache_dir=hub_cache(), endpoint=hub.address)
    path = fetch(REPOSITORY, WEIGHTS, offline=True)
    assert read_lock()[f"{REPOSITORY}/{WEIGHTS}"].revision == commit
    lock_path().unlink()
    path.resolve().write_bytes(b"tampered")
    with pytest.raises(ChecksumError):
        fetch(REPOSITORY, WEIGHTS, offline=True)


def test_a_refused_connection_is_counted_offline_and_asked_once(caches: Path, monkeypatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(BackboneUnavailableError, match="does not answer"):
            fetch(REPOSITORY, WEIGHTS)
        start = time.monotonic()
        assert not any(reachable() for _ in range(100))
        assert time.monotonic() - start < 0.5
    forget_probe()


def test_a_hub_that_never_answers_costs_two_seconds(caches: Path, monkeypatch) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        start = time.monotonic()
        assert not reachable()
        assert time.monotonic() - start < 3.0
    forget_probe()


def test_a_hub_that_dies_after_the_probe_is_said(hub: LoopbackHub, monkeypatch) -> None:
    publish(hub)
    assert reachable()
    monkeypatch.setattr("autotl.backbones.hub.reachable", lambda: True)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(BackboneUnavailableError, match="the download failed"):
        fetch(REPOSITORY, WEIGHTS)


@pytest.mark.parametrize("value", ["1", "true", "ON"])
def test_the_offline_variable_keeps_the_network_out(hub: LoopbackHub, monkeypatch, value: str) -> None:
    publish(hub)
    monkeypatch.setenv("HF_HUB_OFFLINE", value)
    with pytest.raises(BackboneUnavailableError, match="this run is offline"):
        fetch(REPOSITORY, WEIGHTS)
    assert hub.requests == []


def test_the_offline_flag_keeps_the_network_out(hub: LoopbackHub) -> None:
    publish(hub)
    with pytest.raises(BackboneUnavailableError, match="Run once without --offline"):
        fetch(REPOSITORY, WEIGHTS, offline=True)
    assert hub.requests == []


def test_pickled_weights_are_never_asked_for(hub: LoopbackHub) -> None:
    hub.publish(REPOSITORY, {"pytorch_model.bin": b"pickle"})
    with pytest.raises(BackboneUnavailableError, match="pickled weights are never loaded"):
        fetch(REPOSITORY, "pytorch_model.bin")
    assert hub.requests == []


def test_a_broken_lock_file_is_named(hub: LoopbackHub) -> None:
    publish(hub)
    lock_path().parent.mkdir(parents=True)
    lock_path().write_text("{not json")
    with pytest.raises(BackboneError, match="cannot read the lock file of downloads"):
        fetch(REPOSITORY, WEIGHTS)


def test_without_the_lock_file_an_offline_run_takes_the_only_revision_there_is(hub: LoopbackHub) -> None:
    commit = publish(hub)
    path = fetch(REPOSITORY, WEIGHTS)
    lock_path().unlink()
    assert fetch(REPOSITORY, WEIGHTS, offline=True) == path
    assert read_lock()[f"{REPOSITORY}/{WEIGHTS}"].revision == commit
    lock_path().unlink()
    other = path.parent.with_name("f" * 40)
    other.mkdir()
    (other / WEIGHTS).write_bytes(BODY)
    with pytest.raises(BackboneUnavailableError, match="this run is offline"):
        fetch(REPOSITORY, WEIGHTS, offline=True)


def test_processes_that_record_at_once_keep_each_others_entries(caches: Path) -> None:
    names = [f"owner/net/{number}" for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: record(name, LockEntry("a", "b")), names))
    assert sorted(read_lock()) == names
