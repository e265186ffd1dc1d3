"""What a graph takes is measured: its file, its time, and the memory of a process of its own."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from autotl.errors import ExportError
from autotl.graph.footprint import measure

SIDE = 1024


def product(layers: int) -> onnx.ModelProto:
    """A chain of products with matrices of 4 MiB."""
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=(SIDE, SIDE)).astype(np.float32) for _ in range(layers)]
    nodes = [helper.make_node("MatMul", [f"x{i}", f"w{i}"], [f"x{i + 1}"]) for i in range(layers)]
    graph = helper.make_graph(
        nodes,
        "products",
        [helper.make_tensor_value_info("x0", TensorProto.FLOAT, ["batch", SIDE])],
        [helper.make_tensor_value_info(f"x{layers}", TensorProto.FLOAT, ["batch", SIDE])],
        [numpy_helper.from_array(weight, f"w{i}") for i, weight in enumerate(weights)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def batch(rows: int) -> dict[str, np.ndarray]:
    return {"x0": np.ones((rows, SIDE), np.float32), "unused": np.ones((rows, 1), np.float32)}


def test_more_work_takes_more_of_everything():
    small = measure(product(1), batch(1), threads=1, with_memory=True)
    large = measure(product(24), batch(64), threads=1, with_memory=True)
    assert large.size_bytes > 20 * small.size_bytes
    assert large.latency_ms > small.latency_ms > 0
    assert large.memory_bytes - small.memory_bytes > 23 * SIDE * SIDE * 4
    assert 20e6 < small.memory_bytes < 400e6  # Python and ONNX Runtime, and not what this process holds


def test_one_input_and_a_batch_of_them_are_both_measured():
    found = measure(product(8), batch(1), many=(256, batch(256)), threads=1)
    assert found.batch == 256
    assert found.batch_latency_ms > 3 * found.latency_ms > 0
    alone = measure(product(8), batch(1), threads=1)
    assert (alone.batch, alone.batch_latency_ms) == (1, None)


def test_memory_is_measured_where_it_is_asked_for():
    assert measure(product(1), batch(1)).memory_bytes is None


def test_a_process_that_fails_is_told(monkeypatch):
    monkeypatch.setattr("autotl.graph.footprint.sys.executable", "false")
    with pytest.raises(ExportError, match=r"memory of the exported model could not be measured; found exit"):
        measure(product(1), batch(1), with_memory=True)
