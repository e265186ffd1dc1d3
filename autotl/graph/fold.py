"""Works out, once and for all, what a graph would compute from shapes that never change.

Networks that pad "same" compute their paddings from the size of the input. The exporter writes these sums
down, because the batch is dynamic; ONNX Runtime repeats them at every run, and cannot join a padding that it
does not know with the convolution behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx

Array = NDArray[Any]
#: Most elements of what counts as a shape; weights are left alone.
_MOST_ELEMENTS = 64
#: Operators by which exporters compute with shapes.
_ARITHMETIC = frozenset(
    {
        *("Add", "Ceil", "Clip", "Div", "Equal", "Floor", "Max", "Min", "Mod", "Mul", "Neg", "Sub", "Where"),
        *("Cast", "Concat", "Constant", "ConstantOfShape", "Gather", "Identity", "Range", "ReduceProd"),
        *("Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"),
    }
)


def fold_shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """Replace what follows from fixed dimensions by constants.

    Args:
        model: A checked model; it is left as it is.

    Returns:
        A model of the same outputs with fewer nodes.
    """
    if all(node.op_type != "Pad" for node in model.graph.node):
        return model  # what else is computed from shapes costs nothing beside the network
    before = None
    while before is None or len(model.graph.node) < len(before.graph.node):
        # A padding that was worked out fixes the shapes behind it.
        before, model = model, _fold(model)
    return model


def _fold(model: onnx.ModelProto) -> onnx.ModelProto:
    import onnx
    from onnx import numpy_helper

    graph = onnx.shape_inference.infer_shapes(model).graph
    dimensions = {value.name: _dimensions(value) for value in [*graph.input, *graph.value_info]}
    known = {
        tensor.name: numpy_helper.to_array(tensor)
        for tensor in model.graph.initializer
        if int(np.prod(tensor.dims)) <= _MOST_ELEMENTS
    }
    shapes: dict[str, list[int | None]] = {}
    folded = onnx.ModelProto()
    folded.CopyFrom(model)
    del folded.graph.node[:]
    outputs = {value.name for value in model.graph.output}
    for node in model.graph.node:
        if node.op_type == "Shape" and not node.attribute:
            shapes[node.output[0]] = dimensions.get(node.input[0], [])
        value = None if outputs & set(node.output) else _value(node, shapes, known)
        if value is None:
            folded.graph.node.add().CopyFrom(node)
        else:
            known[node.output[0]] = value
    _drop_unused(folded.graph, known)
    return folded


def _dimensions(value: onnx.ValueInfoProto) -> list[int | None]:
    """Lengths of the axes of a tensor, None for one that varies."""
    axes = value.type.tensor_type.shape.dim
    return [axis.dim_value if axis.HasField("dim_value") else None for axis in axes]


def _value(
    node: onnx.NodeProto, shapes: Mapping[str, list[int | None]], known: Mapping[str, Array]
) -> Array | None:
    """What a node gives, where that never changes.

    Args:
        node: The node.
        shapes: What the shapes so far are, None for lengths that vary.
        known: What other nodes give.
    """
    if node.op_type == "Gather" and node.input[0] in shapes and node.input[1] in known:
        shape, index = shapes[node.input[0]], known[node.input[1]]
        picked = [shape[place] for place in index.ravel()] if shape else [None]
        return None if None in picked else np.array(picked, np.int64).reshape(index.shape)
    inputs = [name for name in node.input if name]
    if node.op_type not in _ARITHMETIC or len(node.output) != 1 or not all(name in known for name in inputs):
        return None
    from onnx.reference import ReferenceEvaluator

    found: Any = ReferenceEvaluator(node).run(None, {name: known[name] for name in inputs})
    value = np.asarray(found[0])
    return value if value.size <= _MOST_ELEMENTS else None


def _drop_unused(graph: onnx.GraphProto, known: Mapping[str, Array]) -> None:
    """Hold what was worked out as constants where nodes take it; drop what no node takes."""
    from onnx import numpy_helper

    used = _used(graph)
    while len(kept := [node for node in graph.node if used & set(node.output)]) < len(graph.node):
        del graph.node[:]
        graph.node.extend(kept)
        used = _used(graph)
    constants = [tensor for tensor in graph.initializer if tensor.name in used]
    have = {tensor.name for tensor in constants}
    constants += [
        numpy_helper.from_array(value, name)
        for name, value in known.items()
        if name in used and name not in have
    ]
    del graph.initializer[:]
    graph.initializer.extend(constants)


def _used(graph: onnx.GraphProto) -> set[str]:
    """Names that nodes of a graph take, those of graphs within nodes included."""
    names = {value.name for value in graph.output}
    for node in graph.node:
        names.update(node.input)
        for attribute in node.attribute:
            for inner in [*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])]:
                names |= _used(inner)
    return names
