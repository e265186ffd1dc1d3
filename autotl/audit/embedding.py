"""A map of the rows to draw: features in two dimensions, neighbours kept together as far as that goes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: Rows that are drawn at most: three seconds, and no more dots than an eye tells apart.
MOST_ROWS = 1200
_COMPONENTS = 30
_PERPLEXITY, _STEPS = 30.0, 400
_LEAST_ROWS = 10


def embedding(features: Array, seed: int = 0) -> Array:
    """Coordinates by t-SNE of the principal components (van der Maaten and Hinton 2008).

    It begins from the first two of them, which keeps what is far apart in place (Kobak and Berens 2019).

    Args:
        features: (N, F), N at most `MOST_ROWS` for the sake of time.
        seed: Seed of the method; the same rows and seed give the same map.

    Returns:
        (N, 2) float32, centred; the principal components themselves of fewer than 10 rows.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # threads that wait for one another lose more than they gain
        return _embedding(features, seed)


def _embedding(features: Array, seed: int) -> Array:
    components = _principal(features)
    start = components[:, :2] / max(float(components[:, 0].std()), 1e-12) * 1e-4
    if len(features) < _LEAST_ROWS:
        return np.asarray(start * 1e4, np.float32)
    from sklearn.manifold import TSNE

    method = TSNE(
        2,
        perplexity=min(_PERPLEXITY, (len(features) - 1) / 3),
        init=start.astype(np.float32),
        max_iter=_STEPS,
        random_state=seed,
    )
    found = np.asarray(method.fit_transform(components.astype(np.float32)), np.float32)
    return np.asarray(found - found.mean(axis=0))


def _principal(features: Array) -> Array:
    """The first principal components (N, at most 30), at least two columns, each sign fixed."""
    x = features.astype(np.float64)
    x -= x.mean(axis=0)
    gram = x @ x.T if len(x) <= x.shape[1] else x.T @ x
    values, vectors = np.linalg.eigh(gram)
    values, vectors = values[::-1][:_COMPONENTS].clip(0), vectors[:, ::-1][:, :_COMPONENTS]
    scores = vectors * np.sqrt(values) if len(x) <= x.shape[1] else x @ vectors
    largest = np.take_along_axis(scores, np.abs(scores).argmax(axis=0)[None], axis=0)
    scores = scores * np.where(largest < 0, -1.0, 1.0)
    return scores if scores.shape[1] > 1 else np.pad(scores, ((0, 0), (0, 2 - scores.shape[1])))
