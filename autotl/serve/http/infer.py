"""Reads inference requests of the Open Inference Protocol (KServe v2), and writes their answers."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from autotl.errors import RequestError
from autotl.modalities.modality import Item
from autotl.serve.http.contract import Contract
from autotl.serve.http.documents import expect_object, kind_of, parse_json
from autotl.serve.http.limits import Limits
from autotl.serve.http.tensors import BINARY_SIZE, Array, items_of_tensor, names_of, packed, parameters_of

_ID = re.compile(r"[ -~]{0,128}")


@dataclass(frozen=True)
class InferRequest:
    """What a client asks.

    Attributes:
        id: The client's own mark, given back.
        items: N inputs.
        outputs: Names of wanted outputs, each with whether it is wanted as bytes.
    """

    id: str | None
    items: list[Item]
    outputs: dict[str, bool]


def parse_infer(
    contract: Contract, limits: Limits, files: bool, content: bytes, header_bytes: int | None
) -> InferRequest:
    """Read a request.

    Args:
        contract: What the model takes and gives.
        limits: How many inputs are taken.
        files: Whether inputs are contents of files, base64 in JSON, not texts.
        content: The body.
        header_bytes: Length of the JSON in front of binary tensors (`Inference-Header-Content-Length`); None
            where the body is JSON alone.

    Raises:
        RequestError: It does not follow the protocol or the contract.
        TooLargeError: There are too many inputs.
    """
    if header_bytes is not None and not 0 <= header_bytes <= len(content):
        raise RequestError(
            "impossible Inference-Header-Content-Length", found=header_bytes, expected=f"0 to {len(content)}"
        )
    document = expect_object(
        parse_json(content if header_bytes is None else content[:header_bytes]),
        "the request",
        ("inputs",),
        ("id", "parameters", "outputs"),
    )
    inputs = document["inputs"]
    if not isinstance(inputs, list) or len(inputs) != 1:
        raise RequestError(
            "wrong inputs",
            found=f"{len(inputs)} tensors" if isinstance(inputs, list) else kind_of(inputs),
            expected=f"a list of one tensor, {names_of(contract)}",
        )
    tail = memoryview(b"" if header_bytes is None else content)[header_bytes or 0 :]
    items = items_of_tensor(contract, limits, files, inputs[0], tail)
    return InferRequest(_id(document), items, _outputs(contract, document))


def _id(document: dict[str, Any]) -> str | None:
    if "id" not in document:
        return None
    value = document["id"]
    if not (isinstance(value, str) and _ID.fullmatch(value)):
        raise RequestError(
            "impossible id", found=repr(value)[:80], expected="at most 128 printable ASCII characters"
        )
    return value


def _outputs(contract: Contract, document: dict[str, Any]) -> dict[str, bool]:
    """Wanted outputs, each with whether it goes as bytes."""
    binary = _flag(parameters_of(document), "binary_data_output", False)
    if "outputs" not in document:
        return dict.fromkeys(contract.default_outputs, binary)
    asked = document["outputs"]
    if not isinstance(asked, list) or not asked:
        raise RequestError("wrong outputs", found=kind_of(asked), expected="a list of names, or none at all")
    chosen: dict[str, bool] = {}
    for value in asked:
        output = expect_object(value, "an output", ("name",), ("parameters",))
        name = output["name"]
        if not isinstance(name, str) or name not in contract.outputs or name in chosen:
            raise RequestError(
                "unknown or repeated output", found=repr(name)[:80], expected=", ".join(contract.outputs)
            )
        chosen[name] = _flag(parameters_of(output), "binary_data", binary)
    return chosen


def write_infer(
    contract: Contract, request: InferRequest, arrays: dict[str, Array]
) -> tuple[bytes, int | None]:
    """The answer to a request.

    Args:
        contract: Says the datatypes.
        request: What was asked.
        arrays: By output name: float32 arrays, or for BYTES a list of strings as an object array.

    Returns:
        The body, and the length of its JSON where binary tensors follow (None where none do).
    """
    outputs: list[dict[str, Any]] = []
    tails: list[bytes] = []
    for name, binary in request.outputs.items():
        array = arrays[name]
        entry: dict[str, Any] = {
            "name": name,
            "datatype": contract.outputs[name].datatype,
            "shape": list(array.shape),
        }
        if binary:
            tails.append(packed(array))
            entry["parameters"] = {BINARY_SIZE: len(tails[-1])}
        else:
            entry["data"] = array.reshape(-1).tolist()
        outputs.append(entry)
    document: dict[str, Any] = {
        "model_name": contract.name,
        "model_version": contract.version,
        "outputs": outputs,
    }
    if request.id is not None:
        document["id"] = request.id
    head = json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
    return head + b"".join(tails), len(head) if tails else None


def _flag(parameters: dict[str, Any], name: str, default: bool) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise RequestError(f"wrong parameter {name}", found=kind_of(value), expected="true or false")
    return value
