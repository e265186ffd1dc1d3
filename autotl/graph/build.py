"""Builds ONNX graphs by hand: preprocessing, and the operators around it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


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
