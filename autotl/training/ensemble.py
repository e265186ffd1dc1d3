"""One model of several heads over one pass of a shared, frozen backbone."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from autotl.errors import TrialError
from autotl.task import TaskKind
from autotl.training.model import TransferModel

Span = tuple[int, int]


class MixtureHead(nn.Module):
    """The weighted mean of what several heads predict, as raw outputs of the mean.

    Probabilities are averaged, and values of a regression. A softmax (a sigmoid for multilabel) of the raw
    outputs gives the mean of the probabilities.

    Args:
        heads: Modules from features (B, F_i) to raw outputs (B, K).
        spans: For each head, the columns of the features (B, F) that it takes, in its order.
        weights: A positive weight a head.
        kind: The kind of task.
    """

    def __init__(
        self,
        heads: Sequence[nn.Module],
        spans: Sequence[Sequence[Span]],
        weights: Sequence[float],
        kind: TaskKind,
    ) -> None:
        super().__init__()
        self.heads = nn.ModuleList(heads)
        self.spans = tuple(tuple(own) for own in spans)
        self.kind = kind
        shares = torch.tensor(weights, dtype=torch.float32)
        self.log_shares: Tensor
        self.register_buffer("log_shares", (shares / shares.sum()).log()[:, None, None])

    def forward(self, features: Tensor) -> Tensor:
        """Raw outputs (B, K) of features (B, F)."""
        raw = torch.stack(
            [
                head(torch.cat([features[:, start:stop] for start, stop in spans], dim=1))
                for head, spans in zip(self.heads, self.spans, strict=True)
            ]
        )
        if self.kind is TaskKind.REGRESSION:
            return (raw * self.log_shares.exp()).sum(dim=0)
        if self.kind is TaskKind.MULTILABEL:
            log_sigmoid = nn.functional.logsigmoid
            return self._mean(log_sigmoid(raw)) - self._mean(log_sigmoid(-raw))
        return self._mean(torch.log_softmax(raw, dim=2))

    def _mean(self, logarithms: Tensor) -> Tensor:
        """Logarithm (B, K) of the weighted mean of what `logarithms` (M, B, K) are of."""
        return torch.logsumexp(logarithms + self.log_shares, dim=0)


def ensemble(models: Sequence[TransferModel], weights: Sequence[float]) -> TransferModel:
    """One model that predicts the weighted mean of several.

    Args:
        models: Heads on the same backbone, at any depths.
        weights: A positive weight a model.

    Raises:
        TrialError: The models do not share backbone, preprocessing and scaling of the target.
    """
    first = models[0]
    shared = [
        m.backbone is first.backbone
        and m.spec.key == first.spec.key
        and (m.target_mean, m.target_scale) == (first.target_mean, first.target_scale)
        for m in models
    ]
    if not all(shared):
        raise TrialError(
            "heads can only be joined over the same features",
            found=f"{shared.count(False)} of {len(models)} models on a backbone of their own",
            expected="one frozen backbone and one preprocessing",
        )
    depths = tuple(sorted({depth for model in models for depth in model.depths}))
    spans: dict[int, Span] = {}
    start = 0
    for depth in depths:
        spans[depth] = (start, start + first.backbone.feature_dim(depth))
        start = spans[depth][1]
    head = MixtureHead(
        [model.head for model in models],
        [[spans[depth] for depth in model.depths] for model in models],
        weights,
        first.task.kind,
    )
    joined = TransferModel(
        first.backbone,
        head,
        depths,
        first.task,
        first.spec,
        target_mean=first.target_mean,
        target_scale=first.target_scale,
    )
    return joined.eval()
