"""Distillation: a small network learns what a trained model says of the rows (Hinton et al. 2015).

It is run after the search, with the winner as the teacher, on the backbone that was asked for.
"""

from __future__ import annotations

from autotl.config import Choice, Domain, Float, TrialConfig
from autotl.strategies.gradient import GradientStrategy
from autotl.training.distillation import Distillation
from autotl.training.plan import Plan


class Distill(GradientStrategy):
    """Full fine-tuning from a fitted head, on the labels and on the teacher's outputs."""

    name = "distill"
    summary = "Trains a smaller network on what the winner of the search says of the rows."

    def own_parameters(self) -> dict[str, Domain]:
        """Share of the teacher in the targets, and what softens it."""
        return {"teacher_share": Float(0.0, 1.0, 0.7), "teacher_temperature": Choice((1.0, 2.0, 4.0), 2.0)}

    def plan(self, config: TrialConfig, depth: int) -> Plan:
        """All blocks train at once."""
        share = float(config.get("teacher_share", 0.7))
        temperature = float(config.get("teacher_temperature", 2.0))
        return Plan(cut=0, first_trained=(0,), objective=Distillation(share, temperature))


STRATEGY = Distill()
