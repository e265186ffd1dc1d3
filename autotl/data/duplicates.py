"""Near duplicates among packed signatures: pairs within a Hamming distance, joined into clusters.

All pairs are found, none is sampled, those of inputs in other orientations too where a modality knows such.
Keys are `(N, W)` uint64; what they mean is the modality's matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.data.components import components, same_code

Array = NDArray[Any]
_BLOCK = 512
_MAX_PAIRS = 1_000_000
#: Comparing only keys that meet pays while these are fewer than this share of all.
_WORTHWHILE = 0.1
_MAX_EDGES = 2_000_000
#: A cluster of more rows than both of these is no set of copies but a data set that looks alike.
_MAX_CLUSTER = 50
_MAX_CLUSTER_SHARE = 0.05


def most_copies(count: int) -> int:
    """Rows that a cluster among `count` may have: one of more is no set of copies."""
    return max(_MAX_CLUSTER, int(_MAX_CLUSTER_SHARE * count))


def near_clusters(keys: Array, bits: int, turned: Callable[[Array], Array] | None = None) -> Array:
    """Cluster rows whose signatures are near.

    Clusters are connected components of the pairs within `bits`. Where a component grows past 50 rows and
    5 % of all (chains through a uniform data set, not copies), its rows are joined again at half the
    distance, until it is small enough or only equal signatures are left.

    Args:
        keys: (N, W) uint64 signatures.
        bits: Largest Hamming distance of a pair.
        turned: Gives the keys (S, M, W) of M inputs in S other orientations, where these count as near too.

    Returns:
        (N,) int64 cluster codes from 0; rows without a near duplicate have a code of their own.
    """
    if not len(keys):
        return np.zeros(0, dtype=np.int64)
    distinct, inverse = np.unique(keys, axis=0, return_inverse=True)
    inverse = inverse.ravel()
    weights = np.bincount(inverse)
    limit = most_copies(len(keys))
    codes = np.zeros(len(distinct), dtype=np.int64)
    pending, offset = [(np.arange(len(distinct)), bits)], 0
    while pending:
        rows, distance = pending.pop()
        labels = _components(distinct[rows], distance, turned)
        sizes = np.bincount(labels, weights=weights[rows])
        for label in np.flatnonzero(sizes > limit) if distance > 0 else ():
            pending.append((rows[labels == label], distance // 2))
        codes[rows] = offset + labels
        offset += int(labels.max()) + 1
    return np.unique(codes[inverse], return_inverse=True)[1].astype(np.int64)


def _components(keys: Array, bits: int, turned: Callable[[Array], Array] | None) -> Array:
    """Component of each of N distinct keys under the pairs within `bits`, in any orientation."""
    count = len(keys)
    if bits == 0 or count < 2:
        return np.arange(count)
    edges, held = [np.zeros((2, 0), dtype=np.int64)], 0
    others = [] if turned is None else list(turned(keys))
    for pairs in chain(_near_pairs(keys, bits), *(_cross_pairs(keys, other, bits) for other in others)):
        edges.append(pairs)
        held += pairs.shape[1]
        if held > _MAX_EDGES:  # keep a spanning star of each component instead of all its pairs
            edges, held = [same_code(components(edges, count))], 0
    return components(edges, count)


def _near_pairs(keys: Array, bits: int) -> Iterator[Array]:
    """All pairs (2, P) within `bits`, some of them more than once."""
    for pairs in _cross_pairs(keys, keys, bits):
        yield pairs[:, pairs[0] < pairs[1]]


def _cross_pairs(keys: Array, others: Array, bits: int) -> Iterator[Array]:
    """All pairs (2, P) of a row of `keys` and one of `others` within `bits`, some of them more than once.

    Where two keys differ in at most `bits`, one of their C pieces of 16 bits differs in at most `bits // C`
    (multi-index hashing; Norouzi et al. 2012). So only keys that meet in a piece are compared; where pieces
    are so unevenly used that this spares little, all keys are.
    """
    pieces, other_pieces = keys.view(np.uint16).T, np.ascontiguousarray(others).view(np.uint16).T
    masks = _masks(bits // len(pieces))
    columns = list(zip(pieces, other_pieces, strict=True))
    meetings = sum(_meetings(*pair, masks) for pair in columns) if masks else np.inf
    if meetings > _WORTHWHILE * len(keys) ** 2:
        yield from _dense_pairs(keys, others, bits)
        return
    for pair in columns:
        for left, right in _meeting_pairs(*pair, masks):
            near = np.bitwise_count(keys[left] ^ others[right]).sum(axis=1, dtype=np.int64) <= bits
            yield np.stack([left[near], right[near]])


def _masks(radius: int) -> list[int]:
    """All 16-bit masks of at most `radius` bits; empty where these are too many to be of use."""
    if radius > 2:
        return []
    ones = [1 << bit for bit in range(16)]
    masks = [0] + (ones if radius >= 1 else [])
    return masks + ([a | b for a, b in combinations(ones, 2)] if radius == 2 else [])


def _meetings(column: Array, other: Array, masks: list[int]) -> int:
    """How many pairs of 16-bit values, one of each column, differ by one of the masks."""
    counts, others = (np.bincount(c, minlength=1 << 16).astype(np.int64) for c in (column, other))
    values = np.flatnonzero(counts)
    return sum(int((counts[values] * others[values ^ mask]).sum()) for mask in masks)


def _meeting_pairs(column: Array, other: Array, masks: list[int]) -> Iterator[tuple[Array, Array]]:
    """Pairs of rows whose 16-bit values differ by one of the masks, in slices of about 1 M."""
    order = np.argsort(other, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(other, minlength=1 << 16))])
    for mask in masks:
        partner = (column ^ np.uint16(mask)).astype(np.int64)
        first = starts[partner]
        count = starts[partner + 1] - first
        rows = np.flatnonzero(count)
        for some_rows in np.split(rows, np.flatnonzero(np.diff(np.cumsum(count[rows]) // _MAX_PAIRS)) + 1):
            sizes = count[some_rows]
            within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
            yield np.repeat(some_rows, sizes), order[np.repeat(first[some_rows], sizes) + within]


def _dense_pairs(keys: Array, others: Array, bits: int) -> Iterator[Array]:
    """All pairs by comparing all keys: one of their W words differs in at most `bits // W`."""
    columns = [np.ascontiguousarray(column) for column in others.T]
    block = min(_BLOCK, max(1, _MAX_PAIRS // len(others)))  # all of a block may be near
    for start in range(0, len(keys), block):
        first = start if others is keys else 0  # pairs of keys among themselves are wanted once
        for word, column in enumerate(columns):
            distance = np.bitwise_count(keys[start : start + block, word, None] ^ column[None, first:])
            left, right = np.nonzero(distance <= bits // len(columns))
            left, right = left + start, right + first
            near = np.bitwise_count(keys[left] ^ others[right]).sum(axis=1, dtype=np.int64) <= bits
            yield np.stack([left[near], right[near]])
