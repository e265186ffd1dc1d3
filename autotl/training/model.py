"""`TransferModel`: a backbone, a head and the output of a task as one module; what export receives."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from autotl.backbones.backbone import Backbone, Batch
from autotl.modalities.preprocessing import PreprocessingSpec
from autotl.task import Task, TaskKind


class TransferModel(nn.Module):
    """Network input to prediction.

    Args:
        backbone: The network.
        head: Module from features (B, F) to raw outputs (B, K). F sums the pooled features of `depths`.
        depths: Depths whose pooled features are concatenated, ascending; the network runs up to the last.
        task: What is predicted.
        spec: Preprocessing that feeds the network.
        temperature: Divides logits before the softmax or sigmoid (Guo et al. 2017); 1 for regression.
        target_mean, target_scale: A regression head predicts (value - mean) / scale.
    """

    def __init__(
        self,
        backbone: Backbone,
        head: nn.Module,
        depths: Sequence[int],
        task: Task,
        spec: PreprocessingSpec,
        *,
        temperature: float = 1.0,
        target_mean: float = 0.0,
        target_scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.module = backbone.module
        self.head = head
        self.depths = tuple(depths)
        self.task = task
        self.spec = spec
        self.temperature = temperature
        self.target_mean = target_mean
        self.target_scale = target_scale

    def features(self, batch: Batch, start: int = 0) -> Tensor:
        """Concatenated pooled features (B, F) of a network input, or of activations after `start` blocks."""
        pooled = []
        for depth in self.depths:
            batch = self.backbone.run(batch, start, depth)
            pooled.append(self.backbone.pool(batch, depth))
            start = depth
        return torch.cat(pooled, dim=1)

    def forward(self, batch: Batch) -> Tensor:
        """Raw outputs (B, K): logits, or standardised values (B, 1)."""
        raw: Tensor = self.head(self.features(batch))
        return raw

    def predict(self, batch: Batch) -> Tensor:
        """Probabilities (B, K), or values (B,) for regression."""
        return self.outputs(self(batch))

    def outputs(self, raw: Tensor) -> Tensor:
        """Turn raw outputs into probabilities (B, K) or values (B,)."""
        if self.task.kind is TaskKind.REGRESSION:
            return raw[:, 0] * self.target_scale + self.target_mean
        scaled = raw / self.temperature
        if self.task.kind is TaskKind.MULTILABEL:
            return torch.sigmoid(scaled)
        return torch.softmax(scaled, dim=1)
