"""Builds ONNX graphs by hand: preprocessing, and the operators around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autotl.graph.convert import IR_VERSION, OPSET

if TYPE_CHECKING:
    import onnx


class Builder:
    """Collects nodes and constants of a graph under construction.

    Attributes:
        nodes: Nodes in the order in which they were added.
        constants: What they take beside the graph's inputs.
    """

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(
        self, operator: str, inputs: list[str], *outputs: str, name: str | None = None, **attributes: Any
    ) -> None:
        """Add a node."""
        from onnx import helper

        name = name or f"{outputs[0]}_node"
        self.nodes.append(helper.make_node(operator, inputs, list(outputs), name=name, **attributes))

    def model(
        self, name: str, inputs: list[Any], outputs: list[Any], *, domain: str | None = None
    ) -> onnx.ModelProto:
        """The graph as a model, checked.

        Args:
            name: Of the graph.
            inputs: Its inputs, as `onnx.helper.make_tensor_value_info` gives them.
            outputs: Its outputs, likewise.
            domain: Of operators beside ONNX's own, whose shapes nobody can check.
        """
        import onnx
        from onnx import helper

        graph = helper.make_graph(self.nodes, name, inputs, outputs, self.constants)
        opsets = [helper.make_opsetid("", OPSET)]
        if domain is not None:
            opsets.append(helper.make_opsetid(domain, 1))
        made = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="autotl")
        onnx.checker.check_model(made, full_check=domain is None)
        return made

    def ints(self, *values: int) -> str:
        """The name of a constant (n,) int64."""
        return self.constant(np.array(values, np.int64))

    def scalar(self, value: float) -> str:
        """The name of a constant () float32."""
        return self.constant(np.array(value, np.float32))

    def bytes(self, content: bytes) -> str:
        """The name of a constant (n,) uint8."""
        return self.constant(np.frombuffer(content, np.uint8))

    def constant(self, value: NDArray[Any]) -> str:
        """The name of a constant."""
        from onnx import numpy_helper

        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(value, name))
        return name
