"""Full fine-tuning: every block and a fresh head train from the first step."""

from __future__ import annotations

from autotl.config import TrialConfig
from autotl.strategies.gradient import GradientStrategy
from autotl.training.plan import Plan


class FullFineTune(GradientStrategy):
    """Everything trains from the start, from a random head."""

    name = "full"
    summary = "Trains the whole network and a fresh head from the first step."

    def plan(self, config: TrialConfig, depth: int) -> Plan:
        """All blocks train at once."""
        return Plan(cut=0, first_trained=(0,), warm_head=False)


STRATEGY = FullFineTune()
