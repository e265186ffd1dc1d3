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
_ITERATIONS = 40
_GRADIENT_TOLERANCE, _CHANGE_TOLERANCE = 1e-5, 1e-6
#: Share of the largest eigenvalue below which a component is rounding error.
_LEAST_VARIANCE = 1e-7


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

    The convex loss is minimised by L-BFGS in the basis of principal components, each scaled by its curvature
    at equal probabilities (Boehning 1992), which makes the problem nearly round: a few iterations do. Each
    penalty starts from the solution of the last.

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
    variances, basis = _principal_components(x)
    components = x @ basis
    del x
    curvature = 0.25 if kind is TaskKind.MULTILABEL else 1.0 / targets.shape[1]
    sample_weights = None if weights is None else targets @ weights
    solution = torch.zeros(targets.shape[1], components.shape[1], device=components.device)
    bias = torch.zeros(targets.shape[1], device=components.device)
    for penalty in penalties:
        scale = (curvature * variances + penalty).rsqrt()
        loss = _Loss(components * scale, targets, kind, penalty / len(components), scale, sample_weights)
        solution, bias = loss.minimise(solution / scale, bias)
        solution = solution * scale
        yield standardise.unfold(solution @ basis.T, bias, penalty)


def _principal_components(x: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues (R,) of x.T @ x that are not nearly 0, and their vectors (F, R); R is at most min(N, F)."""
    dual = len(x) < x.shape[1]
    gram = (x @ x.T if dual else x.T @ x).double()
    values, vectors = torch.linalg.eigh(gram)
    kept = values > _LEAST_VARIANCE * values[-1]
    values, vectors = values[kept].to(x.dtype), vectors[:, kept].to(x.dtype)
    return values, (x.T @ vectors) * values.rsqrt() if dual else vectors


@dataclass(frozen=True)
class _Loss:
    """The penalised loss over scaled components (N, R), with weights W (K, R) in their scale."""

    x: Tensor
    targets: Tensor
    kind: TaskKind
    decay: float
    scale: Tensor
    sample_weights: Tensor | None

    def minimise(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """The minimum, from a starting point."""
        weight, bias = weight.clone().requires_grad_(), bias.clone().requires_grad_()
        optimizer = torch.optim.LBFGS(
            [weight, bias],
            max_iter=_ITERATIONS,
            history_size=10,
            tolerance_grad=_GRADIENT_TOLERANCE,
            tolerance_change=_CHANGE_TOLERANCE,
            line_search_fn="strong_wolfe",
        )

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = self(weight, bias)
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        optimizer.step(closure)  # type: ignore[no-untyped-call]
        return weight.detach(), bias.detach()

    def __call__(self, weight: Tensor, bias: Tensor) -> Tensor:
        raw = self.x @ weight.T + bias
        if self.kind is TaskKind.MULTILABEL:
            losses = nn.functional.softplus(raw).sum(1) - (raw * self.targets).sum(1)
        else:
            losses = -(self.targets * torch.log_softmax(raw, dim=1)).sum(1)
        if self.sample_weights is not None:
            losses = losses * self.sample_weights
        return losses.mean() + 0.5 * self.decay * (weight * self.scale).square().sum()


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
