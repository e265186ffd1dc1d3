"""Heads with one hidden layer on fixed features: all penalties train at once, in batched products."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from autotl.task import TaskKind
from autotl.training.linear import PENALTIES, Components, LinearHead
from autotl.training.loss import mean_loss

_HIDDEN = 128
#: Leading principal components that the hidden layer reads; the rest is mostly noise to it.
_INPUTS = 256
_STEPS, _BATCH_ROWS = 400, 128
_LEARNING_RATE, _WARMUP_SHARE = 3e-3, 0.1
#: Most weight decay, a penalty over the rows: nets of 60 to 4,000 rows learn at 0.3, and nothing at 1.
_MOST_DECAY = 0.3


@dataclass(frozen=True)
class MLPHead:
    """A fitted head: raw outputs = output(relu(hidden(features))).

    Attributes:
        hidden: From features (N, F) to (N, H).
        output: From (N, H) to raw outputs (N, K).
    """

    hidden: LinearHead
    output: LinearHead

    @property
    def penalty(self) -> float:
        """The penalty that both layers were fitted with."""
        return self.output.penalty

    def __call__(self, features: Tensor) -> Tensor:
        """Raw outputs (N, K) of features (N, F)."""
        return self.output(torch.relu(self.hidden(features)))

    def spread(self, columns: Tensor, width: int) -> MLPHead:
        """The head on all `width` features that equals this one on `columns` (F,) of them."""
        return MLPHead(self.hidden.spread(columns, width), self.output)

    def module(self) -> nn.Sequential:
        """The head as a module, float32 on the CPU."""
        return nn.Sequential(self.hidden.module(), nn.ReLU(), self.output.module())


def mlp_path(
    features: Tensor,
    targets: Tensor,
    kind: TaskKind,
    *,
    penalties: Sequence[float] = PENALTIES,
    weights: Tensor | None = None,
    seed: int = 0,
) -> Iterator[MLPHead]:
    """A head with a hidden layer for each penalty, by Adam with a rate that rises, then falls to nothing.

    The number of steps is fixed, and the penalty alone regularises: the choice of a head needs no more than
    its penalty to be fitted again.

    Args:
        features: (N, F).
        targets: (N, K) class indicators or values.
        kind: Kind of task.
        penalties: P weights of ||W||^2 / 2 against the summed loss, on both layers; at most 0.3 a row count,
            beyond which both would be drawn to nothing, and every row get the same answer.
        weights: (K,) weight of each class in the loss.
        seed: Of the first weights and the order of rows.

    Yields:
        One head a penalty.
    """
    components = Components(features)
    # Components come with ascending variances.
    x = components.scores[:, -_INPUTS:]
    scale = x.square().mean().sqrt().clamp_min(1e-12)
    decay = (x.new_tensor(penalties) / len(x)).clamp_max(_MOST_DECAY)
    layers = _trained(x / scale, targets, kind, decay, weights, seed)
    unread = components.scores.shape[1] - x.shape[1]
    for penalty, first, shift, second, offset in zip(penalties, *layers, strict=True):
        weight = nn.functional.pad(first.T / scale, (unread, 0))
        hidden = components.head(weight, shift[0], penalty)
        yield MLPHead(hidden, LinearHead(second.T.contiguous(), offset[0], penalty))


def _trained(
    x: Tensor, targets: Tensor, kind: TaskKind, decay: Tensor, weights: Tensor | None, seed: int
) -> list[Tensor]:
    """Weights (P, R, H), shifts (P, 1, H), weights (P, H, K) and offsets (P, 1, K) of P nets on x (N, R)."""
    generator = torch.Generator().manual_seed(seed)
    count, (rows, width), outputs = len(decay), x.shape, targets.shape[1]
    first = torch.randn(width, _HIDDEN, generator=generator) * (2.0 / max(1, width)) ** 0.5
    second = torch.randn(_HIDDEN, outputs, generator=generator) * _HIDDEN**-0.5
    starts = (first, torch.zeros(1, _HIDDEN), second, torch.zeros(1, outputs))
    layers = [start.to(x).expand(count, -1, -1).clone().requires_grad_() for start in starts]
    optimizer = torch.optim.Adam(layers, lr=_LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, _LEARNING_RATE, total_steps=_STEPS, pct_start=_WARMUP_SHARE
    )
    for _ in range(_STEPS):
        drawn = torch.randint(rows, (min(rows, _BATCH_ROWS),), generator=generator).to(x.device)
        hidden = torch.relu(torch.baddbmm(layers[1], x[drawn].expand(count, -1, -1), layers[0]))
        raw = torch.baddbmm(layers[3], hidden, layers[2])
        # The nets are independent: the gradient of a sum is that of each.
        loss = count * mean_loss(raw.flatten(0, 1), targets[drawn].repeat(count, 1), kind, weights, 0.0)
        norms = layers[0].square().sum(dim=(1, 2)) + layers[2].square().sum(dim=(1, 2))
        optimizer.zero_grad()
        (loss + 0.5 * (decay * norms).sum()).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return [layer.detach() for layer in layers]
