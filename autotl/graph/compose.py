"""Joins two ONNX graphs into one: preprocessing first, the network behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from autotl.errors import ExportError
from autotl.graph.convert import IR_VERSION, OPSET

if TYPE_CHECKING:
    import onnx

#: What the names of the nodes of the first graph begin with, once they are joined; and those of the second.
PREPARE, _SECOND = "prepare/", "network/"


def merge(first: onnx.ModelProto, second: onnx.ModelProto) -> onnx.ModelProto:
    """Feed the outputs of `first` into the inputs of `second` that bear their names.

    Args:
        first: For instance a modality's graph with output "pixels".
        second: For instance a network with input "pixels".

    Returns:
        One model with the inputs of `first` and those of `second` that are still open, and the outputs of
        `second`; all under their own names, everything within prefixed.

    Raises:
        ExportError: No output of `first` is an input of `second`, or the opsets differ.
    """
    import onnx
    from onnx import compose

    given = [value.name for value in first.graph.output]
    wanted = [value.name for value in second.graph.input]
    joints = [name for name in given if name in wanted]
    if not joints:
        raise ExportError("two graphs do not fit", found=f"outputs {given}", expected=f"inputs {wanted}")
    model = compose.merge_models(
        _aligned(first),
        _aligned(second),
        io_map=[(name, name) for name in joints],
        outputs=[_SECOND + value.name for value in second.graph.output],
        prefix1=PREPARE,
        prefix2=_SECOND,
    )
    opsets = {entry.domain: entry.version for entry in model.opset_import}  # the joined model lists one twice
    del model.opset_import[:]
    model.opset_import.extend(onnx.helper.make_opsetid(*entry) for entry in opsets.items())
    ends = [value.name for value in [*model.graph.input, *model.graph.output]]
    _rename(model.graph, {name: _clean(name) for name in ends})
    for entry in [*first.metadata_props, *second.metadata_props]:
        if entry.key not in {kept.key for kept in model.metadata_props}:
            model.metadata_props.add(key=entry.key, value=entry.value)
    onnx.checker.check_model(model)
    return model


def _aligned(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy with the common IR version; another opset is an error."""
    copy = type(model)()
    copy.CopyFrom(model)
    copy.ir_version = IR_VERSION
    versions = {entry.domain or "ai.onnx": entry.version for entry in model.opset_import}
    if versions.get("ai.onnx") != OPSET:
        raise ExportError("a graph has another opset", found=versions, expected=f"ai.onnx {OPSET}")
    return copy


def _clean(name: str) -> str:
    return name.removeprefix(PREPARE).removeprefix(_SECOND)


def _rename(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    """Rename tensors throughout a graph and the graphs within its nodes."""
    for value in [*graph.input, *graph.output, *graph.value_info, *graph.initializer]:
        value.name = names.get(value.name, value.name)
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
        for attribute in node.attribute:
            for inner in [attribute.g, *attribute.graphs] if attribute.HasField("g") else attribute.graphs:
                _rename(inner, names)
