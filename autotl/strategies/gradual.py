"""Gradual unfreezing: blocks join the training from the output towards the input (Howard and Ruder 2018)."""

from __future__ import annotations

from autotl.config import Choice, Domain, TrialConfig
from autotl.strategies.gradient import GradientStrategy, cut_at
from autotl.training.plan import Plan


class GradualUnfreezing(GradientStrategy):
    """Starts with the head, then unfreezes more blocks at a fixed pace down to the cut."""

    name = "gradual"
    summary = "Unfreezes blocks from the output towards the input, a few more at each stage."

    def own_parameters(self) -> dict[str, Domain]:
        """The schedule: where unfreezing ends, how fast it goes, how many blocks join at a time."""
        return {
            "cut": Choice((0.0, 0.34, 0.5, 0.67), 0.5),
            "unfreeze_every": Choice((1, 2), 1),
            "unfreeze_blocks": Choice((1, 2), 1),
        }

    def trained_share(self, config: TrialConfig) -> float:
        """On average about half of what trains in the end."""
        return 0.6 * (1.0 - float(config.get("cut", 0.5)))

    def plan(self, config: TrialConfig, depth: int) -> Plan:
        """One entry an epoch, from the last block down to the cut."""
        cut = cut_at(float(config.get("cut", 0.5)), depth)
        every = int(config.get("unfreeze_every", 1))
        blocks = int(config.get("unfreeze_blocks", 1))
        stages = range(depth - blocks, cut, -blocks)
        return Plan(cut=cut, first_trained=(*(s for s in stages for _ in range(every)), cut))


STRATEGY = GradualUnfreezing()
