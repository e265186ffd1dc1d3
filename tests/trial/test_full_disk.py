"""What a run folder says when the disk takes no more, and when its files come back damaged."""

from __future__ import annotations

import errno

import numpy as np
import pytest
import torch

from autotl.backbones.weights import read_weights, write_weights
from autotl.data.dataset import Splits
from autotl.errors import RunError, StorageError
from autotl.trial import run_folder
from autotl.trial.run_folder import RunFolder, free_folder, new_folder


def test_weights_that_do_not_fit_on_the_disk(tmp_path, files_of_at_most):
    path = tmp_path / "model.safetensors"
    write_weights(path, {"w": torch.ones(3)})
    with files_of_at_most(1000), pytest.raises(StorageError) as caught:
        write_weights(path, {"w": torch.zeros(10_000)})
    assert str(caught.value) == (
        f"cannot write a file; found {path} (File too large). Choose a disk that takes files of this size."
    )
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert read_weights(path)["w"].tolist() == [1, 1, 1]


def test_a_record_that_does_not_fit_on_the_disk(tmp_path, files_of_at_most):
    run = RunFolder(tmp_path)
    run.write_json("run.json", {"kept": True})
    with files_of_at_most(100), pytest.raises(StorageError) as caught:
        run.write_json("run.json", {"long": "x" * 1000})
    assert str(caught.value).startswith(
        f"cannot write a file; found {tmp_path / 'run.json'} (File too large)"
    )
    assert run.record("kept") == {"kept": True}
    assert [file.name for file in tmp_path.iterdir()] == ["run.json"]


def test_a_full_disk_is_answered_with_what_to_do(tmp_path, monkeypatch):
    def full(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises(StorageError) as caught:
        RunFolder(tmp_path).write_json("run.json", {})
    assert str(caught.value) == (
        f"cannot write a file; found {tmp_path / 'run.json'} (No space left on device). "
        "Free some space, or choose another disk."
    )


def test_damaged_weights_are_named(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"1234567890")
    with pytest.raises(RunError) as caught:
        read_weights(path)
    assert str(caught.value) == (
        f"{path} is damaged; found Error while deserializing header: header too large. "
        "Export another trial: autotl leaderboard RUN"
    )


@pytest.mark.parametrize(
    ("content", "found"),
    [(None, "no splits.npz"), (b"xx", "no arrays of rows"), (b"PK", "no arrays of rows")],
)
def test_missing_and_damaged_splits_are_named(tmp_path, content, found):
    if content is not None:
        (tmp_path / "splits.npz").write_bytes(content)
    with pytest.raises(RunError) as caught:
        RunFolder(tmp_path).read_splits()
    assert str(caught.value) == (
        f"cannot read {tmp_path / 'splits.npz'}; found {found}. Begin a new run with another --out."
    )


def test_splits_are_read_as_they_were_written(tmp_path):
    run = RunFolder(tmp_path)
    run.write_splits(Splits(np.arange(3), np.array([3]), np.array([4, 5])))
    found = run.read_splits()
    assert [part.tolist() for part in (found.train, found.val, found.test)] == [[0, 1, 2], [3], [4, 5]]


def fail_in(run: RunFolder, leaves: bool) -> None:
    with run.created():
        if leaves:
            run.write_json("run.json", {})
        raise RuntimeError("stop")


def test_a_new_folder_in_which_nothing_came_to_lie_is_removed_again(tmp_path):
    for name, leaves in (("empty", False), ("full", True), ("old", False)):
        if name == "old":
            (tmp_path / name).mkdir()
        with pytest.raises(RuntimeError, match="stop"):
            fail_in(RunFolder(tmp_path / name), leaves)
    assert {path.name for path in tmp_path.iterdir()} == {"full", "old"}


def test_two_runs_begun_in_one_second_have_folders_of_their_own(tmp_path):
    free_folder(tmp_path / "run").mkdir()
    assert free_folder(tmp_path / "run") == tmp_path / "run-2"


def test_a_folder_that_another_process_has_just_made_is_left_to_it(tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    seen = iter([tmp_path / "run", tmp_path / "run-2"])
    monkeypatch.setattr(run_folder, "free_folder", lambda path: next(seen))
    with new_folder(tmp_path / "run") as made:
        assert made == tmp_path / "run-2"
        (made / "run.json").write_text("{}")
    assert (made / "run.json").is_file()
