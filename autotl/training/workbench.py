"""`Workbench`: all that a strategy needs of one data set and one backbone under one preprocessing.

Owns the targets in tensor form and the meaning of a score; leaves features to `FrozenPart`.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autotl.backbones.backbone import Backbone
from autotl.data.dataset import Dataset, Splits
from autotl.errors import NonFiniteError
from autotl.features.frozen import FrozenPart
from autotl.modalities.modality import Modality
from autotl.modalities.preprocessing import PreprocessingSpec
from autotl.task import Metric, Task, TaskKind
from autotl.training.model import TransferModel

Array = NDArray[Any]


@dataclass(frozen=True)
class Workbench:
    """A data set in front of a backbone.

    Attributes:
        dataset: The items and targets.
        splits: Which rows train and which validate; `val` may be empty for a final refit.
        modality: Modality of the items.
        backbone: The pretrained network; never trained in place, see `fresh_backbone`.
        build: Builds the same network with random weights, for the control.
        spec: Its preprocessing.
        frozen: Its features and activations.
        metric: Judges predictions.
        device: Where training runs.
        seed: Seed of everything random.
        deadline: Time (`time.monotonic`) by which training must end, infinite where trials are counted.
        teacher: What another model says of each row, for distillation: (N, K) probabilities or (N,) values.
    """

    dataset: Dataset
    splits: Splits
    modality: Modality
    backbone: Backbone
    build: Callable[[], Backbone]
    spec: PreprocessingSpec
    frozen: FrozenPart
    metric: Metric
    device: torch.device
    seed: int = 0
    deadline: float = math.inf
    teacher: Array | None = None

    @property
    def task(self) -> Task:
        """What is predicted."""
        return self.dataset.task

    @property
    def seconds_left(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - time.monotonic()

    def affords(self, seconds: float) -> bool:
        """Whether something that takes so long leaves as much time again before the deadline."""
        return 2 * seconds <= self.seconds_left

    def with_all_rows(self, deadline: float = math.inf) -> Workbench:
        """The same bench for a final fit on training and validation rows together."""
        none = np.empty(0, np.int64)
        splits = replace(self.splits, train=self.splits.train_and_val, val=none)
        return replace(self, splits=splits, deadline=deadline)

    def fresh_backbone(self) -> Backbone:
        """A copy of the pretrained backbone that may be trained."""
        return copy.deepcopy(self.backbone)

    def target_scaling(self) -> tuple[float, float]:
        """Mean and deviation of a regression target on the training rows; (0, 1) otherwise."""
        if self.task.kind is not TaskKind.REGRESSION:
            return 0.0, 1.0
        values = self.dataset.targets[self.splits.train]
        return float(values.mean()), float(values.std()) or 1.0

    def indicators(self, rows: Array) -> Tensor:
        """Targets to fit: class indicators (n, K) float32, or standardised values (n, 1)."""
        targets = self.dataset.targets[rows]
        if self.task.kind is TaskKind.REGRESSION:
            mean, scale = self.target_scaling()
            return torch.from_numpy(((targets - mean) / scale).astype(np.float32))[:, None]
        if self.task.kind is TaskKind.MULTILABEL:
            return torch.from_numpy(targets.astype(np.float32))
        labels = torch.from_numpy(targets.astype(np.int64))
        return torch.nn.functional.one_hot(labels, self.task.outputs).float()

    def class_weights(self, scheme: str) -> Tensor | None:
        """(K,) weights inverse to class frequency with mean 1 over rows, on the device; None for "none"."""
        if scheme != "balanced" or not self.task.is_classification:
            return None
        counts = self.indicators(self.splits.train).sum(dim=0)
        return (counts.sum() / (counts.clamp_min(1) * len(counts))).to(self.device)

    def model(self, backbone: Backbone, head: torch.nn.Module, depths: tuple[int, ...]) -> TransferModel:
        """A model of this task."""
        mean, scale = self.target_scaling()
        return TransferModel(
            backbone, head, depths, self.task, self.spec, target_mean=mean, target_scale=scale
        )

    def predictions(self, raw: Tensor) -> Array:
        """Probabilities (n, K) or values (n,) of raw outputs (n, K), at temperature 1."""
        raw = raw.double()
        if self.task.kind is TaskKind.REGRESSION:
            mean, scale = self.target_scaling()
            return (raw[:, 0] * scale + mean).numpy()
        squash = torch.sigmoid if self.task.kind is TaskKind.MULTILABEL else torch.nn.Softmax(dim=1)
        return np.asarray(squash(raw).numpy())

    def score(self, raw: Tensor) -> float:
        """Validation score of raw outputs (V, K); NaN where there are no validation rows.

        Raises:
            NonFiniteError: Outputs are NaN or infinite.
        """
        if not torch.isfinite(raw).all():
            raise NonFiniteError("validation outputs are not finite", hint="A lower learning rate may help.")
        if len(self.splits.val) == 0:
            return math.nan
        return self.metric.score(self.dataset.targets[self.splits.val], self.predictions(raw))
