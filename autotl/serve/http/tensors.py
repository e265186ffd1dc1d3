"""The data of tensors in the Open Inference Protocol: from JSON lists or bytes to items, and back.

With the binary tensor data extension the bytes stand behind the JSON: little-endian, each BYTES element
after its length in 4 bytes.
"""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.errors import RequestError, TooLargeError
from autotl.modalities.modality import Item
from autotl.serve.http.contract import Contract, Tensor
from autotl.serve.http.documents import check_count, expect_object, kind_of
from autotl.serve.http.inputs import decode_base64
from autotl.serve.http.limits import Limits

Array = NDArray[Any]
BINARY_SIZE = "binary_data_size"
_LENGTH = struct.Struct("<I")


def items_of_tensor(
    contract: Contract, limits: Limits, files: bool, value: object, tail: memoryview
) -> list[Item]:
    """The inputs that the tensor of a request holds.

    Args:
        contract: What the model takes.
        limits: How many inputs, and how large images, are taken.
        files: Whether elements are contents of files, base64 in JSON, not texts.
        value: The tensor, as parsed.
        tail: The bytes behind the JSON.

    Raises:
        RequestError: It is not what the contract says.
        TooLargeError: It holds too much.
    """
    tensor = expect_object(value, "the input", ("name", "shape", "datatype"), ("parameters", "data"))
    known = {known.name: known for known in (contract.encoded, contract.pixels) if known is not None}
    wanted = known.get(tensor["name"]) if isinstance(tensor["name"], str) else None
    if wanted is None:
        raise RequestError("unknown input", found=repr(tensor["name"])[:80], expected=names_of(contract))
    if tensor["datatype"] != wanted.datatype:
        raise RequestError(
            f"wrong datatype of {wanted.name!r}",
            found=repr(tensor["datatype"])[:40],
            expected=wanted.datatype,
        )
    shape = _shape(wanted, tensor["shape"])
    check_count(shape[0], limits.items)
    size = parameters_of(tensor).get(BINARY_SIZE)
    if wanted is contract.pixels:
        return _pixels(shape, tensor, size, tail, limits)
    elements = _elements(wanted, shape, tensor, size, tail, files)
    if contract.columns == 1:
        return elements
    width = contract.columns
    return [tuple(elements[i : i + width]) for i in range(0, len(elements), width)]


def _shape(wanted: Tensor, shape: object) -> tuple[int, ...]:
    """The shape of a tensor, checked; a single column may have an axis of its own."""
    if isinstance(shape, list) and all(type(edge) is int and edge >= 0 for edge in shape):
        if len(shape) == 2 and wanted.shape == (-1,) and shape[1] == 1:
            return (shape[0],)
        fits = len(shape) == len(wanted.shape)
        if fits and all(edge in (-1, found) for edge, found in zip(wanted.shape, shape, strict=True)):
            return tuple(shape)
    raise RequestError(f"wrong shape of {wanted.name!r}", found=repr(shape)[:80], expected=list(wanted.shape))


def _pixels(
    shape: tuple[int, ...], tensor: dict[str, Any], size: object, tail: memoryview, limits: Limits
) -> list[Item]:
    count = math.prod(shape)
    if count == 0:
        raise RequestError("an image without pixels", found=list(shape), expected="edges of 1 or more")
    if shape[1] * shape[2] > limits.pixels:
        raise TooLargeError(
            "the images are too large",
            found=f"{shape[1] * shape[2]:,} pixels",
            expected=f"at most {limits.pixels:,}",
            hint="Scale them down first.",
        )
    if size is not None:
        _refuse_data(tensor)
        values = np.frombuffer(_binary(size, tail, count), np.uint8)
    else:
        values = _numbers(tensor.get("data"), count)
    return list(values.reshape(shape))


def _numbers(data: object, count: int) -> Array:
    """A flat or nested list of 0 to 255, as uint8."""
    flat = _flat(data)
    if len(flat) != count:
        raise _wrong_count(len(flat), count)
    if not all(type(value) is int and 0 <= value <= 255 for value in flat):
        raise RequestError("wrong data of an UINT8 tensor", expected="integers from 0 to 255")
    return np.array(flat, np.uint8)


def _elements(
    wanted: Tensor,
    shape: tuple[int, ...],
    tensor: dict[str, Any],
    size: object,
    tail: memoryview,
    files: bool,
) -> list[Any]:
    """Elements of a BYTES tensor in row-major order: contents of files as bytes, texts as strings."""
    count = math.prod(shape)
    if size is not None:
        _refuse_data(tensor)
        found = _byte_elements(_binary(size, tail, None), count)
        return [bytes(element) if files else _text(element, i) for i, element in enumerate(found)]
    flat = _flat(tensor.get("data"))
    if len(flat) != count:
        raise _wrong_count(len(flat), count)
    for i, element in enumerate(flat):
        if not isinstance(element, str):
            raise RequestError(f"element {i} is no string", found=kind_of(element), expected=wanted.datatype)
    return [decode_base64(element, f"element {i}") for i, element in enumerate(flat)] if files else flat


def _byte_elements(content: memoryview, count: int) -> list[memoryview]:
    elements: list[memoryview] = []
    start = 0
    while start < len(content) and len(elements) <= count:
        if start + _LENGTH.size > len(content):
            raise RequestError("a BYTES tensor is cut off", found=f"{len(content) - start} bytes of a length")
        (length,) = _LENGTH.unpack_from(content, start)
        start += _LENGTH.size
        if start + length > len(content):
            raise RequestError(
                "a BYTES tensor is cut off", found=f"{len(content) - start} bytes", expected=f"{length} bytes"
            )
        elements.append(content[start : start + length])
        start += length
    if len(elements) != count:
        raise _wrong_count(len(elements), count)
    return elements


def _text(element: memoryview, number: int) -> str:
    try:
        return str(element, "utf-8")
    except UnicodeDecodeError as error:
        raise RequestError(f"element {number} is not UTF-8", found=f"byte {error.start}") from error


def _binary(size: object, tail: memoryview, expected: int | None) -> memoryview:
    """The bytes of the one binary input."""
    if type(size) is not int or size != len(tail) or expected not in (None, size):
        raise RequestError(
            f"wrong {BINARY_SIZE}",
            found=f"{repr(size)[:40]}, and {len(tail)} bytes behind the JSON",
            expected=f"{len(tail) if expected is None else expected} for both",
            hint="The header Inference-Header-Content-Length says where the JSON ends.",
        )
    return tail


def _flat(data: object) -> list[Any]:
    """A list without its nesting, in row-major order."""
    if not isinstance(data, list):
        raise RequestError("a tensor has no data", found=kind_of(data), expected=f"a list, or {BINARY_SIZE}")
    while any(isinstance(value, list) for value in data):
        if not all(isinstance(value, list) for value in data):
            raise RequestError("the data of a tensor are ragged", expected="lists of one depth")
        data = [value for inner in data for value in inner]
    return data


def _refuse_data(tensor: dict[str, Any]) -> None:
    if "data" in tensor:
        raise RequestError("a tensor has data twice", found=f"data and {BINARY_SIZE}", expected="one of them")


def _wrong_count(found: int, expected: int) -> RequestError:
    return RequestError("the data do not fill the shape", found=f"{found} elements", expected=expected)


def packed(array: Array) -> bytes:
    """A tensor in binary form: float32, or strings where it is an object array."""
    if array.dtype != object:
        return array.astype("<f4").tobytes()
    encoded = [str(value).encode() for value in array.reshape(-1)]
    return b"".join(_LENGTH.pack(len(value)) + value for value in encoded)


def parameters_of(value: dict[str, Any]) -> dict[str, Any]:
    """The optional `parameters` of an object of the protocol.

    Raises:
        RequestError: They are no object.
    """
    parameters = value.get("parameters", {})
    if not isinstance(parameters, dict):
        raise RequestError("wrong parameters", found=kind_of(parameters), expected="an object")
    return parameters


def names_of(contract: Contract) -> str:
    """The names of the inputs that a model takes, for messages."""
    return " or ".join(repr(t.name) for t in (contract.encoded, contract.pixels) if t is not None)
