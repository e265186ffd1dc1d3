"""A bundle as a zip archive, made while it is sent: nothing is held in memory or left on disk."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from typing import IO

from autotl.serve.bundle import MANIFEST, BundleInfo
from autotl.serve.files import own_file

_CHUNK_BYTES = 2**20
#: The earliest time that a zip can hold, so that the same bundle gives the same archive.
_MOMENT = (1980, 1, 1, 0, 0, 0)


class _Pipe(io.RawIOBase):
    """Takes what is written, and gives it back once."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        part = bytes(data)  # type: ignore[call-overload]
        self._parts.append(part)
        return len(part)

    def take(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


def zipped(bundle: BundleInfo, folder: str) -> Iterator[bytes]:
    """The archive of a bundle, piece by piece.

    Files are stored as they are: weights hardly get smaller. All are opened before the first piece is made,
    so that a bundle that takes this one's place meanwhile is not mixed with it.

    Args:
        bundle: The bundle; it names the files.
        folder: Name of the folder in the archive.

    Raises:
        BundleError: A file is gone, or a link.
        OSError: A file cannot be read.
    """
    paths = [own_file(bundle.folder / MANIFEST), *(bundle.file(name) for name in bundle.files)]
    with ExitStack() as stack:
        files: list[tuple[str, IO[bytes]]] = [
            (path.name, stack.enter_context(path.open("rb"))) for path in paths
        ]
        return _pieces(stack.pop_all(), files, folder)


def _pieces(stack: ExitStack, files: list[tuple[str, IO[bytes]]], folder: str) -> Iterator[bytes]:
    pipe = _Pipe()
    with stack, zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED) as archive:
        for name, file in files:
            entry = zipfile.ZipInfo(f"{folder}/{name}", _MOMENT)
            entry.external_attr = 0o644 << 16
            with archive.open(entry, "w", force_zip64=True) as target:
                while chunk := file.read(_CHUNK_BYTES):
                    target.write(chunk)
                    yield pipe.take()
    yield pipe.take()
