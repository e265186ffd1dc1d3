"""Which rows belong together: connected components of what joins them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def components(edges: Sequence[Array], count: int) -> Array:
    """The component of each of `count` rows.

    Args:
        edges: Arrays (2, P) of pairs of rows.
        count: N.

    Returns:
        (N,) int64 codes from 0; a row that nothing joins has a code of its own.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not edges:
        return np.arange(count)
    left, right = np.concatenate(edges, axis=1)
    graph = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def same_code(codes: Array) -> Array:
    """Edges (2, N) that join each row with the first one that has its code."""
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    return np.stack([np.arange(len(codes)), first[inverse]])


def rows_by_code(codes: Array) -> list[Array]:
    """The rows of each code, in the order of the codes."""
    order = np.argsort(codes, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(codes[order])) + 1) if len(codes) else []
