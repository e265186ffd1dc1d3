"""Arrays from anywhere take no more memory than is meant for them, whatever a file says of itself."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from autotl.errors import BundleError
from autotl.serve.arrays import MOST_ARRAYS, read_arrays

MIB = 2**20


def archive(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def npy(array: np.ndarray, **head: object) -> bytes:
    """An array as npy, its head changed."""
    stream = io.BytesIO()
    said = {"descr": array.dtype.str, "fortran_order": False, "shape": array.shape, **head}
    np.lib.format.write_array_header_1_0(stream, said)
    return stream.getvalue() + array.tobytes()


def peak_bytes(path: Path) -> int:
    """Most memory that refusing a file takes."""
    tracemalloc.start()
    try:
        with pytest.raises(BundleError):
            read_arrays(path)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_arrays_come_back_as_they_were_saved(tmp_path):
    arrays = {
        "a": np.arange(6, dtype=np.int32).reshape(2, 3),
        "b": np.asfortranarray(np.eye(3, dtype=np.float16)),
        "text": np.array(["grün", ""]),
        "scalar": np.array(2.5),
        "empty": np.zeros((0, 4), np.float32),
    }
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    found = read_arrays(tmp_path / "a.npz")
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_a_small_file_does_not_become_a_large_one(tmp_path):
    path = archive(tmp_path / "bomb.npz", {"a.npy": npy(np.zeros(0, np.uint8), shape=(600 * MIB,))})
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as file, file.open("b.npy", "w") as member:
        for _ in range(600):
            member.write(bytes(MIB))
    assert path.stat().st_size < MIB
    with pytest.raises(
        BundleError, match=r"bomb\.npz is too large; found 2 arrays of 629,.* at most 64 of 536"
    ):
        read_arrays(path)
    assert peak_bytes(path) < MIB


def test_arrays_are_counted_too(tmp_path):
    members = {f"{i}.npy": npy(np.zeros(1)) for i in range(MOST_ARRAYS + 1)}
    with pytest.raises(BundleError, match="is too large; found 65 arrays"):
        read_arrays(archive(tmp_path / "many.npz", members))


@pytest.mark.parametrize(
    ("shape", "kind"),
    [((10**12,), "<f4"), ((2**62, 2**62), "<f4"), ((3,), "<f4"), ((10**18,), "<U0"), ((-1, -4), "<f4")],
)
def test_a_head_that_promises_other_than_what_follows_is_refused(tmp_path, shape, kind):
    content = npy(np.zeros(4, np.float32), shape=shape, descr=kind)
    path = archive(tmp_path / "a.npz", {"a.npy": content})
    with pytest.raises(BundleError, match=r"a\.npz is malformed; found ValueError"):
        read_arrays(path)
    assert peak_bytes(path) < MIB


MALFORMED = {
    "empty": b"",
    "no archive": b"no archive",
    "torn": b"PK\x03\x04 torn",
    "no array": {"a.txt": b"text"},
    "no head": {"a.npy": b""},
    "another version": {"a.npy": b"\x93NUMPY\x09\x00" + bytes(100)},
    "a head that is no literal": {"a.npy": b"\x93NUMPY\x01\x00\x04\x00(((\n"},
    "a head without end": {"a.npy": b"\x93NUMPY\x01\x00\xff\xff{"},
}


@pytest.mark.parametrize("content", MALFORMED.values(), ids=list(MALFORMED))
def test_what_holds_no_arrays_is_named(tmp_path, content):
    path = tmp_path / "a.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        archive(path, content)
    with pytest.raises(BundleError, match=r"a\.npz is malformed"):
        read_arrays(path)


def test_content_that_cannot_be_inflated_is_named(tmp_path):
    path = archive(tmp_path / "a.npz", {"a.npy": npy(np.random.default_rng(0).random(100))})
    content = bytearray(path.read_bytes())
    content[60:90] = bytes(30)
    path.write_bytes(content)
    with pytest.raises(BundleError, match=r"a\.npz is malformed; found error"):
        read_arrays(path)


def test_objects_of_python_are_never_read(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.array([{}]), allow_pickle=True)
    with pytest.raises(BundleError, match=r"a\.npy holds objects"):
        read_arrays(tmp_path / "a.npz")
