"""Ridge regression in closed form: every penalty, and what each row would get if it were left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from autotl.task import TaskKind
from autotl.training.linear import PENALTIES, Components, LinearHead

#: Leverage that a row keeps at most: beyond, leaving it out leaves nothing that speaks of it.
_MOST_LEVERAGE = 1.0 - 1e-4
#: Factors that may turn outputs near -1 and 1 into logits.
_SHARPNESS = tuple(2.0**power for power in range(-1, 7))


class Ridge:
    """Least squares with a penalty on the weights, for several penalties at once.

    Args:
        components: Of the training features.
        targets: (N, K) values; `signs` for classes.
        penalties: P weights of ||W||^2 against the summed squared error.
    """

    def __init__(
        self, components: Components, targets: Tensor, penalties: Sequence[float] = PENALTIES
    ) -> None:
        self.penalties = tuple(penalties)
        self._components, self._targets = components, targets.to(components.scores.dtype)
        targets = self._targets
        self._offset = targets.mean(dim=0)
        shrunk = components.variances[None] + targets.new_tensor(self.penalties)[:, None]
        self._inverse = shrunk.reciprocal()
        projected = components.scores.T @ (targets - self._offset)
        self._weights = self._inverse[:, :, None] * projected

    def left_out(self, index: int) -> Tensor:
        """Outputs (N, K) for each row of a fit without it, but for the standardisation, at one penalty.

        A row's residual grows by 1 / (1 - its leverage) (Allen 1974), so that nothing is fitted again.
        """
        scores = self._components.scores
        leverage = scores.square() @ self._inverse[index] + 1.0 / len(scores)
        residuals = self._targets - (scores @ self._weights[index] + self._offset)
        left_out: Tensor = self._targets - residuals / (1.0 - leverage.clamp_max(_MOST_LEVERAGE))[:, None]
        return left_out

    def head(self, index: int) -> LinearHead:
        """The head of one penalty."""
        return self._components.head(self._weights[index].T, self._offset, self.penalties[index])

    def outputs(self, features: Tensor) -> Tensor:
        """Outputs (P, V, K) of all heads on features (V, F), in one product."""
        heads = [self.head(index) for index in range(len(self.penalties))]
        weight, bias = torch.cat([head.weight for head in heads]), torch.cat([head.bias for head in heads])
        raw = features @ weight.T + bias
        return raw.reshape(len(features), len(heads), -1).transpose(0, 1)

    def relevance(self) -> Tensor:
        """(F,) norm of each standardised feature's weights, at the penalty of least squared error left out.

        The group lasso of Head2Toe (Evci et al. 2022) ranks features by the same norm.
        """
        indices = range(len(self.penalties))
        best = min(indices, key=lambda i: float((self.left_out(i) - self._targets).square().sum()))
        weight = self._weights[best].T
        return self._components.standardised(weight).square().sum(dim=0).sqrt()


def signs(targets: Tensor) -> Tensor:
    """Class indicators as -1 and 1, which puts the decision of a single output at 0."""
    return 2.0 * targets - 1.0


def sharpness(outputs: Tensor, targets: Tensor, kind: TaskKind) -> float:
    """The factor that turns least-squares outputs (N, K) into the best logits by log loss."""
    losses = []
    for factor in _SHARPNESS:
        if kind is TaskKind.MULTILABEL:
            loss = nn.functional.binary_cross_entropy_with_logits(factor * outputs, targets)
        else:
            loss = nn.functional.cross_entropy(factor * outputs, targets)
        losses.append(float(loss))
    return _SHARPNESS[losses.index(min(losses))]


def ridge_path(
    features: Tensor, targets: Tensor, kind: TaskKind, *, penalties: Sequence[float] = PENALTIES
) -> Iterator[LinearHead]:
    """Ridge regression for each penalty from one decomposition; logits of classes where there are classes.

    Args:
        features: (N, F).
        targets: (N, K) values, or indicators of classes (least-squares classification).
        kind: Regression gives values as they are; the others signs, scaled to logits on rows left out.
        penalties: Weight of ||W||^2 against the summed squared error.

    Yields:
        One head a penalty.
    """
    regression = kind is TaskKind.REGRESSION
    ridge = Ridge(Components(features), targets if regression else signs(targets), penalties)
    for index in range(len(ridge.penalties)):
        head = ridge.head(index)
        yield head if regression else head.scaled(sharpness(ridge.left_out(index), targets, kind))
