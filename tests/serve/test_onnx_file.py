"""A graph whose weights lie in other files opens none of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from autotl.errors import BundleError
from autotl.serve.onnx_file import refuse_other_files
from autotl.serve.predictor import Predictor
from autotl.testing.bundles import reseal

WEIGHTS = numpy_helper.from_array(np.zeros(4, np.float32), "weights")


def elsewhere(location: str = "/etc/passwd") -> TensorProto:
    """A tensor whose values lie in another file."""
    tensor = TensorProto(name="weights", data_type=TensorProto.FLOAT, dims=[4], data_location=1)
    tensor.external_data.add(key="location", value=location)
    return tensor


def graph(*nodes: onnx.NodeProto, tensors: tuple[TensorProto, ...] = ()) -> onnx.GraphProto:
    given = helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])
    return helper.make_graph(nodes, "g", [], [given], tensors)


def constant(tensor: TensorProto) -> onnx.NodeProto:
    return helper.make_node("Constant", [], ["y"], value=tensor)


def within(tensor: TensorProto) -> onnx.NodeProto:
    """A node with graphs in it."""
    return helper.make_node(
        "If", ["c"], ["y"], then_branch=graph(constant(WEIGHTS)), else_branch=graph(constant(tensor))
    )


def in_function(tensor: TensorProto) -> onnx.ModelProto:
    function = helper.make_function("d", "f", [], ["y"], [constant(tensor)], [helper.make_opsetid("", 20)])
    return helper.make_model(graph(), functions=[function])


def sparse(tensor: TensorProto) -> onnx.ModelProto:
    indices = numpy_helper.from_array(np.arange(4), "i")
    model = helper.make_model(graph())
    model.graph.sparse_initializer.append(onnx.SparseTensorProto(values=tensor, indices=indices, dims=[9]))
    return model


def in_training(tensor: TensorProto) -> onnx.ModelProto:
    model = helper.make_model(graph())
    model.training_info.add().algorithm.CopyFrom(graph(tensors=(tensor,)))
    return model


PLACES = {
    "initializer": lambda tensor: helper.make_model(graph(tensors=(WEIGHTS, tensor))),
    "constant": lambda tensor: helper.make_model(graph(constant(tensor))),
    "several": lambda tensor: helper.make_model(
        graph(helper.make_node("F", [], ["y"], many=[WEIGHTS, tensor]))
    ),
    "branch": lambda tensor: helper.make_model(graph(within(tensor))),
    "branches": lambda tensor: helper.make_model(
        graph(helper.make_node("F", [], ["y"], many=[graph(), graph(within(tensor))]))
    ),
    "function": in_function,
    "sparse": sparse,
    "training": in_training,
}


@pytest.mark.parametrize("place", PLACES.values(), ids=list(PLACES))
def test_weights_elsewhere_are_found_wherever_a_tensor_can_stand(tmp_path, place):
    path = tmp_path / "model.onnx"
    path.write_bytes(place(elsewhere()).SerializeToString())
    with pytest.raises(BundleError, match=r"model\.onnx names another file"):
        refuse_other_files(path)
    path.write_bytes(place(WEIGHTS).SerializeToString())
    refuse_other_files(path)


def test_numbers_may_be_written_longer_than_they_need_be(tmp_path):
    model = helper.make_model(graph(tensors=(elsewhere(),))).SerializeToString()
    short, long = b"\x70\x01", b"\xf0\x00\x81\x80\x00"  # field 14, 1
    assert model.count(short) == 1
    tensor = elsewhere().SerializeToString().replace(short, long)
    whole = onnx.ModelProto(graph=onnx.GraphProto()).SerializeToString()
    assert whole == b"\x3a\x00"
    inner = b"\x2a" + bytes([len(tensor)]) + tensor
    path = tmp_path / "model.onnx"
    path.write_bytes(b"\x3a" + bytes([len(inner)]) + inner)
    assert onnx.load_model_from_string(path.read_bytes()).graph.initializer[0].data_location == 1
    with pytest.raises(BundleError, match="names another file"):
        refuse_other_files(path)


@pytest.mark.parametrize(
    "content", [b"", b"\x3a", b"\x3a\x05ab", b"\x0f", b"\xff" * 20, b"\x08" + b"\x80" * 11]
)
def test_what_is_no_graph_is_named(tmp_path, content):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(BundleError, match=r"model\.onnx is no ONNX file"):
        refuse_other_files(path)


def test_graphs_nested_without_end_are_refused(tmp_path):
    content = b""
    for _ in range(40):
        node = b"\x2a" + _length(b"\x32" + _length(content))  # attribute with a graph
        content = b"\x0a" + _length(node)
    path = tmp_path / "model.onnx"
    path.write_bytes(b"\x3a" + _length(content))
    with pytest.raises(BundleError, match="nested too deeply"):
        refuse_other_files(path)


def _length(content: bytes) -> bytes:
    size, head = len(content), bytearray()
    while size > 0x7F:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([*head, size]) + content


def test_a_bundle_whose_weights_lie_elsewhere_is_refused(bundle, tmp_path):
    _move_weights(bundle / "model.onnx", tmp_path / "weights.bin")
    reseal(bundle)
    with pytest.raises(BundleError, match=r"model\.onnx names another file; .* expected a lone file"):
        Predictor(bundle)


def _move_weights(path: Path, target: Path) -> None:
    model = onnx.load(path)
    tensor = next(each for each in model.graph.initializer if each.raw_data)
    target.write_bytes(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=f"../{target.name}")
    path.write_bytes(model.SerializeToString())
