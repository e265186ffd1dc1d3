"""What /openapi.json says of bodies and answers: exact for the served bundle, with examples that work."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

from autotl.serve.bundle import BundleInfo
from autotl.serve.http.contract import Contract, Tensor
from autotl.serve.http.inputs import BINARY, CSV, FIELD, FORM, JSON, takes_files
from autotl.serve.http.limits import Limits
from autotl.task import Task, TaskKind

Schema = dict[str, Any]
#: Format of strings that hold a file in base64.
FILE_FORMAT = "base64-file"
_TEXT = "It works as it should."
_FAILURE: Schema = {
    "type": "object",
    "properties": {
        "error": {"type": "string", "description": "What failed."},
        "found": {"type": "string"},
        "expected": {"type": "string"},
        "hint": {"type": "string"},
    },
    "required": ["error"],
}
_FAILURES = {
    400: "The request is malformed.",
    413: "The request, or an input in it, is too large.",
    415: "The content type is not taken.",
    422: "An input cannot be decoded.",
    429: "The server is busy; Retry-After says when to come again.",
    500: "The server is at fault.",
    504: "The request took too long.",
}
_BYTES_NOTE = "Elements in row-major order: texts, or files in base64."
_CSV_NOTE = "A header with the columns of the bundle, others are ignored; then a line an input."
_STRING: Schema = {"type": "string"}
_SHAPE: Schema = {"type": "array", "items": {"type": "integer"}}


def json_answer(
    schema: Schema, *, failures: bool = False, missing: bool = False, unready: bool = False
) -> dict[int | str, Schema]:
    """Responses of a route that answers JSON.

    Args:
        schema: Of the answer.
        failures: Whether a body is read, with all that can be wrong with one.
        missing: Whether the path names a model that may not be there.
        unready: Whether it says that the server does not work, by 503.
    """
    answers: dict[int | str, Schema] = {200: _described("The answer.", schema)}
    if failures:
        answers |= {status: _described(text, _FAILURE) for status, text in _FAILURES.items()}
        answers[429]["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}
    if missing:
        answers[404] = _described("There is no such model.", _FAILURE)
    if unready:
        answers[503] = _described("It does not work.", schema)
    return answers


def boolean_answer(name: str, *, missing: bool = False) -> dict[int | str, Schema]:
    """Responses of a route that says whether something is so."""
    properties: Schema = {name: {"type": "boolean"}}
    if missing:
        properties["name"] = _STRING
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return json_answer(schema, missing=missing, unready=True)


def predict_schema(task: Task) -> Schema:
    """The answer of /predict."""
    share: Schema = {"type": "number", "minimum": 0, "maximum": 1}
    label: Schema = {"type": "string", "enum": list(task.classes)}
    every: Schema = {"type": "object", "properties": dict.fromkeys(task.classes, share)}
    row: Schema
    if task.kind is TaskKind.REGRESSION:
        row = {"properties": {"value": {"type": "number"}}, "required": ["value"]}
    elif task.kind is TaskKind.MULTILABEL:
        labels = {"type": "array", "items": label}
        row = {"properties": {"labels": labels, "probabilities": every}, "required": ["labels"]}
    else:
        properties = {"label": label, "confidence": share, "probabilities": every}
        row = {"properties": properties, "required": ["label", "confidence"]}
    rows = {"type": "array", "items": {"type": "object", "additionalProperties": False, **row}}
    properties = {"model": _STRING, "version": _STRING, "predictions": rows}
    return {"type": "object", "properties": properties, "required": list(properties)}


def predict_body(bundle: BundleInfo, limits: Limits) -> Schema:
    """The request body of /predict, by content type."""
    entry, example = _entry(bundle, limits)
    inputs = {"type": "array", "items": entry, "minItems": 1, "maxItems": limits.items}
    document = _closed({"inputs": inputs}, "inputs")
    content: Schema = {JSON: {"schema": document, "example": {"inputs": [example]}}}
    files = {"type": "array", "items": {"type": "string", "format": "binary"}, "minItems": 1}
    content[FORM] = {
        "schema": _closed({FIELD: files}, FIELD),
        "encoding": {FIELD: {"contentType": _part_type(bundle)}},
    }
    if not takes_files(bundle):
        columns = bundle.columns or ("text",)
        line = ",".join(f'"{_TEXT}"' for _ in columns)
        content[CSV] = {
            "schema": {"type": "string", "description": _CSV_NOTE},
            "example": f"{','.join(columns)}\n{line}\n",
        }
    return {"required": True, "content": content}


def infer_body(contract: Contract, limits: Limits, bundle: BundleInfo) -> Schema:
    """The request body of infer as JSON."""
    files = takes_files(bundle)
    width = contract.columns
    element = _file_schema(limits) if files else {"type": "string", "maxLength": limits.characters}
    tensors = [_tensor(contract.encoded, element, _BYTES_NOTE)]
    if contract.pixels is not None:
        grey = {"type": "integer", "minimum": 0, "maximum": 255}
        tensors.append(_tensor(contract.pixels, grey, "Values in row-major order, nested or flat."))
    names = {"type": "string", "enum": list(contract.outputs)}
    output = {"name": names, "parameters": _flags("binary_data")}
    document = _closed(
        {
            "id": {"type": "string", "pattern": "^[ -~]{0,128}$"},
            "parameters": _flags("binary_data_output"),
            "inputs": {"type": "array", "items": {"anyOf": tensors}, "minItems": 1, "maxItems": 1},
            "outputs": {
                "type": "array",
                "items": _closed(output, "name"),
                "minItems": 1,
                "uniqueItems": True,
            },
        },
        "inputs",
    )
    example = {
        "name": contract.encoded.name,
        "shape": [1, width] if width > 1 else [1],
        "datatype": contract.encoded.datatype,
        "data": [example_image() if files else _TEXT] * width,
    }
    return {"required": True, "content": {JSON: {"schema": document, "example": {"inputs": [example]}}}}


def _tensor(tensor: Tensor, element: Schema, note: str) -> Schema:
    """An input of infer; the data fill the shape, which no schema can say."""
    data = {
        "type": "array",
        "items": {"anyOf": [element, {"type": "array"}]},
        "minItems": 1,
        "description": note,
    }
    edges = {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1}
    properties = {
        "name": {"const": tensor.name},
        "datatype": {"const": tensor.datatype},
        "shape": {**edges, "description": f"{list(tensor.shape)}, where -1 is any number."},
        "data": data,
        "parameters": {"type": "object"},
    }
    return _closed(properties, "name", "shape", "datatype")


def _flags(name: str) -> Schema:
    return {"type": "object", "properties": {name: {"type": "boolean"}}}


def _closed(properties: Schema, *required: str) -> Schema:
    """An object without other members."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def infer_answer(contract: Contract) -> dict[int | str, Schema]:
    """Responses of infer."""
    tensor = {
        "type": "object",
        "properties": {
            "name": {"enum": list(contract.outputs)},
            "datatype": {"enum": ["FP32", "BYTES"]},
            "shape": _SHAPE,
            "data": {"type": "array"},
            "parameters": {"type": "object"},
        },
        "required": ["name", "datatype", "shape"],
    }
    properties: Schema = {
        "model_name": {"const": contract.name},
        "model_version": {"const": contract.version},
        "id": _STRING,
        "outputs": {"type": "array", "items": tensor},
    }
    required = ["model_name", "model_version", "outputs"]
    schema = {"type": "object", "properties": properties, "required": required}
    answers = json_answer(schema, failures=True, missing=True)
    answers[200]["content"][BINARY] = {"schema": {"type": "string", "format": "binary"}}
    return answers


def metadata_schema() -> Schema:
    """The answer of a model's metadata."""
    properties = {"name": _STRING, "datatype": _STRING, "shape": _SHAPE, "parameters": {"type": "object"}}
    tensor = {"type": "object", "properties": properties, "required": ["name", "datatype", "shape"]}
    tensors = {"type": "array", "items": tensor}
    described: Schema = {
        "name": _STRING,
        "versions": {"type": "array", "items": _STRING},
        "platform": _STRING,
        "inputs": tensors,
        "outputs": tensors,
    }
    return {"type": "object", "properties": described, "required": list(described)}


def server_schema() -> Schema:
    """The answer of the server's metadata."""
    described: Schema = {
        "name": _STRING,
        "version": _STRING,
        "extensions": {"type": "array", "items": _STRING},
    }
    return {"type": "object", "properties": described, "required": list(described)}


def model_parameters(contract: Contract, *, versioned: bool) -> list[Schema]:
    """The parameters of a model's path."""
    served = {"model": contract.name} | ({"version": contract.version} if versioned else {})
    return [
        {"name": name, "in": "path", "required": True, "schema": {"const": value}, "example": value}
        for name, value in served.items()
    ]


def example_image() -> str:
    """A grey PNG of 32 by 32 pixels, in base64."""
    rows = b"".join(b"\0" + b"\x80" * 32 for _ in range(32))
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", 32, 32, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    content = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + content).decode()


def _part_type(bundle: BundleInfo) -> str:
    """The content type of a file in a form."""
    if takes_files(bundle):
        return "image/*" if bundle.spec.modality == "image" else BINARY
    return CSV if len(bundle.columns) > 1 else "text/plain"


def _entry(bundle: BundleInfo, limits: Limits) -> tuple[Schema, Any]:
    """One of the "inputs", and an example of it."""
    if takes_files(bundle):
        return _file_schema(limits), example_image()
    columns = bundle.columns or ("text",)
    row = _row(columns, limits)
    if len(columns) > 1:
        return row, dict.fromkeys(columns, _TEXT)
    return {"anyOf": [row["properties"][columns[0]], row]}, _TEXT


def _row(columns: tuple[str, ...], limits: Limits) -> Schema:
    """A row of texts by column; others are ignored."""
    text: Schema = {"type": "string", "maxLength": limits.characters}
    return {"type": "object", "properties": dict.fromkeys(columns, text), "required": list(columns)}


def _file_schema(limits: Limits) -> Schema:
    return {"type": "string", "format": FILE_FORMAT, "maxLength": limits.body_bytes}


def _described(text: str, schema: Schema) -> Schema:
    return {"description": text, "content": {JSON: {"schema": schema}}}
