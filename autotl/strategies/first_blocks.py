"""First blocks: surgical fine-tuning of the blocks next to the input (Lee et al. 2023).

Where inputs look unlike those of pretraining (noise, blur, another sensor) while classes are told apart as
before, tuning the first block alone did better than tuning all: later features stay as they are.
"""

from __future__ import annotations

from autotl.config import Choice, Domain, TrialConfig
from autotl.strategies.gradient import WITHOUT_WEIGHTS, GradientStrategy
from autotl.training.plan import Plan

#: What the weights of the first blocks add to the work of passing gradients through all blocks.
_OWN_WEIGHTS = 0.1


class FirstBlocks(GradientStrategy):
    """The first blocks and the head train; gradients reach them through the frozen later blocks."""

    name = "first_blocks"
    summary = "Trains the first blocks and the head, for inputs that look unlike those of pretraining."

    def own_parameters(self) -> dict[str, Domain]:
        """Number of blocks that train, the stem (or embedding) included."""
        return {"trained_blocks": Choice((1, 2, 3), 2)}

    def trained_share(self, config: TrialConfig) -> float:
        """Forward and backward through everything, but few gradients of weights."""
        return WITHOUT_WEIGHTS + _OWN_WEIGHTS

    def plan(self, config: TrialConfig, depth: int) -> Plan:
        """Blocks up to an end train; the last block never does where there are several."""
        end = min(int(config.get("trained_blocks", 2)), max(1, depth - 1))
        return Plan(cut=0, first_trained=(0,), end=end)


STRATEGY = FirstBlocks()
