"""LP-FT: linear probe first, then full fine-tuning from that head (Kumar et al. 2022).

Starting from a fitted head keeps the first gradients small, so that pretrained features are not distorted.
"""

from __future__ import annotations

from autotl.config import Choice, Domain, TrialConfig
from autotl.strategies.gradient import GradientStrategy
from autotl.training.plan import Plan


class LinearProbeThenFineTune(GradientStrategy):
    """Full fine-tuning from the fitted head, with an optional phase of the head alone."""

    name = "lp_ft"
    summary = "Fits a linear head first, then trains the whole network from it."

    def own_parameters(self) -> dict[str, Domain]:
        """Epochs that train the head alone before the rest."""
        return {"head_epochs": Choice((0, 1), 0)}

    def plan(self, config: TrialConfig, depth: int) -> Plan:
        """All blocks train after the head's own epochs."""
        head_epochs = int(config.get("head_epochs", 0))
        return Plan(cut=0, first_trained=(*([depth] * head_epochs), 0))


STRATEGY = LinearProbeThenFineTune()
