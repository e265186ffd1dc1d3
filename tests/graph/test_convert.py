"""Torch modules become ONNX graphs that give the same answers at every batch size and length."""

from __future__ import annotations

import warnings

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from autotl.backbones.backbone import Backbone
from autotl.errors import ExportError
from autotl.graph.compose import merge
from autotl.graph.convert import OPSET, made_with, metadata, set_metadata, size_bytes, to_onnx
from autotl.graph.session import latency_ms, open_session
from autotl.testing.backbones import tiny_image_backbone, tiny_text_backbone


class Pooled(nn.Module):
    """Features and hidden states of a whole backbone."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.module = backbone.module
        self.backbone = backbone

    def forward(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        hidden = self.backbone.run(batch)
        return self.backbone.pool(hidden, self.backbone.depth), hidden["hidden"]


def _texts(rows: int, length: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(rows * 100 + length)
    mask = torch.ones(rows, length, dtype=torch.int64)
    mask[0, length // 2 + 1 :] = 0
    return {"input_ids": torch.randint(4, 30, (rows, length), generator=generator), "attention_mask": mask}


@pytest.fixture(scope="module")
def text() -> tuple[Pooled, object]:
    network = Pooled(tiny_text_backbone()).eval()
    return network, open_session(to_onnx(network, _texts(2, 5), ["features", "hidden"]), threads=1)


@settings(deadline=None, max_examples=25)
@given(rows=st.integers(1, 9), length=st.integers(1, 60))
def test_a_text_network_agrees_at_every_batch_size_and_length(text, rows, length):
    network, session = text
    batch = _texts(rows, length)
    with torch.no_grad():
        expected = network(batch)
    found = session.run(None, {name: value.numpy() for name, value in batch.items()})
    for want, got in zip(expected, found, strict=True):
        np.testing.assert_allclose(got, want.numpy(), atol=1e-5)


def test_an_image_network_agrees_and_names_its_ends():
    network = Pooled(tiny_image_backbone()).eval()
    batch = {"pixels": torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)}
    model = to_onnx(network, batch, ["features", "hidden"])
    assert [value.name for value in model.graph.input] == ["pixels"]
    assert [value.name for value in model.graph.output] == ["features", "hidden"]
    assert {entry.version for entry in model.opset_import if entry.domain == ""} == {20}
    pixels = torch.randint(0, 256, (5, 32, 32, 3), dtype=torch.uint8)
    with torch.no_grad():
        expected = network({"pixels": pixels})[0].numpy()
    found = open_session(model, threads=1).run(["features"], {"pixels": pixels.numpy()})[0]
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.slow
def test_both_exporters_give_the_same_answers_at_other_sizes():
    network = Pooled(tiny_text_backbone()).eval()
    batch = _texts(5, 11)
    with torch.no_grad():
        expected = network(batch)[0].numpy()
    for exporter in ("torchscript", "dynamo"):
        model = to_onnx(network, _texts(2, 5), ["features", "hidden"], exporter=exporter)
        assert made_with(model) == {"opset": OPSET, "ir_version": 9, "exporter": exporter}
        feeds = {name: value.numpy() for name, value in batch.items()}
        found = open_session(model, threads=1).run(["features"], feeds)[0]
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.slow
def test_a_network_that_cannot_be_traced_goes_through_the_dynamo_exporter():
    class Fourier(nn.Module):
        def forward(self, batch: dict[str, Tensor]) -> Tensor:
            return torch.fft.rfft(batch["x"], dim=-1).abs()

    with pytest.raises(ExportError, match=r"torchscript: .*fft"):
        to_onnx(Fourier(), {"x": torch.ones(2, 8)}, ["y"], exporter="torchscript")
    model = to_onnx(Fourier(), {"x": torch.ones(2, 8)}, ["y"])
    assert made_with(model)["exporter"] == "dynamo"
    values = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)
    found = open_session(model, threads=1).run(None, {"x": values})[0]
    np.testing.assert_allclose(found, np.abs(np.fft.rfft(values)), atol=1e-5)


def test_a_network_that_no_exporter_takes_says_why_of_each():
    class Odd(nn.Module):
        def forward(self, batch: dict[str, Tensor]) -> Tensor:
            raise RuntimeError("not in this world")

    with pytest.raises(ExportError, match=r"torchscript: not in this world; dynamo: .*"):
        to_onnx(Odd(), {"x": torch.ones(2, 3)}, ["y"])


def test_one_tensor_is_enough_of_an_output():
    class Double(nn.Module):
        def forward(self, batch: dict[str, Tensor]) -> Tensor:
            return batch["x"] * 2

    model = to_onnx(Double(), {"x": torch.ones(2, 3)}, ["y"])
    found = open_session(model, threads=1).run(None, {"x": np.full((4, 3), 1.5, np.float32)})[0]
    np.testing.assert_array_equal(found, np.full((4, 3), 3.0))


def test_axes_can_be_named_by_the_caller():
    class Sum(nn.Module):
        def forward(self, batch: dict[str, Tensor]) -> Tensor:
            return batch["x"].sum(dim=1)

    model = to_onnx(
        Sum(), {"x": torch.ones(2, 3)}, ["y"], dynamic={"x": {0: "rows", 1: "columns"}, "y": {0: "rows"}}
    )
    found = open_session(model, threads=1).run(None, {"x": np.ones((1, 7), np.float32)})[0]
    np.testing.assert_array_equal(found, [7.0])


def test_conversion_happens_in_eval_mode_and_leaves_each_part_in_its_own():
    network = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.9))

    class OfBatch(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, batch: dict[str, Tensor]) -> Tensor:
            return self.network(batch["x"])

    module = OfBatch().train()
    network[0].eval()
    model = to_onnx(module, {"x": torch.ones(2, 3)}, ["y"])
    assert "Dropout" not in {node.op_type for node in model.graph.node}
    assert module.training
    assert network[1].training
    assert not network[0].training


def test_conversion_is_silent(recwarn, capfd):
    warnings.simplefilter("always")
    to_onnx(Pooled(tiny_text_backbone()), _texts(2, 5), ["features", "hidden"])
    assert [str(w.message) for w in recwarn] == []
    assert capfd.readouterr() == ("", "")


def test_a_network_over_two_gigabytes_is_refused_before_it_is_traced():
    class Huge(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.empty(2**30, device="meta"), requires_grad=False)

        def forward(self, batch: dict[str, Tensor]) -> Tensor:
            raise AssertionError("must not run")

    with pytest.raises(ExportError, match=r"found 4\.0 GiB of weights; expected less than 2 GiB"):
        to_onnx(Huge(), {"x": torch.ones(1)}, ["y"])


# --- joining graphs -------------------------------------------------------------------------------------


def _doubling(given_name: str, output: str, opset: int = 20) -> onnx.ModelProto:
    node = onnx.helper.make_node("Add", [given_name, given_name], ["inner"])
    last = onnx.helper.make_node("Identity", ["inner"], [output])
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["B", 2])
        for name in (given_name, output)
    ]
    graph = onnx.helper.make_graph([node, last], "g", ends[:1], ends[1:])
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)])


def test_joined_graphs_keep_clean_names_though_their_insides_are_called_alike():
    first = _doubling("image", "pixels")
    set_metadata(first, {"a": "1"})
    model = merge(first, _doubling("pixels", "probabilities"))
    assert [value.name for value in model.graph.input] == ["image"]
    assert [value.name for value in model.graph.output] == ["probabilities"]
    assert metadata(model) == {"a": "1"}
    found = open_session(model, threads=1).run(None, {"image": np.ones((3, 2), np.float32)})[0]
    np.testing.assert_array_equal(found, np.full((3, 2), 4.0))


def test_joining_leaves_both_parts_as_they_were():
    first, second = _doubling("image", "pixels"), _doubling("pixels", "probabilities")
    before = first.SerializeToString(), second.SerializeToString()
    merge(first, second)
    assert (first.SerializeToString(), second.SerializeToString()) == before


def test_graphs_that_do_not_fit_are_refused_by_name():
    with pytest.raises(ExportError, match=r"found outputs \['pixels'\]; expected inputs \['tokens'\]"):
        merge(_doubling("image", "pixels"), _doubling("tokens", "y"))


def test_graphs_of_another_opset_are_refused():
    with pytest.raises(ExportError, match=r"found \{'ai.onnx': 18\}; expected ai.onnx 20"):
        merge(_doubling("image", "pixels", opset=18), _doubling("pixels", "y"))


def test_metadata_is_replaced_by_key():
    model = _doubling("x", "y")
    set_metadata(model, {"a": "1", "b": "2"})
    set_metadata(model, {"a": "3"})
    assert metadata(model) == {"a": "3", "b": "2"}
    assert open_session(model, threads=1).get_modelmeta().custom_metadata_map == {"a": "3", "b": "2"}


def test_size_and_latency_are_measured(tmp_path):
    model = _doubling("x", "y")
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    assert size_bytes(model) == path.stat().st_size
    feeds = {"x": np.ones((1, 2), np.float32), "unknown to the graph": np.ones(1)}
    assert 0 < latency_ms(open_session(path, threads=1), feeds, repeats=3) < 1000
