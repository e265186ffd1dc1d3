"""`Sketch`: embeddings in few coordinates, their moments, and how far a row lies from all others.

Embeddings are standardised and multiplied by a matrix of random signs (Achlioptas 2003), which keeps
distances; the signs come from a seed, so that a bundle need not carry the matrix. The covariance is kept as
that of probabilistic principal components (Tipping and Bishop 1999): a few axes, and one variance for all
other directions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: Coordinates that embeddings are projected to, at most, and principal axes kept of them.
MOST_DIMENSIONS, MOST_AXES = 256, 64
#: Rows to a principal axis, at least: axes of fewer rows follow their noise.
_ROWS_PER_AXIS = 5
#: Least deviation of a feature, as a share of the mean one: a feature that never moved must not decide alone.
_LEAST_DEVIATION = 0.1
_FOLDS = 5


@dataclass(frozen=True)
class Sketch:
    """Moments of a set of embeddings.

    Attributes:
        mean: (F,) float32 of the features.
        scale: (F,) float32, their deviation.
        axes: (P, A) float32, principal axes of the projected embeddings, the widest first.
        variances: (A,) float32 along them.
        rest: Variance along any other direction.
        seed: Of the random signs.
    """

    mean: Array
    scale: Array
    axes: Array
    variances: Array
    rest: float
    seed: int

    @classmethod
    def of(cls, features: Array, seed: int) -> Self:
        """The sketch of features (N, F), N at least 2."""
        values = np.asarray(features, np.float64)
        deviation = values.std(axis=0)
        typical = float(np.sqrt(np.mean(deviation**2))) or 1.0
        scale = np.maximum(deviation, _LEAST_DEVIATION * typical).astype(np.float32)
        mean = values.mean(axis=0).astype(np.float32)
        projected = _project(features, mean, scale, seed)
        return cls(mean, scale, *_components(projected), seed)

    def project(self, features: Array) -> Array:
        """Features (N, F) in the coordinates of the sketch, (N, P) float32, P at most 256.

        Squared distances there are near the mean, over features, of squared standardised differences.
        """
        return _project(features, self.mean, self.scale, self.seed)

    def plain(self, features: Array) -> Array:
        """Features (N, F) projected without a scale of each, (N, P): for comparing rows with those described.

        Deviations of described rows fit these better than any others: by them alone the two could be told
        apart, which makes for false alarms where features are many and seldom active.
        """
        typical = np.sqrt(np.mean(self.scale**2))
        return _project(features, self.mean, np.full_like(self.scale, typical), self.seed)

    def distances(self, projected: Array) -> Array:
        """Squared Mahalanobis distance from the mean over P, (N,): about 1 where nothing is new."""
        return _distances(projected, self.axes, self.variances, self.rest)


def cross_fitted_distances(features: Array, seed: int) -> Array:
    """`Sketch.distances` of features (N, F) from the other rows, (N,): what a row that is new would have.

    Moments fitted on a row would call it near; each fifth of the rows is measured by a sketch of the others.
    """
    fold = np.random.default_rng(seed).permutation(len(features)) % _FOLDS
    found = np.empty(len(features), np.float32)
    for number in range(min(_FOLDS, len(features))):
        others = Sketch.of(features[fold != number], seed)
        found[fold == number] = others.distances(others.project(features[fold == number]))
    return found


def _project(features: Array, mean: Array, scale: Array, seed: int) -> Array:
    values = (np.asarray(features, np.float32) - mean) / (scale * np.sqrt(np.float32(len(mean))))
    return np.asarray(values if len(mean) <= MOST_DIMENSIONS else values @ _signs(len(mean), seed))


def _signs(features: int, seed: int) -> Array:
    """(F, P) of +-1 / sqrt(P) from the raw bits of a generator, which stay the same in every NumPy."""
    words = np.random.PCG64(seed).random_raw(-(-features * MOST_DIMENSIONS // 64))
    bits = np.unpackbits(words.astype("<u8").view(np.uint8))[: features * MOST_DIMENSIONS]
    signs = (2 * bits.astype(np.float32) - 1) / np.sqrt(np.float32(MOST_DIMENSIONS))
    return np.asarray(signs.reshape(features, MOST_DIMENSIONS))


def _components(centred: Array) -> tuple[Array, Array, float]:
    """Axes (P, A), variances along them (A,), and the mean variance along all others."""
    rows, dimensions = centred.shape
    values, vectors = np.linalg.eigh(centred.T.astype(np.float64) @ centred / max(rows - 1, 1))
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    count = max(1, min(MOST_AXES, rows // _ROWS_PER_AXIS, dimensions - 1))
    left = values[count:].sum() / max(dimensions - count, 1)
    # Of few rows all variance may lie on the axes: what is left must not be nothing.
    rest = max(float(left), 1e-3 * float(values.mean()), 1e-12)
    return vectors[:, :count].astype(np.float32), np.maximum(values[:count], rest).astype(np.float32), rest


def _distances(centred: Array, axes: Array, variances: Array, rest: float) -> Array:
    along = centred @ axes
    outside = np.maximum(np.sum(centred**2, axis=1) - np.sum(along**2, axis=1), 0)
    return np.asarray((np.sum(along**2 / variances, axis=1) + outside / rest) / centred.shape[1], np.float32)
