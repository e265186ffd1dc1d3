"""Bundles of tiny models, exported once and copied for tests that damage them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from autotl.data.dataset import Dataset
from autotl.export.bundle import export_bundle
from autotl.modalities.registry import modality
from autotl.task import Task, TaskKind, default_metric
from autotl.testing.backbones import WORDS, tiny_image_backbone, tiny_text_backbone
from autotl.training.model import TransferModel

THREE = Task(TaskKind.MULTICLASS, ("red", "grün", "blue"), "accuracy")


def _export(backbone, spec, task: Task, items: list, folder: Path, columns: tuple[str, ...]) -> Path:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        head = torch.nn.Linear(backbone.feature_dim(), task.outputs)
    torch.nn.init.normal_(head.weight, generator=torch.Generator().manual_seed(2))
    model = TransferModel(backbone, head, [backbone.depth], task, spec).eval()
    names = [str(i) for i in range(len(items))]
    targets = np.arange(len(items)) % max(2, len(task.classes))
    if task.kind is TaskKind.MULTILABEL:
        targets = np.eye(len(task.classes), dtype=np.int64)[targets]
    dataset = Dataset(spec.modality, task, items, targets, names, columns=columns)
    return export_bundle(model, dataset, np.arange(len(items)), folder, verify_rows=8).folder


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Twenty files of three sizes."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    paths = []
    for i in range(20):
        path = folder / f"{i:02}.png"
        Image.fromarray(rng.integers(0, 256, (20 + i % 3 * 30, 40, 3), np.uint8)).save(path)
        paths.append(path)
    return paths


@pytest.fixture(scope="session")
def texts() -> list[str]:
    """A hundred texts of 1 to 30 words."""
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice(WORDS, rng.integers(1, 30))) for _ in range(100)]


@pytest.fixture(scope="session")
def image_bundle(images: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of images, trained on class folders."""
    backbone = tiny_image_backbone()
    spec = modality("image").preprocessing(backbone.info.input, {}, {})
    return _export(backbone, spec, THREE, images, tmp_path_factory.mktemp("bundle") / "image", ())


@pytest.fixture(scope="session")
def text_bundles(texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Models of texts by kind of task and columns."""
    root = tmp_path_factory.mktemp("bundles")

    def make(kind: TaskKind = TaskKind.MULTICLASS, columns: tuple[str, ...] = ("text",)) -> Path:
        folder = root / f"{kind.value}-{'-'.join(columns)}"
        if not folder.exists():
            backbone = tiny_text_backbone(folder=root / "tokenizer")
            needs = {**backbone.info.input, "tokenizer": backbone.assets()["tokenizer.json"]}
            spec = modality("text").preprocessing(needs, {}, {})
            classes = () if kind is TaskKind.REGRESSION else THREE.classes
            items = texts if len(columns) == 1 else list(zip(texts, reversed(texts), strict=True))
            _export(backbone, spec, Task(kind, classes, default_metric(kind)), items, folder, columns)
        return folder

    return make


@pytest.fixture
def bundle(text_bundles: Callable[..., Path], tmp_path: Path) -> Path:
    """A copy of a text bundle that a test may damage."""
    return Path(shutil.copytree(text_bundles(), tmp_path / "model"))
