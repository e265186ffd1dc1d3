"""AdamW over the blocks of a backbone with layer-wise learning rates, and its state as tensors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from autotl.training.plan import Plan, Settings
from autotl.training.trained import TrainedWeights

_CLIP_NORM = 1.0
#: What a scaler of losses learns on the way.
_SCALING = ("scale", "_growth_tracker")


class Optimizer:
    """AdamW with one group a block and one for the head.

    The learning rate falls by `layer_decay` a block from the last that trains towards the input (Howard and
    Ruder 2018); biases and normalisation weights are not decayed.

    Args:
        weights: What trains.
        plan: Gives the last block that trains, and rates of blocks relative to one another.
        settings: Learning rates and decay.
        scaler: Scales losses where gradients would run out of range.
    """

    def __init__(
        self, weights: TrainedWeights, plan: Plan, settings: Settings, scaler: torch.amp.GradScaler
    ) -> None:
        self._settings, self._scaler = settings, scaler
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

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of a loss."""
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]

    def step(self, factor: float) -> None:
        """One update with every learning rate multiplied by `factor`, gradients clipped to norm 1."""
        self._scaler.unscale_(self._adamw)
        parameters = [p for group in self._adamw.param_groups for p in group["params"] if p.grad is not None]
        torch.nn.utils.clip_grad_norm_(parameters, _CLIP_NORM)
        for group in self._adamw.param_groups:
            group["lr"] = group["base_rate"] * factor
        self._scaler.step(self._adamw)
        self._scaler.update()

    def state(self) -> dict[str, Tensor]:
        """Moments and step counts by "<index>.<name>"; where losses are scaled, how, by "scaler.<name>"."""
        tensors = self._adamw.state_dict()["state"]
        scaling = self._scaler.state_dict()
        scaled = {f"scaler.{name}": torch.tensor(scaling[name]) for name in _SCALING if name in scaling}
        return scaled | {
            f"{index}.{name}": value.detach().cpu().clone()
            for index, moments in tensors.items()
            for name, value in moments.items()
        }

    def load(self, state: dict[str, Tensor]) -> None:
        """Take over what `state` gave."""
        moments: dict[int, dict[str, Tensor]] = {}
        scaling = {name: state[f"scaler.{name}"].item() for name in _SCALING if f"scaler.{name}" in state}
        if self._scaler.is_enabled():
            self._scaler.load_state_dict({**self._scaler.state_dict(), **scaling})
        for key, value in state.items():
            if key.startswith("scaler."):
                continue
            index, name = key.split(".", 1)
            moments.setdefault(int(index), {})[name] = value
        self._adamw.load_state_dict(
            {"state": moments, "param_groups": self._adamw.state_dict()["param_groups"]}
        )
