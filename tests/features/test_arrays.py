"""Arrays on disk: rows in any order, present only when written, safe to open again."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from autotl.errors import StorageError
from autotl.features import arrays
from autotl.features.arrays import RaggedArray, RowArray, check_room


def written(array, rows, values):
    array.write(np.array(rows), np.array(values))
    array.commit()
    return array


def test_rows_are_missing_until_written(tmp_path):
    array = RowArray(tmp_path / "a", 5, (2,), np.float32)
    assert array.missing(np.arange(5)).tolist() == [0, 1, 2, 3, 4]
    written(array, [3, 1], [[3.0, 3.5], [1.0, 1.5]])
    assert array.missing(np.arange(5)).tolist() == [0, 2, 4]
    assert array.read(np.array([1, 3])).tolist() == [[1.0, 1.5], [3.0, 3.5]]


def test_what_was_written_is_there_when_opened_again(tmp_path):
    written(RowArray(tmp_path / "a", 5, (2,), np.float32), [2], [[7.0, 8.0]])
    again = RowArray(tmp_path / "a", 5, (2,), np.float32)
    assert again.missing(np.arange(5)).tolist() == [0, 1, 3, 4]
    assert again.read(np.array([2])).tolist() == [[7.0, 8.0]]


@pytest.mark.parametrize(("rows", "shape", "dtype"), [(6, (2,), "f4"), (5, (3,), "f4"), (5, (2,), "f2")])
def test_an_array_of_another_form_is_made_anew(tmp_path, rows, shape, dtype):
    written(RowArray(tmp_path / "a", 5, (2,), np.float32), [2], [[7.0, 8.0]])
    assert len(RowArray(tmp_path / "a", rows, shape, dtype).missing(np.arange(rows))) == rows


def test_a_torn_file_is_made_anew(tmp_path):
    written(RowArray(tmp_path / "a", 5, (2,), np.float32), [2], [[7.0, 8.0]])
    (tmp_path / "a.rows.npy").write_bytes(b"\x93NUMPY")
    assert len(RowArray(tmp_path / "a", 5, (2,), np.float32).missing(np.arange(5))) == 5


def test_ragged_rows_come_back_padded_with_zeros(tmp_path):
    array = RaggedArray(tmp_path / "r", np.array([1, 3, 2]), 2, np.float16)
    values = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    written(array, [1, 0], values)
    assert array.missing(np.arange(3)).tolist() == [2]
    read = array.read(np.array([0, 1]))
    assert read.shape == (2, 3, 2)
    assert read[1].tolist() == values[0].tolist()
    assert read[0].tolist() == [[6.0, 7.0], [0.0, 0.0], [0.0, 0.0]]


def test_a_full_disk_is_answered_before_anything_is_written(tmp_path, monkeypatch):
    array = RowArray(tmp_path / "a", 5, (2,), np.float32)
    needed = array.bytes_of(np.array([0, 3]))
    assert needed == 16
    check_room(tmp_path, needed)
    monkeypatch.setattr(arrays, "_DISK_RESERVE_BYTES", 2**60)
    with pytest.raises(StorageError, match=r"not enough disk space for cached features; found .* GiB free"):
        check_room(tmp_path, needed)
    check_room(tmp_path, 0)


def test_rows_that_are_absent_take_no_room(tmp_path):
    RowArray(tmp_path / "a", 10**6, (1000,), np.float32)
    assert (tmp_path / "a.npy").stat().st_blocks * 512 < 2**20
    lengths = np.array([1, 3, 2])
    assert RaggedArray(tmp_path / "r", lengths, 2, np.float16).bytes_of(np.array([0, 2])) == 3 * 2 * 2


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_was_read_or_written_does_not_stay_resident(tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "_RESIDENT_BYTES", 2**22)

    def resident_file_bytes():
        lines = Path("/proc/self/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("RssFile"))

    before = resident_file_bytes()
    array = RowArray(tmp_path / "large", 64, (2**18,), np.float32)  # 64 MiB
    for row in range(64):
        array.write(np.array([row]), np.full((1, 2**18), row, np.float32))
    array.commit()
    assert all((array.read(np.array([row])) == row).all() for row in range(64))
    assert resident_file_bytes() - before < 2**24
