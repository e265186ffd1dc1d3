"""A model repository for NVIDIA Triton Inference Server, with its ONNX Runtime backend."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from autotl.serve.bundle import BundleInfo
from autotl.serve.session import open_session
from autotl.task import TaskKind

_TYPES = {
    "tensor(uint8)": "TYPE_UINT8",
    "tensor(int64)": "TYPE_INT64",
    "tensor(int32)": "TYPE_INT32",
    "tensor(float)": "TYPE_FP32",
}
_MOST_ROWS = 32
_LABELS, _CARD = "labels.txt", "README.md"


def write(bundle: BundleInfo, folder: Path, name: str) -> str:
    """Write the repository of a bundle: FOLDER/NAME/config.pbtxt and FOLDER/NAME/1/model.onnx.

    Clients send what the graph takes: images as uint8 (H, W, 3), texts as token ids.

    Args:
        bundle: The bundle.
        folder: An empty folder.
        name: Name of the model.

    Returns:
        The command that serves it.
    """
    place = folder / name
    (place / "1").mkdir(parents=True)
    shutil.copyfile(bundle.model, place / "1" / "model.onnx")
    for file in (*bundle.spec.assets, _CARD):
        if file in bundle.files:
            shutil.copyfile(bundle.file(file), place / file)
    if bundle.task.classes:
        lines = (" ".join(label.split()) for label in bundle.task.classes)
        (place / _LABELS).write_text("\n".join(lines) + "\n", encoding="utf-8")
    (place / "config.pbtxt").write_text(_config(bundle, name), encoding="utf-8")
    return f"tritonserver --model-repository {folder}"


def _config(bundle: BundleInfo, name: str) -> str:
    session = open_session(bundle.model)
    has_labels = bundle.task.kind in (TaskKind.BINARY, TaskKind.MULTICLASS)
    lines = [
        f"name: {json.dumps(name)}",
        'backend: "onnxruntime"',
        'default_model_filename: "model.onnx"',
        f"max_batch_size: {_MOST_ROWS}",
    ]
    lines += [_tensor("input", value) for value in session.get_inputs()]
    for value in session.get_outputs():
        label = f'  label_filename: "{_LABELS}"\n' if has_labels and value.name == bundle.outputs[0] else ""
        lines.append(_tensor("output", value, label))
    lines.append("dynamic_batching { max_queue_delay_microseconds: 2000 }")
    return "\n".join(lines) + "\n"


def _tensor(kind: str, value: Any, more: str = "") -> str:
    """An input or output; the batch, its first axis, goes without saying, and a lone value is one long."""
    lengths = [edge if isinstance(edge, int) else -1 for edge in value.shape[1:]]
    dims = ", ".join(map(str, lengths or [1]))
    shape = "" if lengths else "  reshape { shape: [ ] }\n"
    return f"{kind} {{\n  name: {json.dumps(value.name)}\n  data_type: {_TYPES[value.type]}\n" + (
        f"  dims: [ {dims} ]\n{shape}{more}}}"
    )
