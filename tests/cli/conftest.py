"""A command line to call, and bundles small enough to be written by hand."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from typer.testing import CliRunner, Result

from autotl.cli import app
from autotl.serve.bundle import FORMAT_VERSION, manifest_sha256

Call = Callable[..., Result]


@pytest.fixture
def call() -> Call:
    """Run `autotl ARGUMENTS` in this process; `result.stdout`, `result.stderr`, `result.exit_code`."""

    def run(*arguments: object, stdin: str | None = None) -> Result:
        result = CliRunner().invoke(app, [str(a) for a in arguments], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


def _graph(output: str, classes: int) -> onnx.ModelProto:
    """Mean brightness b in [0, 1]; gives b itself, or the softmax or sigmoid of (8 - 16 b, 16 b - 8)."""
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "axes"], ["mean"], keepdims=0),
        helper.make_node("Div", ["mean", "full"], ["bright"]),
        helper.make_node("Unsqueeze", ["bright", "one"], ["features"]),
    ]
    if output == "values":
        nodes.append(helper.make_node("Identity", ["bright"], ["values"]))
        shape: list[Any] = ["batch"]
    else:
        activation = "Softmax" if output == "softmax" else "Sigmoid"
        nodes.append(helper.make_node("Gemm", ["features", "weight", "bias"], ["raw"]))
        nodes.append(helper.make_node(activation, ["raw"], ["probabilities"]))
        shape = ["batch", classes]
    name = "values" if output == "values" else "probabilities"
    constants = {
        "axes": np.array([1, 2, 3], np.int64),
        "one": np.array([1], np.int64),
        "full": np.array(255.0, np.float32),
        "weight": np.array([[-16.0, 16.0]], np.float32),
        "bias": np.array([8.0, -8.0], np.float32),
    }
    graph = helper.make_graph(
        nodes,
        "brightness",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", "height", "width", 3])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape),
            helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", 1]),
        ],
        [numpy_helper.from_array(value, key) for key, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


@pytest.fixture
def make_bundle(tmp_path: Path) -> Callable[[str], Path]:
    """Write a bundle that looks at brightness; for "multiclass", "multilabel" or "regression"."""

    def make(kind: str = "multiclass") -> Path:
        folder = tmp_path / f"bundle-{kind}"
        folder.mkdir()
        classes = [] if kind == "regression" else ["dark", "bright"]
        output = {"multiclass": "softmax", "multilabel": "sigmoid", "regression": "values"}[kind]
        content = _graph(output, 2).SerializeToString()
        (folder / "model.onnx").write_bytes(content)
        metric = {"multiclass": "accuracy", "multilabel": "macro_f1", "regression": "r2"}[kind]
        manifest = {
            "format": "autotl-bundle",
            "format_version": FORMAT_VERSION,
            "task": {"kind": kind, "classes": classes, "metric": metric, "target": "label"},
            "preprocessing": {
                "modality": "image",
                "options": {
                    "size": 32,
                    "fit": "squash",
                    "crop_share": 1.0,
                    "filter": "cubic",
                    "draft": 64,
                },
                "assets": [],
            },
            "columns": [],
            "outputs": ["values" if kind == "regression" else "probabilities", "features"],
            "files": {"model.onnx": {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}},
        }
        manifest["sha256"] = manifest_sha256(manifest)
        (folder / "bundle.json").write_text(json.dumps(manifest))
        return folder

    return make


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of class folders: six dark and six bright images, no two alike."""
    folder, rng = tmp_path / "images", np.random.default_rng(0)
    for name, level in (("dark", 0), ("bright", 200)):
        (folder / name).mkdir(parents=True)
        for number in range(6):
            blocks = level + rng.integers(0, 50, (8, 8, 3))
            pixels = blocks.repeat(4 + number, axis=0).repeat(5, axis=1)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{number}.png")
    return folder
