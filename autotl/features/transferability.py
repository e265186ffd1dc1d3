"""How well frozen features suit targets, in closed form: ridge, nearest neighbours, LogME, H-score.

Pure functions of arrays in float64; one decomposition of the features serves ridge, LogME and H-score. They
know nothing of backbones, and fit no head that could be kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.task import TaskKind

Array = NDArray[Any]

#: Penalties of ridge as shares of the mean variance that all columns together have, strong first.
PENALTIES = (10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
#: Numbers of neighbours tried.
NEIGHBOURS = (1, 3, 5, 10, 20)
#: Softness of a neighbour's vote by its cosine (Caron et al. 2021, DINO).
_VOTE_TEMPERATURE = 0.07
#: Share of the largest squared singular value below which a component is rounding error.
_LEAST_VARIANCE = 1e-10
_ITERATIONS, _TOLERANCE = 100, 1e-5


@dataclass(frozen=True)
class Spectrum:
    """Standardised features (N, F) as `left * sqrt(squares)` in the basis of their principal components.

    Attributes:
        left: (N, R) orthonormal columns, each with mean 0.
        squares: (R,) squared singular values, ascending.
        width: F, the constant columns included.
        fourth: Mean over rows of the fourth power of their length.
        cosines: (N, N) cosines between rows.
    """

    left: Array
    squares: Array
    width: int
    fourth: float
    cosines: Array


def spectrum(features: Array) -> Spectrum:
    """Standardise features (N, F) by column and decompose them; constant columns are only centred."""
    x = features.astype(np.float64)
    x -= x.mean(axis=0)
    deviation = x.std(axis=0)
    x /= np.where(deviation > 1e-6 * deviation.max(initial=0.0), deviation, 1.0)
    inner = x @ x.T
    lengths = np.sqrt(np.diag(inner).clip(min=np.finfo(float).tiny))
    if x.shape[0] <= x.shape[1]:
        squares, left = np.linalg.eigh(inner)
        kept = squares > _LEAST_VARIANCE * max(squares[-1], 1.0)
        squares, left = squares[kept], left[:, kept]
    else:
        squares, right = np.linalg.eigh(x.T @ x)
        kept = squares > _LEAST_VARIANCE * max(squares[-1], 1.0)
        squares = squares[kept]
        left = x @ right[:, kept] / np.sqrt(squares)
    cosines = inner / np.outer(lengths, lengths)
    return Spectrum(left, squares, x.shape[1], float(np.mean(lengths**4)), cosines)


def indicators(targets: Array, kind: TaskKind) -> Array:
    """Targets as columns (N, K) float64: one a class that occurs, one a label, or standardised values."""
    if kind is TaskKind.MULTILABEL:
        return targets.astype(np.float64)
    if kind is TaskKind.REGRESSION:
        return np.asarray((targets - targets.mean()) / (targets.std() or 1.0), np.float64)[:, None]
    return np.asarray(targets[:, None] == np.unique(targets)[None, :], np.float64)


def accuracy(columns: Array, predictions: Array, kind: TaskKind) -> float:
    """Share of rows whose class is right, mean average precision of labels, or R2 of values.

    Args:
        columns: (N, K) from `indicators`.
        predictions: (N, K).
        kind: Kind of task.
    """
    if kind is TaskKind.MULTILABEL:
        return _mean_average_precision(columns, predictions)
    if kind is TaskKind.REGRESSION:
        return float(1.0 - np.mean((columns - predictions) ** 2) / max(float(np.var(columns)), 1e-12))
    return float(np.mean(columns.argmax(axis=1) == predictions.argmax(axis=1)))


def ridge_predictions(
    features: Spectrum, columns: Array, penalties: Sequence[float] = PENALTIES
) -> dict[float, Array]:
    """Leave-one-out predictions (N, K) of ridge with an intercept, for every penalty, without refitting.

    A row's residual without it is its residual divided by one minus its leverage (Allen 1974, PRESS; the
    leverage of the intercept is 1 / N).

    Args:
        features: The decomposed features.
        columns: (N, K) from `indicators`.
        penalties: Weight of ||W||^2 against the summed squared error, as shares of the mean square of all
            columns, which is the number of rows times the mean variance.
    """
    rows = len(columns)
    mean = columns.mean(axis=0)
    projected = features.left.T @ columns
    scale = float(features.squares.sum())
    found = {}
    for penalty in penalties:
        shrunk = features.squares / (features.squares + penalty * scale / rows)
        fitted = mean + features.left @ (shrunk[:, None] * projected)
        leverage = 1.0 / rows + (features.left**2) @ shrunk
        found[penalty] = columns - (columns - fitted) / (1.0 - leverage).clip(min=1e-9)[:, None]
    return found


def ridge_accuracy(features: Spectrum, columns: Array, kind: TaskKind) -> float:
    """`accuracy` of the best penalty of ridge, leave-one-out."""
    return max(accuracy(columns, p, kind) for p in ridge_predictions(features, columns).values())


def knn_predictions(
    features: Spectrum, columns: Array, neighbours: Sequence[int] = NEIGHBOURS
) -> dict[int, Array]:
    """Leave-one-out predictions (N, K) by the nearest rows in cosine, for every number of neighbours.

    Nearer rows weigh more (Caron et al. 2021, DINO), which also breaks ties.
    """
    cosines = features.cosines.copy()
    np.fill_diagonal(cosines, -np.inf)
    most = min(max(neighbours), len(columns) - 1)
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :most]
    near = np.take_along_axis(cosines, nearest, axis=1)
    votes = np.exp((near - near[:, :1]) / _VOTE_TEMPERATURE)
    summed, found = np.zeros_like(columns), {}
    for k in range(1, most + 1):
        summed += votes[:, k - 1, None] * columns[nearest[:, k - 1]]
        if k in neighbours:
            found[k] = summed / votes[:, :k].sum(axis=1, keepdims=True)
    return found


def knn_accuracy(features: Spectrum, columns: Array, kind: TaskKind) -> float:
    """`accuracy` of the best number of neighbours, leave-one-out."""
    return max(accuracy(columns, p, kind) for p in knn_predictions(features, columns).values())


def logme(features: Spectrum, columns: Array) -> float:
    """Logarithm of the maximum evidence, a row, mean over columns (You et al. 2021, LogME).

    Bayesian linear regression with precision `alpha` of the weights and `beta` of the noise, both set to
    maximise the evidence by MacKay's fixed point. Features and columns are centred, in place of an intercept,
    which leaves N - 1 independent rows.
    """
    rows = len(columns) - 1
    centred = columns - columns.mean(axis=0)
    projected = (features.left.T @ centred) ** 2  # (R, K)
    rest = (np.sum(centred**2, axis=0) - projected.sum(axis=0)).clip(min=0.0)
    s = features.squares
    found = []
    for z, beside in zip(projected.T, rest, strict=True):
        alpha = beta = 1.0
        for _ in range(_ITERATIONS):
            before = alpha / beta
            weight, residual = _posterior(s, z, beside, before)
            gamma = float(np.sum(s / (s + before)))
            alpha = gamma / max(weight, 1e-12)
            beta = max(rows - gamma, 1e-12) / max(residual, 1e-12)
            if abs(alpha / beta - before) <= _TOLERANCE * before:
                break
        weight, residual = _posterior(s, z, beside, alpha / beta)
        evidence = rows * np.log(beta) - rows * np.log(2 * np.pi) - beta * residual - alpha * weight
        found.append(0.5 * (evidence - np.sum(np.log1p(s * beta / alpha))) / rows)
    return float(np.mean(found))


def _posterior(squares: Array, projected: Array, rest: float, ratio: float) -> tuple[float, float]:
    """||m||^2 of the mean weights at alpha / beta = `ratio`, and the squared residual."""
    weight = float(np.sum(squares * projected / (squares + ratio) ** 2))
    residual = float(np.sum(projected * (ratio / (squares + ratio)) ** 2)) + rest
    return weight, residual


def h_score(features: Spectrum, columns: Array) -> float:
    """Regularised H-score: tr(C^-1 B) with C the shrunk covariance, B that of what the targets explain.

    Bao et al. 2019, with the covariance shrunk as by Ledoit and Wolf 2004 (Ibrahim et al. 2022). B is the
    covariance of the class means; of several labels, or of values, that of the least-squares fit on them.
    """
    rows, s = len(columns), features.squares
    shrinkage = _shrinkage(features, rows)
    mean_variance = float(s.sum()) / rows / features.width
    centred = columns - columns.mean(axis=0)
    directions, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    directions = directions[:, sizes > 1e-9 * max(float(sizes.max(initial=0.0)), 1.0)]
    explained = s / rows * np.sum((features.left.T @ directions) ** 2, axis=1)
    variances = (1.0 - shrinkage) * s / rows + shrinkage * mean_variance
    return float((1.0 - shrinkage) * np.sum(explained / variances))


def _shrinkage(features: Spectrum, rows: int) -> float:
    """The share by which Ledoit and Wolf 2004 move the covariance towards a multiple of the identity."""
    variances = features.squares / rows
    squared = float(np.sum(variances**2))
    distance = squared - float(variances.sum()) ** 2 / features.width
    error = (features.fourth - squared) / rows
    return min(max(error / distance, 0.0), 1.0) if distance > 0 else 1.0


def _mean_average_precision(columns: Array, predictions: Array) -> float:
    """Mean over the labels that occur of the precision at each row that has the label."""
    order = np.argsort(-predictions, axis=0, kind="stable")
    hits = np.take_along_axis(columns, order, axis=0)
    precision = np.cumsum(hits, axis=0) / np.arange(1, len(hits) + 1)[:, None]
    occurs = hits.sum(axis=0) > 0
    if not occurs.any():
        return 0.0
    return float(np.mean((precision * hits).sum(axis=0)[occurs] / hits.sum(axis=0)[occurs]))
