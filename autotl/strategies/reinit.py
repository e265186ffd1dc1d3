"""Re-initialised later blocks: keeps early features where those of later blocks transfer badly.

Late blocks are specialised in the source task (Yosinski et al. 2014); starting them anew helps where that
hurts. It also steadied the fine-tuning of BERT on few samples (Zhang et al. 2021).
"""

from __future__ import annotations

from autotl.config import Choice, Domain, TrialConfig
from autotl.strategies.gradient import GradientStrategy, cut_at, work_after
from autotl.training.plan import Plan


class ReinitialisedBlocks(GradientStrategy):
    """Early blocks are kept, frozen or trained slowly; later blocks and the head start at random."""

    name = "reinit"
    summary = "Keeps the early blocks and trains the later ones from random weights, for negative transfer."

    def own_parameters(self) -> dict[str, Domain]:
        """Share of the blocks that is kept, and its share of the learning rate: 0 freezes it."""
        return {
            "reinit_from": Choice((0.34, 0.5, 0.67, 0.85), 0.67),
            "kept_rate": Choice((0.0, 0.1), 0.0),
        }

    def trained_share(self, config: TrialConfig) -> float:
        """The work after the kept blocks, or all of it where these train too."""
        return 1.0 if config.get("kept_rate", 0.0) else work_after(float(config.get("reinit_from", 0.67)))

    def plan(self, config: TrialConfig, depth: int) -> Plan:
        """Random blocks train at the full rate, from a random head."""
        random_from = cut_at(float(config.get("reinit_from", 0.67)), depth)
        rate = float(config.get("kept_rate", 0.0))
        cut = 0 if rate else random_from
        return Plan(cut, (cut,), random_from=random_from, kept_rate=rate, warm_head=False)


STRATEGY = ReinitialisedBlocks()
