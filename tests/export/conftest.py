"""Tiny models with random weights, and data sets for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from autotl.data.dataset import Dataset
from autotl.modalities.registry import modality
from autotl.task import Task, TaskKind, default_metric
from autotl.testing.backbones import WORDS, tiny_image_backbone, tiny_text_backbone
from autotl.training.model import TransferModel

Case = tuple[TransferModel, Dataset]
CLASSES = {
    TaskKind.BINARY: ("no", "yes"),
    TaskKind.MULTICLASS: ("red", "grün", "blue, dark"),
    TaskKind.MULTILABEL: ("red", "grün", "blue"),
    TaskKind.REGRESSION: (),
}


def _task(kind: TaskKind) -> Task:
    return Task(kind, CLASSES[kind], default_metric(kind))


def _model(backbone, spec, task: Task) -> TransferModel:
    depths = [backbone.depth - 1, backbone.depth]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        head = torch.nn.Linear(sum(backbone.feature_dim(depth) for depth in depths), task.outputs)
    scaled = {"target_mean": 3.0, "target_scale": 2.0} if task.kind is TaskKind.REGRESSION else {}
    return TransferModel(backbone, head, depths, task, spec, temperature=0.7, **scaled).eval()


def _dataset(name: str, task: Task, items: list, columns: tuple[str, ...] = ()) -> Dataset:
    targets = np.arange(len(items)) % max(2, len(task.classes))
    if task.kind is TaskKind.MULTILABEL:
        targets = np.eye(len(task.classes), dtype=np.int64)[targets]
    names = [f"row {i}" for i in range(len(items))]
    return Dataset(name, task, items, targets, names, columns=columns, source="a test")


@pytest.fixture
def image_case(tmp_path: Path) -> Callable[..., Case]:
    """A model of images and files of three sizes."""

    def make(kind: TaskKind = TaskKind.MULTICLASS, rows: int = 40) -> Case:
        rng = np.random.default_rng(0)
        files = []
        for i in range(rows):
            path = tmp_path / f"{i}.png"
            Image.fromarray(rng.integers(0, 256, (20 + i % 3 * 30, 40, 3), np.uint8)).save(path)
            files.append(path)
        backbone, task = tiny_image_backbone(), _task(kind)
        spec = modality("image").preprocessing(backbone.info.input, {}, {})
        return _model(backbone, spec, task), _dataset("image", task, files)

    return make


@pytest.fixture
def text_case(tmp_path: Path) -> Callable[..., Case]:
    """A model of texts, or pairs of them, of many lengths."""

    def make(kind: TaskKind = TaskKind.MULTICLASS, rows: int = 300, pairs: bool = False) -> Case:
        rng = np.random.default_rng(0)
        texts = [" ".join(rng.choice(WORDS, rng.integers(1, 30))) for _ in range(2 * rows)]
        items = list(zip(texts[:rows], texts[rows:], strict=True)) if pairs else texts[:rows]
        backbone, task = tiny_text_backbone(folder=tmp_path / "tokenizer"), _task(kind)
        needs = {**backbone.info.input, "tokenizer": backbone.assets()["tokenizer.json"]}
        spec = modality("text").preprocessing(needs, {}, {})
        columns = ("first", "second") if pairs else ("text",)
        return _model(backbone, spec, task), _dataset("text", task, items, columns)

    return make
