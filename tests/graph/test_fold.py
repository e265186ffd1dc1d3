"""Paddings that follow from a fixed size are worked out at export; the answers stay the same."""

from __future__ import annotations

import collections

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from timm.layers import Conv2dSame
from torch import nn

from autotl.graph.compose import merge
from autotl.graph.convert import to_onnx
from autotl.graph.fold import fold_shapes
from autotl.graph.session import open_session

SIZE = 13


class SamePadded(nn.Module):
    """Two convolutions of stride 2, the second of which pads by what the first gives."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = Conv2dSame(3, 4, 3, stride=2), Conv2dSame(4, 5, 5, stride=2)

    def forward(self, batch):
        return self.second(self.first(batch["pixels"])).mean((2, 3))


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return SamePadded().eval()


def _operators(model):
    return collections.Counter(node.op_type for node in model.graph.node)


def test_paddings_become_constants_whatever_the_batch(network):
    model = to_onnx(
        network, {"pixels": torch.zeros(2, 3, SIZE, SIZE)}, ["out"], dynamic={"pixels": {0: "batch"}}
    )
    assert set(_operators(model)) == {"Pad", "Conv", "ReduceMean"}
    session = open_session(model, threads=1)
    for rows in (1, 5):
        pixels = torch.randn(rows, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(rows))
        with torch.no_grad():
            expected = network({"pixels": pixels}).numpy()
        np.testing.assert_allclose(session.run(None, {"pixels": pixels.numpy()})[0], expected, atol=1e-5)


def test_paddings_of_a_size_that_varies_stay_sums(network):
    axes = {"pixels": {0: "batch", 2: "height", 3: "width"}}
    model = to_onnx(network, {"pixels": torch.zeros(2, 3, SIZE, SIZE)}, ["out"], dynamic=axes)
    assert "Shape" in _operators(model)
    session = open_session(model, threads=1)
    pixels = torch.randn(1, 3, 20, 17, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = network({"pixels": pixels}).numpy()
    np.testing.assert_allclose(session.run(None, {"pixels": pixels.numpy()})[0], expected, atol=1e-5)


def _padded(output):
    """A graph that pads (batch, 4) by a sum of its width, and gives the named tensor."""
    constants = {"one": np.array(1), "zeros": np.zeros(3, np.int64), "axis": np.array([0])}
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "one"], ["width"]),
        helper.make_node("Unsqueeze", ["width", "axis"], ["more"]),
        helper.make_node("Concat", ["zeros", "more"], ["pads"], axis=0),
        helper.make_node("Pad", ["x", "pads"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "padded",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info(output, *_TYPES[output])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


_TYPES = {
    "y": (onnx.TensorProto.FLOAT, ["batch", None]),
    "pads": (onnx.TensorProto.INT64, [4]),
}


def test_what_is_asked_for_stays_an_output():
    model = fold_shapes(_padded("pads"))
    assert open_session(model).run(None, {"x": np.zeros((2, 4), np.float32)})[0].tolist() == [0, 0, 0, 4]


def test_what_nothing_takes_any_more_is_dropped():
    model = fold_shapes(_padded("y"))
    assert list(_operators(model)) == ["Pad"]
    assert {tensor.name for tensor in model.graph.initializer} == {"pads"}
    assert open_session(model).run(None, {"x": np.ones((2, 4), np.float32)})[0].shape == (2, 8)


def test_a_graph_without_padding_is_left_alone():
    network = nn.Linear(4, 2)

    class Plain(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = network

        def forward(self, batch):
            return self.inner(batch["x"])

    model = to_onnx(Plain(), {"x": torch.zeros(2, 4)}, ["y"])
    assert fold_shapes(model) is model


def test_joined_graphs_import_an_operator_set_once():
    first = _padded("y")
    second = helper.make_model(
        helper.make_graph(
            [helper.make_node("Neg", ["y"], ["z"])],
            "negated",
            [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["batch", None])],
            [helper.make_tensor_value_info("z", onnx.TensorProto.FLOAT, ["batch", None])],
        ),
        opset_imports=[helper.make_opsetid("", 20)],
        ir_version=9,
    )
    assert [entry.version for entry in merge(first, second).opset_import] == [20]
