"""Real pretrained networks, exported and compared with the trained model on 256 real inputs each."""

from __future__ import annotations

import csv
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from autotl.backbones.load import availability, load, resolve
from autotl.data.dataset import Dataset
from autotl.export.bundle import Bundle, export_bundle
from autotl.modalities.registry import modality
from autotl.serve.predictor import Predictor
from autotl.task import Task, TaskKind
from autotl.training.model import TransferModel

pytestmark = pytest.mark.slow
DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
ROWS = 256


def _rows(*parts: str) -> list[dict[str, str]]:
    path = DATA.joinpath(*parts)
    if not path.is_file():
        pytest.skip(f"no {path}")
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))[:ROWS]


def _export(name: str, kind: str, task: Task, items: list, folder: Path) -> Bundle:
    info = resolve(name, kind)
    found = availability(info, offline=True)
    if not found.available:
        pytest.skip(found.reason)
    backbone = load(info, offline=True)
    needs = {**info.input, **{Path(n).stem: path for n, path in backbone.assets().items()}}
    spec = modality(kind).preprocessing(needs, {}, {})
    depths = [2, backbone.depth]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        head = torch.nn.Linear(sum(backbone.feature_dim(depth) for depth in depths), task.outputs)
    model = TransferModel(backbone, head, depths, task, spec).eval()
    targets = np.zeros(len(items), np.int64)
    dataset = Dataset(kind, task, items, targets, [str(item) for item in items])
    start = time.perf_counter()
    bundle = export_bundle(model, dataset, np.arange(len(items)), folder)
    sys.stdout.write(f"{name}: exported and verified in {time.perf_counter() - start:.1f} s\n")
    return bundle


def _assert_parity(bundle: Bundle) -> None:
    parity = bundle.manifest["parity"]["model.onnx"]
    assert parity["rows"] == ROWS
    assert parity["single_rows"] == 32
    assert parity["largest_difference"] < parity["tolerance"] / 3


def test_efficientnet_lite0_on_photographs(tmp_path):
    files = sorted((DATA / "trashnet256").rglob("*.jpg"))[::6][:ROWS]
    if len(files) < ROWS:
        pytest.skip(f"no photographs in {DATA / 'trashnet256'}")
    task = Task(TaskKind.MULTICLASS, ("a", "b", "c", "d", "e", "f"), "accuracy")
    bundle = _export("efficientnet-lite0", "image", task, files, tmp_path / "model")
    _assert_parity(bundle)
    assert Predictor(bundle.folder).embed(files[:2]).shape[0] == 2


def test_minilm_on_questions_and_in_a_process_without_torch(tmp_path):
    texts = [row["text"] for row in _rows("banking77", "train.csv")]
    task = Task(TaskKind.MULTICLASS, tuple(f"intent {i}" for i in range(77)), "accuracy")
    bundle = _export("all-minilm-l6", "text", task, texts, tmp_path / "model")
    _assert_parity(bundle)
    code = (
        "import sys; sys.modules['torch'] = None; sys.modules['onnx'] = None; import autotl;"
        "print(autotl.load(sys.argv[1]).predict(sys.argv[2:]))"
    )
    command = [sys.executable, "-c", code, str(bundle.folder), *texts[:2]]
    found = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert found.stdout.strip() == str(Predictor(bundle.folder).predict(texts[:2])), found.stderr


def test_minilm_on_pairs_of_sentences(tmp_path):
    pairs = [(row["sentence1"], row["sentence2"]) for row in _rows("stsb_en", "train.csv")]
    bundle = _export("all-minilm-l6", "text", Task(TaskKind.REGRESSION, (), "r2"), pairs, tmp_path / "model")
    _assert_parity(bundle)
