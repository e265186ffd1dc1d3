"""Contrastive fine-tuning of texts for few rows, in the manner of SetFit (Tunstall et al. 2022).

Texts of one class are drawn together and those of different classes apart; then a logistic regression is
fitted to the tuned embeddings. A few rows make very many pairs, which is what carries the training where a
fresh head has too little to learn from. In place of SetFit's pairs, one by one, all rows of a batch are
compared with each other: the supervised contrastive loss of Khosla et al. 2020 gets a batch's worth of pairs
from the forward pass that SetFit spends on half as many pairs as rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autotl.backbones.backbone import BackboneInfo
from autotl.config import Choice, Domain, TrialConfig
from autotl.strategies.gradient import GradientStrategy, cut_at, work_after
from autotl.task import TaskKind
from autotl.training.batches import paired
from autotl.training.objective import HeadLoss, Objective
from autotl.training.plan import Plan
from autotl.training.workbench import Workbench

Array = NDArray[Any]
#: Training, and the pass that gives the head its features, relative to training alone.
_WITH_HEAD = 4 / 3
#: Parameters of the loop that mean something only where a head is trained, or to images.
_UNREAD = {"head_learning_rate_factor", "label_smoothing", "depths", "batch_norm", "views", "mixup"}


@dataclass(frozen=True)
class SupervisedContrastive(Objective):
    """L_out of Khosla et al. 2020 (equation 2) on the embeddings of batches that are dealt in pairs.

    A batch that memory makes smaller compares its rows within each part.

    Attributes:
        temperature: Divides cosine similarities.
    """

    temperature: float
    fits_head = True

    def batches(self, bench: Workbench, size: int, generator: np.random.Generator) -> list[Array]:
        """Pairs of one class, every class as often."""
        rows = bench.splits.train
        return paired(bench.frozen.inputs, rows, bench.dataset.targets[rows], size, generator)

    def loss(self, features: Tensor, targets: Tensor, head_loss: HeadLoss) -> Tensor:
        """Mean, over rows that have others of their class, of -log(share of each in the softmax over all)."""
        embedded = torch.nn.functional.normalize(features, dim=1)
        itself = torch.eye(len(embedded), dtype=torch.bool, device=embedded.device)
        lowest = torch.finfo(embedded.dtype).min
        similarity = (embedded @ embedded.T / self.temperature).masked_fill(itself, lowest)
        same = (targets @ targets.T).masked_fill(itself, 0.0)
        others = same.sum(dim=1)
        losses = -(same * similarity.log_softmax(dim=1)).sum(dim=1) / others.clamp_min(1)
        return losses.sum() / (others > 0).sum().clamp_min(1)


class Contrastive(GradientStrategy):
    """Blocks after a cut train on comparisons of rows; the head is fitted after each epoch."""

    name = "contrastive"
    summary = "Trains a text encoder to tell classes apart by comparing rows, then fits a head: for few rows."

    def suits(self, info: BackboneInfo, kind: TaskKind) -> bool:
        """Texts of one class each."""
        return info.modality == "text" and kind in (TaskKind.BINARY, TaskKind.MULTICLASS)

    def parameters(self, profile: Mapping[str, Any]) -> dict[str, Domain]:
        """Those of the training loop that do not speak of a trained head, and its own."""
        every = super().parameters(profile)
        return {name: domain for name, domain in every.items() if name not in _UNREAD}

    def own_parameters(self) -> dict[str, Domain]:
        """Share of the blocks that stays frozen, and the temperature of the loss."""
        return {
            "cut": Choice((0.0, 0.34, 0.5, 0.67), 0.34),
            "temperature": Choice((0.05, 0.1, 0.2), 0.1),
        }

    def trained_share(self, config: TrialConfig) -> float:
        """The work after the cut, with another forward pass for the head."""
        return _WITH_HEAD * work_after(float(config.get("cut", 0.34)))

    def plan(self, config: TrialConfig, depth: int) -> Plan:
        """Blocks from the cut on train, to make rows comparable."""
        cut = cut_at(float(config.get("cut", 0.34)), depth)
        objective = SupervisedContrastive(float(config.get("temperature", 0.1)))
        return Plan(cut, (cut,), warm_head=False, objective=objective)


STRATEGY = Contrastive()
