"""AdamW over the blocks of a backbone with layer-wise learning rates, and its state as tensors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from autotl.training.plan import Plan, Settings
from autotl.training.trained import TrainedWeights

_CLIP_NORM = 1.0


class Optimizer:
    """AdamW with one group a block and one for the head.

    The learning rate falls by `layer_decay` a block from the last that trains towards the input (Howard and
    Ruder 2018); biases and normalisation weights are not decayed.

    Args:
        weights: What trains.
        plan: Gives the last block that trains, and rates of blocks relative to one another.
        settings: Learning rates and decay.
    """

    def __init__(self, weights: TrainedWeights, plan: Plan, settings: Settings) -> None:
        self._settings = settings
        last = len(weights.blocks[: plan.end]) - 1
        groups = []
        for i, block in enumerate(weights.blocks):
            rate = settings.learning_rate * plan.rate(i) * settings.layer_decay ** (last - i)
            groups += self._groups(block, rate)
        groups += self._groups(weights.head, settings.learning_rate * settings.head_learning_rate_factor)
        self._adamw = torch.optim.AdamW(groups, lr=settings.learning_rate)

    def _groups(self, parameters: list[nn.Parameter], rate: float) -> list[dict[str, object]]:
        decayed = [p for p in parameters if p.ndim > 1]
        plain = [p for p in parameters if p.ndim <= 1]
        decay = self._settings.weight_decay
        groups = [(decayed, decay), (plain, 0.0)]
        return [
            {"params": members, "weight_decay": value, "lr": rate, "base_rate": rate}
            for members, value in groups
            if members
        ]

    def clear(self) -> None:
        """Drop gradients; those of the following backward passes add up until `step`."""
        self._adamw.zero_grad(set_to_none=True)

    def step(self, factor: float) -> None:
        """One update with every learning rate multiplied by `factor`, gradients clipped to norm 1."""
        parameters = [p for group in self._adamw.param_groups for p in group["params"] if p.grad is not None]
        torch.nn.utils.clip_grad_norm_(parameters, _CLIP_NORM)
        for group in self._adamw.param_groups:
            group["lr"] = group["base_rate"] * factor
        self._adamw.step()

    def state(self) -> dict[str, Tensor]:
        """Moments and step counts by "<index>.<name>"."""
        tensors = self._adamw.state_dict()["state"]
        return {
            f"{index}.{name}": value.detach().cpu().clone()
            for index, moments in tensors.items()
            for name, value in moments.items()
        }

    def load(self, state: dict[str, Tensor]) -> None:
        """Take over what `state` gave."""
        moments: dict[int, dict[str, Tensor]] = {}
        for key, value in state.items():
            index, name = key.split(".", 1)
            moments.setdefault(int(index), {})[name] = value
        self._adamw.load_state_dict(
            {"state": moments, "param_groups": self._adamw.state_dict()["param_groups"]}
        )
