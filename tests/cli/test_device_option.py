"""Verbs that run a model take the device that it runs on, and say what is missing where there is none."""

from __future__ import annotations

import onnxruntime
import pytest

from autotl.console import serving


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])


@pytest.mark.parametrize(
    "verb", ["predict", "explain", "monitor", "evaluate", "verify", "serve", "serve --workers 2"]
)
def test_a_gpu_that_is_not_there_is_answered_with_what_to_install(call, make_bundle, images, verb):
    verb, *options = verb.split()
    inputs = options if verb == "serve" else [images]
    result = call(verb, make_bundle(), *inputs, "--device", "cuda")
    assert (result.exit_code, result.stdout) == (2, "")
    said = " ".join(result.stderr.split())
    assert "ONNX Runtime cannot run on cuda here; found CPUExecutionProvider" in said
    assert "expected CUDAExecutionProvider" in said
    assert "pip install onnxruntime-gpu" in said


def test_another_device_than_those_is_refused_by_the_command_line(call, make_bundle, images):
    result = call("predict", make_bundle(), images, "--device", "tpu")
    assert result.exit_code == 2
    assert "'tpu' is not one of 'cpu', 'cuda'" in result.stderr


def test_workers_of_a_server_are_told_the_device(call, make_bundle, monkeypatch):
    seen = []
    monkeypatch.setattr(serving, "serve_bundle", lambda *_, **how: seen.append(how["device"]))
    call("serve", make_bundle(), "--device", "cuda")
    call("serve", make_bundle("multilabel"))
    assert seen == ["cuda", "cpu"]
