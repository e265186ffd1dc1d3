"""Norms and biases: BitFit (Ben Zaken et al. 2022) together with norm-only training (Frankle et al. 2021)."""

from __future__ import annotations

from torch import nn

from autotl.config import Choice, Domain, TrialConfig
from autotl.strategies.gradient import WITHOUT_WEIGHTS, GradientStrategy, cut_at, work_after
from autotl.training.adaptation import Adaptation
from autotl.training.plan import Plan


class NormsAndBiases(Adaptation):
    """Weights of one dimension train: biases, the scales of norms, and other scales of single channels."""

    def trained(self, block: nn.Module) -> list[nn.Parameter]:
        """The weights of a block that are no matrix, kernel or table."""
        return [weight for weight in block.parameters() if weight.ndim <= 1]


class NormBias(GradientStrategy):
    """Norms, biases and the head train in the blocks after a cut: a thousandth of the weights or so."""

    name = "norm_bias"
    summary = "Trains normalisation parameters, biases and the head; every other weight stays."

    def own_parameters(self) -> dict[str, Domain]:
        """Share of the blocks that stays frozen as a whole."""
        return {"cut": Choice((0.0, 0.34, 0.5, 0.67), 0.34)}

    def trained_share(self, config: TrialConfig) -> float:
        """Forward and backward through the blocks after the cut, almost without gradients of weights."""
        return WITHOUT_WEIGHTS * work_after(float(config.get("cut", 0.34)))

    def plan(self, config: TrialConfig, depth: int) -> Plan:
        """Norms and biases of the blocks from the cut on train."""
        cut = cut_at(float(config.get("cut", 0.34)), depth)
        return Plan(cut, (cut,), adaptation=NormsAndBiases())


STRATEGY = NormBias()
