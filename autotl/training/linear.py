"""Linear heads on fixed features: principal components, logistic regression along a path, prototypes.

Features are standardised by column for fitting; the heads returned act on raw features. Works on any device.
Ridge regression, from the same components, is in `ridge`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from autotl.task import TaskKind

#: Penalties tried, strong first: weight of ||W||^2 / 2 against the summed loss (1 / C of scikit-learn).
PENALTIES = (3000.0, 1000.0, 300.0, 100.0, 30.0, 10.0, 3.0, 1.0, 0.3)
_ITERATIONS = 100
#: Relative gain of an iteration below which the loss is at its minimum. A tenth of it takes 1.1 (sst2) to 1.6
#: times as long (clinc150), to change one to three of a thousand answers.
_TOLERANCE = 1e-5
#: Pairs of steps and changes of the gradient that L-BFGS remembers.
_MEMORY = 10
_SUFFICIENT_DECREASE, _SHORTEST_STEP = 1e-4, 1e-3
#: Share of the largest eigenvalue below which a component is rounding error of single precision.
_LEAST_VARIANCE = 1e-6


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

    def scaled(self, factor: float) -> LinearHead:
        """The head whose outputs are `factor` times as large."""
        return LinearHead(self.weight * factor, self.bias * factor, self.penalty)

    def spread(self, columns: Tensor, width: int) -> LinearHead:
        """The head on all `width` features that equals this one on `columns` (F,) of them."""
        weight = self.weight.new_zeros(len(self.weight), width)
        weight[:, columns] = self.weight
        return LinearHead(weight, self.bias, self.penalty)

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


class Components:
    """Principal components of standardised features: the one decomposition behind every linear head.

    Single precision does: the basis need only be orthogonal, and variances are measured in it.

    Args:
        features: (N, F).

    Attributes:
        scores: (N, R) standardised features in the basis; R is at most min(N, F).
        variances: (R,) sums of squares of the scores.
    """

    def __init__(self, features: Tensor) -> None:
        self._standardise = Standardiser(features)
        x = self._standardise(features)
        dual = len(x) < x.shape[1]
        values, vectors = torch.linalg.eigh(x @ x.T if dual else x.T @ x)
        kept = values > _LEAST_VARIANCE * values[-1]
        vectors = vectors[:, kept]
        self._basis = (x.T @ vectors) * values[kept].rsqrt() if dual else vectors
        self.scores = x @ self._basis
        self.variances = self.scores.square().sum(dim=0)

    def standardised(self, weight: Tensor) -> Tensor:
        """Weights (K, F) on standardised features that equal weights (K, R) on the scores."""
        standardised: Tensor = weight @ self._basis.T
        return standardised

    def head(self, weight: Tensor, bias: Tensor, penalty: float) -> LinearHead:
        """The head on raw features that equals weights (K, R) and bias (K,) on the scores."""
        return self._standardise.unfold(self.standardised(weight), bias, penalty)


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
    at equal probabilities (Boehning 1992), which makes the problem nearly round: some tens of iterations do.
    Each penalty starts from the solution of the last.

    Args:
        features: (N, F).
        targets: (N, K) class indicators.
        kind: Multilabel fits K independent sigmoids, the others one softmax.
        penalties: Strong first.
        weights: (K,) weight of each class in the loss.

    Yields:
        One head a penalty.
    """
    components = Components(features)
    ones = features.new_ones(len(features), 1)
    x = torch.cat([components.scores, ones], dim=1)
    curvatures = torch.cat([components.variances, ones.sum(dim=0)])
    curvatures *= 0.25 if kind is TaskKind.MULTILABEL else 1.0 / targets.shape[1]
    sample_weights = None if weights is None else (targets @ weights)[:, None]
    solution = x.new_zeros(x.shape[1], targets.shape[1])
    for penalty in penalties:
        decay = torch.full_like(curvatures, penalty)
        decay[-1] = 0.0  # the bias is free
        loss = _Loss(x, targets, kind, decay, (curvatures + decay).rsqrt(), sample_weights)
        solution = loss.minimise(solution)
        yield components.head(solution[:-1].T, solution[-1], penalty)


@dataclass(frozen=True)
class _Loss:
    """The summed, penalised loss over inputs (N, R), for weights W (R, K) and step lengths by column (R,)."""

    x: Tensor
    targets: Tensor
    kind: TaskKind
    decay: Tensor
    scale: Tensor
    sample_weights: Tensor | None

    def minimise(self, weight: Tensor) -> Tensor:
        """The minimum, from a starting point: L-BFGS (Nocedal and Wright, algorithm 7.5) on W / scale.

        Outputs are linear in the weights, so that a line search needs no product of its own.
        """
        scale = self.scale[:, None]
        raw = self.x @ weight
        value, gradient = self._value(raw, weight), scale * self._gradient(raw, weight)
        memory: deque[tuple[Tensor, Tensor, Tensor]] = deque(maxlen=_MEMORY)
        for _ in range(_ITERATIONS):
            direction = _direction(gradient, memory)
            along, change = scale * direction, self.x @ (scale * direction)
            slope, step = (gradient * direction).sum(), 1.0
            lower = self._value(raw + change, weight + along)
            while lower > value + _SUFFICIENT_DECREASE * step * slope and step > _SHORTEST_STEP:
                step /= 2
                lower = self._value(raw + step * change, weight + step * along)
            if not lower < value:
                break
            weight, raw = weight + step * along, raw + step * change
            turned = scale * self._gradient(raw, weight)
            moved, difference = step * direction, turned - gradient
            curvature = (moved * difference).sum()
            if curvature > 0:
                memory.append((moved, difference, curvature))
            gain, value, gradient = value - lower, lower, turned
            if gain <= _TOLERANCE * value:
                break
        return weight

    def _value(self, raw: Tensor, weight: Tensor) -> Tensor:
        if self.kind is TaskKind.MULTILABEL:
            losses = nn.functional.softplus(raw) - raw * self.targets
        else:
            losses = -self.targets * torch.log_softmax(raw, dim=1)
        if self.sample_weights is not None:
            losses = losses * self.sample_weights
        return losses.sum() + 0.5 * (self.decay[:, None] * weight.square()).sum()

    def _gradient(self, raw: Tensor, weight: Tensor) -> Tensor:
        multilabel = self.kind is TaskKind.MULTILABEL
        errors = (torch.sigmoid(raw) if multilabel else torch.softmax(raw, dim=1)) - self.targets
        if self.sample_weights is not None:
            errors = errors * self.sample_weights
        return self.x.T @ errors + self.decay[:, None] * weight


def _direction(gradient: Tensor, memory: deque[tuple[Tensor, Tensor, Tensor]]) -> Tensor:
    """The quasi-Newton step (algorithm 7.4): minus the inverse Hessian, as remembered, times the gradient."""
    direction, shares = -gradient, []
    for moved, difference, curvature in reversed(memory):
        share = (moved * direction).sum() / curvature
        direction = direction - share * difference
        shares.append(share)
    if memory:
        _, difference, curvature = memory[-1]
        direction = direction * (curvature / difference.square().sum())
    for (moved, difference, curvature), share in zip(memory, reversed(shares), strict=True):
        direction = direction + (share - (difference * direction).sum() / curvature) * moved
    return direction


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
