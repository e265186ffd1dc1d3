"""A bundle in the layouts of Docker and Triton: complete, of the right form, and the same model."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format

from autotl.errors import BundleError, ExportError
from autotl.export.bundle import export_bundle
from autotl.export.formats import lay_out
from autotl.serve.bundle import read_bundle
from autotl.serve.predictor import Predictor
from autotl.task import TaskKind
from autotl.testing.bundles import reseal


def _bundle(case, folder, kind=TaskKind.MULTICLASS):
    model, dataset = case(kind)
    return export_bundle(model, dataset, np.arange(8), folder).folder, dataset.items


def _config(path):
    """A Triton configuration, read by Triton's own schema."""
    place = Path(importlib.util.find_spec("tritonclient").submodule_search_locations[0])
    spec = importlib.util.spec_from_file_location("model_config_pb2", place / "grpc" / "model_config_pb2.py")
    schema = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(schema)
    return text_format.Parse(path.read_text(encoding="utf-8"), schema.ModelConfig())


def test_the_copy_for_docker_predicts_like_the_bundle(text_case, tmp_path):
    bundle, texts = _bundle(text_case, tmp_path / "model")
    command = lay_out(bundle, "docker", tmp_path / "image", name="My Mails!")
    image = tmp_path / "image"
    assert command == f"docker build -t my-mails {image} && docker run -p 8000:8000 my-mails"
    assert read_bundle(image / "model").manifest == read_bundle(bundle).manifest
    code = (
        "import json, autotl, sys; p = autotl.load('model'); "
        f"print(json.dumps([autotl.__file__, p.predict({texts[:3]!r}), 'torch' in sys.modules]))"
    )
    environment = {**os.environ, "PYTHONPATH": str(image / "app")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=image, env=environment, capture_output=True, text=True, check=True
    )
    home, labels, has_torch = json.loads(done.stdout)
    assert Path(home).is_relative_to(image / "app")
    assert labels == Predictor(bundle).predict(texts[:3])
    assert not has_torch


def test_the_image_serves_its_model_with_pinned_packages(text_case, tmp_path):
    bundle, _ = _bundle(text_case, tmp_path / "model")
    lay_out(bundle, "docker", tmp_path / "image", name="mails")
    lines = (tmp_path / "image" / "Dockerfile").read_text().splitlines()
    copied = [line.split()[1] for line in lines if line.startswith("COPY")]
    assert all((tmp_path / "image" / name).exists() for name in copied)
    entry = next(
        json.loads(line.removeprefix("ENTRYPOINT ")) for line in lines if line.startswith("ENTRYPOINT")
    )
    assert entry[2:6] == ["autotl.cli", "serve", "/srv/model", "--name"]
    assert "USER 65534" in lines
    pins = (tmp_path / "image" / "requirements.txt").read_text().split()
    assert {pin.partition("==")[0] for pin in pins} >= {"numpy", "onnxruntime", "fastapi", "uvicorn"}
    assert all("==" in pin for pin in pins)


@pytest.mark.parametrize(
    ("kind", "output", "dims", "labels"),
    [
        (TaskKind.MULTICLASS, "probabilities", [3], "labels.txt"),
        (TaskKind.MULTILABEL, "probabilities", [3], ""),
        (TaskKind.REGRESSION, "values", [1], ""),
    ],
)
def test_the_repository_for_triton_describes_the_graph(image_case, tmp_path, kind, output, dims, labels):
    bundle, _ = _bundle(image_case, tmp_path / "model", kind)
    lay_out(bundle, "triton", tmp_path / "repository", name="photos")
    place = tmp_path / "repository" / "photos"
    config = _config(place / "config.pbtxt")
    assert (config.name, config.backend, config.max_batch_size) == ("photos", "onnxruntime", 32)
    (taken,) = config.input
    assert (taken.name, list(taken.dims)) == ("image", [-1, -1, 3])
    given = config.output[0]
    assert (given.name, list(given.dims), given.label_filename) == (output, dims, labels)
    assert given.HasField("reshape") is (kind is TaskKind.REGRESSION)
    assert (place / "1" / "model.onnx").read_bytes() == (bundle / "model.onnx").read_bytes()
    if labels:
        assert (place / labels).read_text(encoding="utf-8").splitlines() == ["red", "grün", "blue, dark"]


def test_what_makes_token_ids_lies_beside_the_graph_of_texts(text_case, tmp_path):
    bundle, _ = _bundle(text_case, tmp_path / "model")
    lay_out(bundle, "triton", tmp_path / "repository", name="mails")
    config = _config(tmp_path / "repository" / "mails" / "config.pbtxt")
    assert {value.name: list(value.dims) for value in config.input}["input_ids"] == [-1]
    assert (tmp_path / "repository" / "mails" / "tokenizer.json").is_file()


@pytest.mark.parametrize("form", ["docker", "triton"])
def test_what_the_bundle_does_not_list_goes_nowhere(text_case, tmp_path, form):
    bundle, _ = _bundle(text_case, tmp_path / "model")
    (tmp_path / "secret").write_text("a secret")
    (bundle / "notes.txt").write_text("a secret")
    (bundle / "link").symlink_to(tmp_path / "secret")
    (bundle / "README.md").unlink()
    (bundle / "README.md").symlink_to(tmp_path / "secret")
    with pytest.raises(BundleError, match=r"README\.md is a link"):
        lay_out(bundle, form, tmp_path / "refused", name="mails")
    (bundle / "README.md").unlink()
    manifest = json.loads((bundle / "bundle.json").read_text())
    del manifest["files"]["README.md"]
    (bundle / "bundle.json").write_text(json.dumps(manifest))
    reseal(bundle)
    (bundle / "README.md").symlink_to(tmp_path / "secret")
    lay_out(bundle, form, tmp_path / "out", name="mails")
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert written
    assert not [path for path in written if b"a secret" in path.read_bytes()]


def test_what_lies_in_the_folder_is_left_alone(text_case, tmp_path):
    bundle, _ = _bundle(text_case, tmp_path / "model")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    with pytest.raises(ExportError, match="cannot export there"):
        lay_out(bundle, "docker", tmp_path / "full", name="mails")
