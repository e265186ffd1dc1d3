"""Which folder downloads are locked in."""

from __future__ import annotations

from pathlib import Path

from autotl.backbones.cache_dir import cache_at, cache_dir
from autotl.backbones.lock import LockEntry, lock_path, read_lock, record


def test_a_chosen_folder_comes_before_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOTL_CACHE_DIR", str(tmp_path / "environment"))
    with cache_at(tmp_path / "chosen"):
        record("team/network/model.safetensors", LockEntry("0" * 40, "1" * 64))
        assert lock_path() == tmp_path / "chosen" / "backbones.lock.json"
    assert (tmp_path / "chosen" / "backbones.lock.json").is_file()
    assert cache_dir() == Path(tmp_path / "environment")
    assert read_lock() == {}
