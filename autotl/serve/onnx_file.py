"""Whether an ONNX file is a lone one: its weights can say that they lie in other files, anywhere on the disk.

ONNX Runtime opens those. New versions of it refuse paths that lead out of the model's folder; here all other
files are, in every version, and without the package onnx: only tags of the protobuf are read, never weights.
"""

from __future__ import annotations

import mmap
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from autotl.errors import BundleError
from autotl.serve.files import EXPORT_AGAIN

#: Where tensors can stand: by message, the messages in it by their field numbers (onnx.proto, IR version 14).
_WITHIN: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
#: Field of a tensor that is not 0 where its values lie in another file.
_DATA_LOCATION = 14
#: Deeper graphs within graphs are written by no exporter.
_MOST_DEPTH = 64
_VARINT, _FIXED64, _MESSAGE, _FIXED32 = 0, 1, 2, 5


class _Field(NamedTuple):
    """A field of a message: its number, and its value, or where its bytes start and end."""

    number: int
    value: int
    start: int
    stop: int


def refuse_other_files(path: Path) -> None:
    """Let a graph pass only where all of it is in the file.

    Raises:
        BundleError: It names another file, or is no ONNX file.
    """
    try:
        with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            names_others = _names_others(content)
    except (OSError, ValueError) as error:  # an empty file cannot be mapped
        raise BundleError(
            f"{path} is no ONNX file", found=str(error), expected="a graph", hint=EXPORT_AGAIN
        ) from error
    if names_others:
        raise BundleError(
            f"{path} names another file", found="weights that lie elsewhere", expected="a lone file"
        )


def _names_others(content: Any) -> bool:
    pending = [("model", 0, len(content), 0)]
    while pending:
        kind, start, stop, depth = pending.pop()
        if depth > _MOST_DEPTH:
            raise ValueError("graphs nested too deeply")
        for field in _fields(content, start, stop, _WITHIN[kind] or (_DATA_LOCATION,)):
            if kind != "tensor":
                pending.append((_WITHIN[kind][field.number], field.start, field.stop, depth + 1))
            elif field.value:
                return True
    return False


def _fields(content: Any, position: int, stop: int, wanted: Container[int]) -> Iterator[_Field]:
    """The fields of certain numbers of the message that lies between two positions.

    Raises:
        ValueError: It is no protobuf.
    """
    while position < stop:
        tag, position = _varint(content, position, stop)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, position = _varint(content, position, stop)
            if number in wanted:
                yield _Field(number, value, position, position)
            continue
        if wire == _MESSAGE:
            length, position = _varint(content, position, stop)
        elif wire in (_FIXED64, _FIXED32):
            length = 8 if wire == _FIXED64 else 4
        else:
            raise ValueError(f"a field of the kind {wire}")
        if position + length > stop:
            raise ValueError("a message that is cut off")
        if wire == _MESSAGE and number in wanted:
            yield _Field(number, 0, position, position + length)
        position += length


def _varint(content: Any, position: int, stop: int) -> tuple[int, int]:
    """A number of variable length, and the position behind it."""
    if position < stop and content[position] < 0x80:  # as nearly all are
        return content[position], position + 1
    value = 0
    for shift in range(0, 70, 7):
        if position >= stop:
            raise ValueError("a number that is cut off")
        byte = content[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("a number that does not end")
