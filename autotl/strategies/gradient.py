"""What all gradient strategies share: a strategy file gives a name, a `Plan`, and its own parameters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from autotl.backbones.backbone import BackboneInfo
from autotl.config import Domain, TrialConfig
from autotl.task import TaskKind
from autotl.training.finetune import FineTuneRun
from autotl.training.parameters import training_parameters
from autotl.training.plan import Plan
from autotl.training.workbench import Workbench

#: Backward costs about twice the forward pass: once for the activations, once for the weights.
_TRAINING_FACTOR = 3.0
#: Share of the work of training that is left where hardly a weight needs a gradient of its own.
WITHOUT_WEIGHTS = 2 / 3
#: Work in the blocks after a cut, roughly, since early blocks of convolutional networks cost more.
_WORK_LEFT = 0.8


class GradientStrategy(ABC):
    """Base of strategies that train with gradients."""

    name: str
    summary: str

    @abstractmethod
    def plan(self, config: TrialConfig, depth: int) -> Plan:
        """What trains when, in a backbone of `depth` blocks."""

    def own_parameters(self) -> dict[str, Domain]:
        """Parameters beyond those of the training loop."""
        return {}

    def trained_share(self, config: TrialConfig) -> float:
        """What an epoch repeats of the work of training the whole network."""
        return 1.0

    def suits(self, info: BackboneInfo, kind: TaskKind) -> bool:
        """Works on every backbone, for every task."""
        return True

    def parameters(self, profile: Mapping[str, Any]) -> dict[str, Domain]:
        """Parameters of the training loop and its own."""
        return {**training_parameters(profile), **self.own_parameters()}

    def cost(self, config: TrialConfig, macs: float, rows: int) -> float:
        """A frozen pass for each augmented view, then forward and backward through what trains each epoch."""
        share = self.trained_share(config)
        views = 1 if config.get("augment", "none") == "none" else int(config.get("views", 1))
        return macs * rows * (min(views, config.epochs) + _TRAINING_FACTOR * share * config.epochs)

    def start(
        self, bench: Workbench, config: TrialConfig, state: dict[str, Tensor] | None = None
    ) -> FineTuneRun:
        """Begin, or go on."""
        return FineTuneRun(bench, config, self.plan(config, bench.backbone.depth), state)


def cut_at(share: float, depth: int) -> int:
    """Number of frozen blocks for a share of the depth: none for 0, else at least 1; one block trains."""
    return min(max(round(share * depth), 1), depth - 1) if depth > 1 and share else 0


def work_after(share: float) -> float:
    """Share of the network's work in the blocks after a cut at a share of its depth."""
    return _WORK_LEFT * (1.0 - share) if share else 1.0
