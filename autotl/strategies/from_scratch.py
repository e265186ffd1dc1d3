"""From scratch: the same network from random weights, the control that says whether transfer helped."""

from __future__ import annotations

from autotl.config import TrialConfig
from autotl.strategies.gradient import GradientStrategy
from autotl.training.plan import Plan


class FromScratch(GradientStrategy):
    """Everything trains from random weights."""

    name = "from_scratch"
    summary = "Trains the network from random weights: the control."

    def plan(self, config: TrialConfig, depth: int) -> Plan:
        """All blocks train at once, without pretrained weights."""
        return Plan(cut=0, first_trained=(0,), random_from=0, warm_head=False)


STRATEGY = FromScratch()
