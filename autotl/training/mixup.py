"""Mixup: training on weighted means of two rows and of their targets (Zhang et al. 2018)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from autotl.backbones.backbone import Batch


def mix(batch: Batch, targets: Tensor, alpha: float, generator: np.random.Generator) -> tuple[Batch, Tensor]:
    """Blend each row with another of the batch: of activations, this is manifold mixup (Verma et al. 2019).

    Args:
        batch: Network inputs or activations, all of one shape a row; whole numbers become float32.
        targets: (B, K).
        alpha: The share of a row is drawn from Beta(alpha, alpha), once for the batch.
        generator: Draws the share; torch's own generator draws the partners.
    """
    share = float(generator.beta(alpha, alpha))
    order = torch.randperm(len(targets), device=targets.device)
    values = {name: value.float() for name, value in batch.items()}
    mixed = {name: torch.lerp(value[order], value, share) for name, value in values.items()}
    return mixed, torch.lerp(targets[order], targets, share)
