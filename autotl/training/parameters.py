"""Parameters that every gradient strategy reads, with their default domains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autotl.config import Choice, Domain, Float, Int
from autotl.modalities.registry import modality


def training_parameters(profile: Mapping[str, Any]) -> dict[str, Domain]:
    """Domains of the parameters of the training loop, for a data set with this profile."""
    domains: dict[str, Domain] = {
        "learning_rate": Float(1e-5, 3e-3, 3e-4, log=True),
        "head_learning_rate_factor": Float(1.0, 30.0, 3.0, log=True),
        "layer_decay": Float(0.5, 1.0, 0.85),
        "weight_decay": Float(1e-6, 0.1, 0.01, log=True),
        "epochs": Int(1, 12, 4),
        "batch_size": Choice((16, 32, 64), 32),
        "warmup_share": Choice((0.05, 0.1, 0.2), 0.1),
        "label_smoothing": Choice((0.0, 0.1), 0.0),
        "class_weight": Choice(("none", "balanced"), "none"),
        "depths": Choice(("last", "late"), "last"),
        "batch_norm": Choice(("frozen", "train"), "frozen"),
        "ema": Choice((0.0, 0.05, 0.1, 0.2), 0.0),
        **input_parameters(profile),
    }
    augmentations = modality(profile["modality"]).augmentations
    if len(augmentations) > 1:
        domains["augment"] = Choice(augmentations, augmentations[1])
        domains["views"] = Choice((1, 2, 4), 2)
        domains["mixup"] = Choice((0.0, 0.2), 0.0)
    return domains


def input_parameters(profile: Mapping[str, Any]) -> dict[str, Domain]:
    """Domains of the parameters that the modality's preprocessing reads."""
    return modality(profile["modality"]).parameters()
