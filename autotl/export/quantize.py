"""Makes an int8 graph of an exported model: static for convolutions, dynamic for transformers.

Static quantization (activations with fixed ranges, QDQ form, weights a scale per channel: Jacob et al. 2018,
Krishnamoorthi 2018) is calibrated on training rows. In transformers the ranges of activations differ too much
from row to row, so they are taken at run time. The head keeps its precision: it is small, and decides.
"""

from __future__ import annotations

import collections
import logging
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from autotl.modalities.modality import Feeds

if TYPE_CHECKING:
    import onnx

STATIC, DYNAMIC = "static int8", "dynamic int8"
#: Dynamic but for products of what an activation function gives, whose rare large values cost accuracy.
CAREFUL = "dynamic int8 but for what follows activations"
_ACTIVATIONS = ("Gelu", "Relu", "Mul", "Sigmoid", "Tanh")
#: What runs in int8 in a convolutional network, so that whole chains stay there.
_CONVOLUTIONAL = ("Conv", "Clip", "Relu", "Add", "MaxPool", "GlobalAveragePool")
#: And of a transformer: products of activations with weights, and the table of tokens. The head is a Gemm.
_TRANSFORMER = ("MatMul", "Gather")


def methods_for(model: onnx.ModelProto) -> tuple[str, ...]:
    """How a graph may be quantized, by what most of its work is: the fastest way first."""
    count = collections.Counter(node.op_type for node in model.graph.node)
    return (STATIC,) if count["Conv"] > count["MatMul"] else (DYNAMIC, CAREFUL)


def quantize(model: onnx.ModelProto, method: str, calibration: Iterable[Feeds]) -> onnx.ModelProto:
    """Quantize an exported model.

    Args:
        model: Preprocessing and network in one graph.
        method: One of `methods_for` it.
        calibration: Inputs of some training rows, from which static ranges follow.

    Returns:
        A graph of the same inputs and outputs.
    """
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
                nodes_to_exclude=_after_activations(model) if method == CAREFUL else [],
                per_channel=True,
                weight_type=QuantType.QInt8,
            )
        else:
            quant_pre_process(source, ready, skip_symbolic_shape=True)
            quantize_static(
                ready,
                done,
                _Reader(calibration),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=list(_CONVOLUTIONAL),
                nodes_to_exclude=_before_convolutions(onnx.load(ready)),
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
            )
        quantized = onnx.load(done)
    onnx.checker.check_model(quantized)
    return quantized


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
    names: list[str] = []
    for node in model.graph.node:
        if node.op_type == "Conv":
            break
        names.append(node.name)
    return names


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
