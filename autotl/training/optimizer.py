"""AdamW over the blocks of a backbone with layer-wise learning rates, and its state as tensors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from autotl.backbones.backbone import Backbone
from autotl.training.plan import Plan, Settings

_CLIP_NORM = 1.0


class Optimizer:
    """AdamW with one group a block and one for the head.

    The learning rate falls by `layer_decay` a block towards the input (Howard and Ruder 2018); biases and
    normalisation weights are not decayed.

    Args:
        backbone: Its blocks from the cut on may train.
        head: Always trains.
        plan: Where the cut is.
        settings: Learning rates and decay.
    """

    def __init__(self, backbone: Backbone, head: nn.Module, plan: Plan, settings: Settings) -> None:
        self._blocks = [list(block.parameters()) for block in backbone.blocks()]
        self._settings = settings
        groups = []
        for i in range(plan.cut, len(self._blocks)):
            rate = settings.learning_rate * settings.layer_decay ** (len(self._blocks) - 1 - i)
            groups += self._groups(self._blocks[i], rate)
        head_rate = settings.learning_rate * settings.head_learning_rate_factor
        self._head = list(head.parameters())
        groups += self._groups(self._head, head_rate)
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

    def train_from(self, first: int) -> None:
        """Let gradients reach blocks from `first` on, and no others."""
        for i, parameters in enumerate(self._blocks):
            for parameter in parameters:
                parameter.requires_grad_(i >= first)
                if i < first:
                    parameter.grad = None

    def step(self, loss: Tensor, factor: float) -> None:
        """One update with every learning rate multiplied by `factor`, gradients clipped to norm 1."""
        self._adamw.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
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
