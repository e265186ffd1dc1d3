"""Linear heads on fixed features: logistic regression along a regularisation path, ridge, prototypes.

Features are standardised by column for fitting; the heads returned act on raw features. Works on any device.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from autotl.task import TaskKind

#: Penalties tried, strong first: weight of ||W||^2 / 2 against the summed loss (1 / C of scikit-learn).
PENALTIES = (3000.0, 1000.0, 300.0, 100.0, 30.0, 10.0, 3.0, 1.0, 0.3)
_ITERATIONS = 60
_TOLERANCE = 1e-4


@dataclass(frozen=True)
class LinearHead:
    """A fitted head: raw outputs = features @ weight.T + bias.

    Attributes:
        weight: (K, F).
        bias: (K,).
        penalty: The penalty it was fitted with.
    """

    weight: Tensor
    bias: Tensor
    penalty: float

    def __call__(self, features: Tensor) -> Tensor:
        """Raw outputs (N, K) of features (N, F)."""
        return features @ self.weight.T + self.bias

    def module(self) -> nn.Linear:
        """The head as a module, float32 on the CPU."""
        linear = nn.Linear(self.weight.shape[1], self.weight.shape[0])
        with torch.no_grad():
            linear.weight.copy_(self.weight)
            linear.bias.copy_(self.bias)
        return linear


class Standardiser:
    """Centres and scales columns; constant columns are only centred.

    Args:
        features: (N, F).
    """

    def __init__(self, features: Tensor) -> None:
        self.mean = features.mean(dim=0)
        deviation = features.std(dim=0, correction=0)
        self.scale = torch.where(deviation > 1e-6 * deviation.max(), deviation, torch.ones_like(deviation))

    def __call__(self, features: Tensor) -> Tensor:
        """Standardised features (N, F)."""
        return (features - self.mean) / self.scale

    def unfold(self, weight: Tensor, bias: Tensor, penalty: float) -> LinearHead:
        """The head on raw features that equals one on standardised features."""
        raw = weight / self.scale
        return LinearHead(raw, bias - raw @ self.mean, penalty)


def logistic_path(
    features: Tensor,
    targets: Tensor,
    kind: TaskKind,
    *,
    penalties: Sequence[float] = PENALTIES,
    weights: Tensor | None = None,
) -> Iterator[LinearHead]:
    """Multinomial (or one-against-rest, for multilabel) logistic regression for each penalty.

    Solved by L-BFGS on the convex loss, each penalty started from the solution of the last.

    Args:
        features: (N, F).
        targets: (N, K) class indicators.
        kind: Multilabel fits K independent sigmoids, the others one softmax.
        penalties: Strong first.
        weights: (K,) weight of each class in the loss.

    Yields:
        One head a penalty.
    """
    standardise = Standardiser(features)
    x = standardise(features)
    sample_weights = None if weights is None else targets @ weights
    weight = torch.zeros(targets.shape[1], x.shape[1], device=x.device, requires_grad=True)
    bias = torch.zeros(targets.shape[1], device=x.device, requires_grad=True)
    for penalty in penalties:
        _minimise(x, targets, kind, penalty, sample_weights, weight, bias)
        yield standardise.unfold(weight.detach(), bias.detach(), penalty)


def _minimise(
    x: Tensor,
    targets: Tensor,
    kind: TaskKind,
    penalty: float,
    sample_weights: Tensor | None,
    weight: Tensor,
    bias: Tensor,
) -> None:
    optimizer = torch.optim.LBFGS(
        [weight, bias],
        max_iter=_ITERATIONS,
        history_size=10,
        tolerance_grad=1e-6,
        tolerance_change=_TOLERANCE * 1e-2,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        raw = x @ weight.T + bias
        if kind is TaskKind.MULTILABEL:
            losses = nn.functional.binary_cross_entropy_with_logits(raw, targets, reduction="none").sum(1)
        else:
            losses = -(targets * torch.log_softmax(raw, dim=1)).sum(1)
        if sample_weights is not None:
            losses = losses * sample_weights
        loss = losses.mean() + 0.5 * penalty / len(x) * weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]


def ridge_path(
    features: Tensor, targets: Tensor, *, penalties: Sequence[float] = PENALTIES
) -> Iterator[LinearHead]:
    """Ridge regression for each penalty from one eigendecomposition of the smaller Gram matrix.

    Args:
        features: (N, F).
        targets: (N, K) values, or indicators (least-squares classification).
        penalties: Weight of ||W||^2 against the summed squared error.

    Yields:
        One head a penalty.
    """
    standardise = Standardiser(features)
    x = standardise(features).double()
    offset = targets.double().mean(dim=0)
    y = targets.double() - offset
    dual = len(x) < x.shape[1]
    gram = x @ x.T if dual else x.T @ x
    values, vectors = torch.linalg.eigh(gram)
    values = values.clamp_min(0)
    projected = vectors.T @ (y if dual else x.T @ y)
    for penalty in penalties:
        solved = vectors @ (projected / (values + penalty)[:, None])
        weight = ((x.T @ solved) if dual else solved).T
        yield standardise.unfold(weight.to(features.dtype), offset.to(features.dtype), penalty)


def prototype_head(features: Tensor, targets: Tensor) -> LinearHead:
    """Nearest class mean in standardised space, as a linear head.

    -||x - m||^2 / 2 differs from x.m - ||m||^2 / 2 only by a term that all classes share. Logits are divided
    by sqrt(F), which keeps the softmax from saturating.

    Args:
        features: (N, F).
        targets: (N, K) class indicators, each class at least once.
    """
    standardise = Standardiser(features)
    x = standardise(features)
    means = (targets.T @ x) / targets.sum(dim=0).clamp_min(1)[:, None]
    temperature = x.shape[1] ** 0.5
    bias = -0.5 * means.square().sum(dim=1)
    return standardise.unfold(means / temperature, bias / temperature, 0.0)
