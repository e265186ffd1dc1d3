"""Small workbenches for tests of strategies: synthetic data in front of a tiny random backbone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from autotl.backbones.backbone import Backbone
from autotl.backbones.cache_dir import cache_dir
from autotl.data.dataset import Dataset, Splits
from autotl.features.frozen import FrozenPart
from autotl.features.inputs import PreparedInputs
from autotl.features.record import MachineRecord
from autotl.modalities.registry import modality
from autotl.task import Task, TaskKind, default_metric, metric
from autotl.testing.backbones import tiny_image_backbone, tiny_text_backbone
from autotl.testing.data import make_images, make_texts
from autotl.training.workbench import Workbench
from autotl.trial.benches import specification

Array = NDArray[Any]
KINDS = tuple(TaskKind)


def tiny_dataset(name: str, kind: TaskKind = TaskKind.MULTICLASS, rows: int = 60, seed: int = 0) -> Dataset:
    """Synthetic items of a modality ("image" or "text") with targets of a kind that can be learnt."""
    classes = 2 if kind is TaskKind.BINARY else 3
    make = make_images if name == "image" else make_texts
    items, labels = make(rows, classes=classes, seed=seed)
    names: tuple[str, ...] = tuple(sorted(set(labels)))
    codes = np.array([names.index(label) for label in labels])
    targets: Array = codes
    if kind is TaskKind.REGRESSION:
        targets, names = codes.astype(np.float64) * 2.0 + 1.0, ()
    elif kind is TaskKind.MULTILABEL:
        targets = np.stack([codes == 0, codes >= 1, codes == 2], axis=1).astype(np.float32)
    task = Task(kind, names, default_metric(kind))
    return Dataset(name, task, items, targets, [f"row {i}" for i in range(rows)], source="synthetic")


def tiny_workbench(folder: Path, name: str = "image", kind: TaskKind = TaskKind.MULTICLASS) -> Workbench:
    """A workbench of 36 training, 12 validation and 12 test rows, with a teacher.

    Args:
        folder: Where tokenizer and cached features go.
        name: "image" or "text".
        kind: Kind of task.
    """
    dataset = tiny_dataset(name, kind)

    def build() -> Backbone:
        return tiny_image_backbone() if name == "image" else tiny_text_backbone(folder=folder)

    backbone, kinds = build(), modality(name)
    spec = specification(backbone, kinds.describe(list(dataset.items)), {})
    inputs = PreparedInputs(dataset, kinds, spec, folder, threads=1)
    device = torch.device("cpu")
    record = MachineRecord(cache_dir() / "testing-engines.json")
    frozen = FrozenPart(
        backbone, inputs, kinds, len(dataset), folder, device=device, threads=1, record=record
    )
    rows = np.arange(len(dataset))
    return Workbench(
        dataset=dataset,
        splits=Splits(rows[:36], rows[36:48], rows[48:]),
        modality=kinds,
        backbone=backbone,
        build=build,
        spec=spec,
        frozen=frozen,
        metric=metric(dataset.task.metric, kind),
        device=device,
        teacher=tiny_teacher(dataset),
    )


def tiny_teacher(dataset: Dataset) -> Array:
    """What a good model would say of the rows: (N, K) probabilities, or (N,) values."""
    if dataset.task.kind is TaskKind.REGRESSION:
        return dataset.targets.astype(np.float32)
    if dataset.task.kind is TaskKind.MULTILABEL:
        return np.where(dataset.targets > 0, 0.9, 0.1).astype(np.float32)
    classes = len(dataset.task.classes)
    return np.asarray(0.8 * np.eye(classes)[dataset.targets] + 0.2 / classes, np.float32)
