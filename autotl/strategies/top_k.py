"""Top-k blocks: the early blocks stay frozen and their activations are computed once."""

from __future__ import annotations

from autotl.config import Choice, Domain, TrialConfig
from autotl.strategies.gradient import GradientStrategy, cut_at, work_after
from autotl.training.plan import Plan


class TopBlocks(GradientStrategy):
    """Only the blocks after the cut train, from cached activations and a fitted head."""

    name = "top_k"
    summary = "Trains the last blocks from cached activations of the frozen ones."

    def own_parameters(self) -> dict[str, Domain]:
        """Share of the blocks that stays frozen."""
        return {"cut": Choice((0.34, 0.5, 0.67, 0.75, 0.85), 0.67)}

    def trained_share(self, config: TrialConfig) -> float:
        """The work after the cut."""
        return work_after(float(config.get("cut", 0.67)))

    def plan(self, config: TrialConfig, depth: int) -> Plan:
        """Blocks from the cut on train."""
        cut = cut_at(float(config.get("cut", 0.67)), depth)
        return Plan(cut=cut, first_trained=(cut,))


STRATEGY = TopBlocks()
