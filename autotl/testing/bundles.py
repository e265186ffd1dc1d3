"""Bundles written by hand, whose reasons are known: one looks for red in images, one has a lexicon.

They are complete for everything that reads and runs bundles, and hold no answers for `autotl verify`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from autotl.modalities.preprocessing import PreprocessingSpec
from autotl.serve.bundle import FEATURES, FORMAT, FORMAT_VERSION, MANIFEST, MODEL, manifest_sha256, sha256_of
from autotl.task import Task, TaskKind, default_metric
from autotl.testing.backbones import write_tokenizer

Array = NDArray[Any]

#: Log-odds of an image that is all red.
_REDNESS = 40.0


def write_redness_bundle(folder: Path, kind: TaskKind = TaskKind.BINARY) -> Path:
    """A model whose first output grows with the share of red in an image, and nothing else.

    Classes are "red" and "grey"; a regression gives 40 for an image that is all red. Features (B, 3) are the
    mean colours.
    """
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "axes"], ["mean"], keepdims=0),
        helper.make_node("Div", ["mean", "full"], [FEATURES]),
        helper.make_node("MatMul", [FEATURES, "red"], ["raw"]),
    ]
    constants: dict[str, Array] = {
        "axes": np.array([1, 2], np.int64),
        "full": np.array(255.0, np.float32),
        "red": np.array([[1.0], [-0.5], [-0.5]], np.float32) * np.float32(_REDNESS),
    }
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["B", "H", "W", 3])
    options = {"size": 32, "fit": "squash", "crop_share": 1.0, "filter": "cubic", "draft": None}
    return _write(folder, kind, ("red", "grey"), [image], nodes, constants, 3, _spec("image", options))


def write_lexicon_bundle(
    folder: Path,
    weights: Mapping[str, float],
    kind: TaskKind = TaskKind.BINARY,
    *,
    columns: Sequence[str] = ("text",),
    max_length: int = 32,
) -> Path:
    """A model whose first output is the sum of the weights of the words in a text.

    Classes are "good" and "bad". Features (B, V) count each word of the vocabulary.

    Args:
        folder: Where to.
        weights: Of each lower-case word that the tokenizer knows.
        kind: Kind of task.
        columns: Columns of the table that it would have been trained on.
        max_length: Tokens that it reads, with two or three markers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = write_tokenizer(folder, list(weights))
    size = 4 + len(weights)
    nodes = [
        helper.make_node("OneHot", ["input_ids", "depth", "switch"], ["words"], axis=-1),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["seen"]),
        helper.make_node("Mul", ["words", "seen"], ["read"]),
        helper.make_node("ReduceSum", ["read", "axis"], [FEATURES], keepdims=0),
        helper.make_node("MatMul", [FEATURES, "lexicon"], ["raw"]),
    ]
    constants: dict[str, Array] = {
        "depth": np.array(size, np.int64),
        "switch": np.array([0, 1], np.float32),
        "last": np.array([-1], np.int64),
        "axis": np.array([1], np.int64),
        "lexicon": np.array([0, 0, 0, 0, *weights.values()], np.float32)[:, None],
    }
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["B", "T"])
        for name in ("input_ids", "attention_mask")
    ]
    spec = _spec("text", {"max_length": max_length, "prefix": ""}, tokenizer)
    return _write(folder, kind, ("good", "bad"), inputs, nodes, constants, size, spec, columns)


def reseal(folder: Path, change: Callable[[dict[str, Any]], object] = lambda manifest: None) -> None:
    """Let a bundle that was changed pass for one that was exported so.

    Args:
        folder: The bundle, with whatever files in it.
        change: Changes its manifest, in which the sha256 of each listed file is that of its content by then.
    """
    manifest = json.loads((folder / MANIFEST).read_text())
    for name, entry in manifest["files"].items():
        entry["sha256"] = sha256_of(folder / name)
    change(manifest)
    manifest["sha256"] = manifest_sha256(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))


def _spec(modality: str, options: dict[str, Any], *assets: Path) -> PreprocessingSpec:
    return PreprocessingSpec(modality, options, {path.name: path for path in assets})


def _write(
    folder: Path,
    kind: TaskKind,
    classes: tuple[str, str],
    inputs: list[Any],
    nodes: list[Any],
    constants: Mapping[str, Array],
    width: int,
    spec: PreprocessingSpec,
    columns: Sequence[str] = (),
) -> Path:
    """Graph and manifest; `raw` (B, 1) becomes what the kind of task asks for."""
    folder.mkdir(parents=True, exist_ok=True)
    primary = helper.make_tensor_value_info("values", TensorProto.FLOAT, ["B"])
    if kind is TaskKind.REGRESSION:
        nodes = [*nodes, helper.make_node("Squeeze", ["raw", "one"], ["values"])]
    else:
        squash = "Sigmoid" if kind is TaskKind.MULTILABEL else "Softmax"
        primary = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["B", 2])
        nodes = [
            *nodes,
            helper.make_node("MatMul", ["raw", "both"], ["logits"]),
            helper.make_node(squash, ["logits"], ["probabilities"]),
        ]
    constants = {**constants, "one": np.array([1], np.int64), "both": np.array([[0.5, -0.5]], np.float32)}
    features = helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, ["B", width])
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "by-hand", inputs, [primary, features], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    (folder / MODEL).write_bytes(model.SerializeToString())
    task = Task(kind, () if kind is TaskKind.REGRESSION else classes, default_metric(kind))
    manifest = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "task": task.to_json(),
        "preprocessing": spec.to_json(),
        "columns": list(columns),
        "outputs": [primary.name, FEATURES],
        "files": {name: {"sha256": sha256_of(folder / name)} for name in (MODEL, *spec.assets)},
    }
    manifest["sha256"] = manifest_sha256(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return folder
