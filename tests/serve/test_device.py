"""A model runs where it is told to, and never quietly elsewhere."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

import autotl
from autotl.automl import evaluate, verify
from autotl.errors import MissingExtraError, SettingsError
from autotl.serve.http.service import Service
from autotl.serve.http.settings import Settings
from autotl.serve.predictor import Predictor
from autotl.serve.session import failures, open_session

NONE_HERE = (
    r"ONNX Runtime cannot run on cuda here; found .*CPUExecutionProvider; expected CUDAExecutionProvider\. "
    r".*pip install onnxruntime-gpu"
)


@pytest.fixture
def gpu(monkeypatch, text_bundles):
    """An ONNX Runtime with CUDA, as it were: its sessions, without it where `drop`; what they took."""
    text_bundles()  # is exported before what it opens is looked at
    opened = []
    real = onnxruntime.InferenceSession

    class Session:
        drop = False

        def __init__(self, content, options, providers, **further):
            opened.append(providers)
            self._session, self._providers = real(content, options), providers

        def get_providers(self):
            return [name for name in self._providers if not (self.drop and name.startswith("CUDA"))]

        def __getattr__(self, name):
            return getattr(self._session, name)

    names = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: names)
    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    return Session, opened


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])


def test_a_model_runs_on_the_processor_unless_told_otherwise(text_bundles, gpu):
    _, opened = gpu
    autotl.load(text_bundles())
    assert opened == [["CPUExecutionProvider"]]


def test_on_a_gpu_the_processor_runs_what_that_cannot(text_bundles, gpu):
    _, opened = gpu
    predictor = autotl.load(text_bundles(), device="cuda")
    assert opened == [["CUDAExecutionProvider", "CPUExecutionProvider"]]
    assert predictor.predict(["a good film"]) == autotl.load(text_bundles()).predict(["a good film"])


def test_a_gpu_that_cannot_be_used_is_told_although_the_runtime_goes_on_without(text_bundles, gpu):
    session, _ = gpu
    session.drop = True
    with pytest.raises(MissingExtraError, match=NONE_HERE):
        Predictor(text_bundles(), device="cuda")


def test_a_runtime_without_gpus_is_answered_with_what_to_install(text_bundles, no_gpu):
    with pytest.raises(MissingExtraError, match=NONE_HERE):
        autotl.load(text_bundles(), device="cuda")


def test_an_unknown_device_is_refused(text_bundles):
    with pytest.raises(SettingsError, match=r"unknown device; found 'tpu'; expected cpu or cuda"):
        Predictor(text_bundles(), device="tpu")


@pytest.mark.parametrize("act", [evaluate, verify])
def test_labelled_data_are_predicted_on_the_device_that_is_named(text_bundles, no_gpu, act):
    with pytest.raises(MissingExtraError, match=NONE_HERE):
        act(text_bundles(), ["a good film"], labels=["red"], device="cuda")


def test_a_server_runs_on_the_device_of_its_settings(text_bundles, gpu):
    _, opened = gpu
    settings = Settings(str(text_bundles()), "model", device="cuda")
    assert Settings.from_json(settings.to_json()) == settings
    Service(settings)
    assert opened == [["CUDAExecutionProvider", "CPUExecutionProvider"]]


def test_what_cannot_be_opened_is_tried_once_and_nothing_is_printed(capfd):
    x, y = (onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy")
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "one", [x], [y])
    opset = [onnx.helper.make_opsetid("", 17)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString()
    assert open_session(model).run(None, {"x": np.float32([-1])})[0] == 0
    with pytest.raises(failures(ValueError)):  # it cannot even say what it was asked for
        open_session(model.replace(b"Relu", b"\xffelu"))
    assert capfd.readouterr() == ("", "")
