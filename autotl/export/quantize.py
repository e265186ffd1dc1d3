"""Makes smaller graphs of exported models: int8, static for convolutions, dynamic for transformers; and fp16.

Static quantization (activations with fixed ranges, QDQ form, weights a scale per channel: Jacob et al. 2018,
Krishnamoorthi 2018) is calibrated on training rows. In transformers the ranges of activations differ too much
from row to row, so they are taken at run time. The head, all that reads the features, keeps its precision: it
is small, and decides. What quantization moves the mean of the features by is taken off them again (bias
correction, Nagel et al. 2019, section 4.2, at the one place where it reaches the head).
"""

from __future__ import annotations

import collections
import logging
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from autotl.graph.compose import PREPARE
from autotl.modalities.modality import Feeds
from autotl.serve.bundle import FEATURES

if TYPE_CHECKING:
    import onnx

STATIC, DYNAMIC, HALF = "static int8", "dynamic int8", "fp16"
#: Dynamic but for products of what an activation function gives, whose rare large values cost accuracy.
CAREFUL = "dynamic int8 but for what follows activations"
_ACTIVATIONS = ("Gelu", "Relu", "Mul", "Sigmoid", "Tanh")
#: What runs in int8 in a convolutional network, so that whole chains stay there.
_CONVOLUTIONAL = ("Conv", "Clip", "Relu", "Add", "MaxPool", "GlobalAveragePool")
#: And of a transformer: products of activations with weights, and the table of tokens.
_TRANSFORMER = ("MatMul", "Gather")
#: What stays in single precision of the head.
_HEAD = ("Gemm", "Softmax", "Sigmoid")


def methods_for(model: onnx.ModelProto, form: str) -> tuple[str, ...]:
    """How a graph may be made smaller, by what most of its work is: the fastest way first.

    Args:
        model: The graph.
        form: "int8" or "fp16".
    """
    if form == HALF:
        return (HALF,)
    count = collections.Counter(node.op_type for node in model.graph.node)
    return (STATIC,) if count["Conv"] > count["MatMul"] else (DYNAMIC, CAREFUL)


def smaller(model: onnx.ModelProto, method: str, calibration: Iterable[Feeds]) -> onnx.ModelProto:
    """Make a smaller form of an exported model.

    Args:
        model: Preprocessing and network in one graph.
        method: One of `methods_for` it.
        calibration: Inputs of some training rows, from which static ranges follow.

    Returns:
        A graph of the same inputs and outputs.
    """
    import onnx

    made = _half(model) if method == HALF else _quantized(model, method, calibration)
    onnx.checker.check_model(made)
    return made


def corrected(model: onnx.ModelProto, shift: NDArray[np.float32]) -> onnx.ModelProto:
    """A graph whose features are less by so much, for its head as for whoever reads them.

    Args:
        model: A graph with the output "features", (B, F).
        shift: (F,) what is taken off.
    """
    import onnx
    from onnx import helper, numpy_helper

    found = onnx.ModelProto()
    found.CopyFrom(model)
    nodes = found.graph.node
    number, name = _features(found)
    before = f"{name}_before_correction"
    outputs = nodes[number].output
    outputs[list(outputs).index(name)] = before
    found.graph.initializer.append(numpy_helper.from_array(np.asarray(shift, np.float32), f"{name}_shift"))
    nodes.insert(number + 1, helper.make_node("Sub", [before, f"{name}_shift"], [name], f"{name}_correction"))
    onnx.checker.check_model(found)
    return found


def _features(model: onnx.ModelProto) -> tuple[int, str]:
    """The place of the node that makes the features, and the name under which the head reads them."""
    nodes = model.graph.node
    maker = {output: number for number, node in enumerate(nodes) for output in node.output}
    name = FEATURES
    while nodes[maker[name]].op_type in ("Cast", "Identity"):  # the head reads what is before
        name = nodes[maker[name]].input[0]
    return maker[name], name


def _head_of(model: onnx.ModelProto) -> list[str]:
    """Nodes that read the features; a Gemm also by the name of the MatMul that ONNX Runtime makes of it."""
    number, name = _features(model)
    reached, names = {name}, []
    for node in model.graph.node[number + 1 :]:
        if reached & set(node.input):
            reached |= set(node.output)
            names += [node.name, f"{node.name}_MatMul"]
    return names


def _half(model: onnx.ModelProto) -> onnx.ModelProto:
    """Weights and activations in half precision but for preprocessing, head and outputs."""
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    with _silent():
        made: onnx.ModelProto = convert_float_to_float16(
            model,
            keep_io_types=True,
            op_block_list=[*DEFAULT_OP_BLOCK_LIST, *_HEAD],
            node_block_list=[n.name for n in model.graph.node if n.name.startswith(PREPARE)],
        )
        OnnxModel(made).topological_sort()  # casts were put at the end
    return made


def _quantized(model: onnx.ModelProto, method: str, calibration: Iterable[Feeds]) -> onnx.ModelProto:
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_dynamic, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder, _silent():
        source, ready, done = (Path(folder) / f"{name}.onnx" for name in ("source", "ready", "done"))
        source.write_bytes(model.SerializeToString())
        if method != STATIC:
            quantize_dynamic(
                source,
                done,
                op_types_to_quantize=list(_TRANSFORMER),
                nodes_to_exclude=_head_of(model) + (_after_activations(model) if method == CAREFUL else []),
                per_channel=True,
                weight_type=QuantType.QInt8,
            )
        else:
            quant_pre_process(source, ready, skip_symbolic_shape=True)
            prepared = onnx.load(ready)
            quantize_static(
                ready,
                done,
                _Reader(calibration),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=list(_CONVOLUTIONAL),
                nodes_to_exclude=_before_convolutions(prepared) + _head_of(prepared),
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
            )
        return onnx.load(done)


class _Reader:
    """Gives ONNX Runtime the calibration inputs one by one."""

    def __init__(self, feeds: Iterable[Feeds]) -> None:
        self._feeds: Iterator[Feeds] = iter(feeds)

    def get_next(self) -> Feeds | None:
        """The next input, None at the end."""
        return next(self._feeds, None)


def _after_activations(model: onnx.ModelProto) -> list[str]:
    """Products of what an activation function gives."""
    made = {name: node.op_type for node in model.graph.node for name in node.output}
    products = [node for node in model.graph.node if node.op_type == "MatMul"]
    return [node.name for node in products if made.get(node.input[0]) in _ACTIVATIONS]


def _before_convolutions(model: onnx.ModelProto) -> list[str]:
    """Nodes ahead of the first convolution: preprocessing stays exact."""
    names = [node.name for node in model.graph.node]
    first = next((number for number, node in enumerate(model.graph.node) if node.op_type == "Conv"), 0)
    return names[:first]


@contextmanager
def _silent() -> Iterator[None]:
    """Keep advice that was heeded, or is meant for other uses, from the console."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
