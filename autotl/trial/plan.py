"""What a runner of trials is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from autotl.backbones.backbone import BackboneInfo
from autotl.data.dataset import Dataset, Splits
from autotl.trial.run_folder import RunFolder


@dataclass(frozen=True)
class Resources:
    """What trials may use.

    Attributes:
        device: Where torch runs.
        threads: CPU threads, None for the library's own choice.
        offline: Never touch a hub.
        seed: Seed of everything random.
        cache_dir: Folder of the lock file of downloads, of the engine record and of cached features.
        cache_limit: Bytes of features that may stay there after a run; None for the store's own limit.
    """

    device: torch.device
    threads: int | None
    offline: bool
    seed: int
    cache_dir: Path
    cache_limit: int | None = None


@dataclass(frozen=True)
class RunnerPlan:
    """All that a runner is made from, in a form that another process can be given.

    Attributes:
        dataset: Items and targets.
        splits: Its parts.
        infos: Backbones that may be asked for, by name.
        description: What the modality found of the items (`DatasetProfile.inputs`).
        folder: Where results go.
        resources: Device, threads, seed.
    """

    dataset: Dataset
    splits: Splits
    infos: Mapping[str, BackboneInfo]
    description: Mapping[str, Any]
    folder: RunFolder
    resources: Resources
