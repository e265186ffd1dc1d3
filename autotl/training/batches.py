"""How training rows are dealt into batches for an epoch; neighbours in length share one, to pad less."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.features.inputs import PreparedInputs

Array = NDArray[Any]
#: Batches whose rows are ordered by length together; the more, the less padding and the less chance.
_BUCKET_BATCHES = 16


def batches_of(rows: int, size: int) -> int:
    """How many batches of `size` an epoch has; a last row alone joins the batch before."""
    return max(1, -(-(rows - 1) // size))


def shuffled(inputs: PreparedInputs, rows: Array, size: int, generator: np.random.Generator) -> list[Array]:
    """Every row once, in batches of `size` in random order; a last batch of one row joins the one before."""
    rows = generator.permutation(rows)
    if inputs.ragged:
        bucket = size * _BUCKET_BATCHES
        chunks = [rows[i : i + bucket] for i in range(0, len(rows), bucket)]
        rows = np.concatenate([inputs.by_length(chunk) for chunk in chunks])
    batches = [rows[i : i + size] for i in range(0, len(rows), size)]
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [np.concatenate(batches[-2:])]
    return [batches[i] for i in generator.permutation(len(batches))]


def paired(
    inputs: PreparedInputs, rows: Array, labels: Array, size: int, generator: np.random.Generator
) -> list[Array]:
    """As many batches as `shuffled` gives, all of `size` rows, in pairs of one class; each class as often.

    A class gives its rows in random order, and all of them before one comes again: a class with few rows
    repeats them, one with many shows others in the next epoch. The two of a pair are neighbours in the batch.

    Args:
        inputs: Gives the lengths of rows.
        rows: (n,) row numbers.
        labels: (n,) their classes.
        size: Rows a batch, an even number.
        generator: Where chance comes from.
    """
    pairs = batches_of(len(rows), size) * size // 2
    classes = [rows[labels == label] for label in np.unique(labels)]
    rounds = -(-pairs // len(classes))
    drawn = np.stack([_again(members, 2 * rounds, generator).reshape(rounds, 2) for members in classes])
    order = generator.permuted(np.tile(np.arange(len(classes)), (rounds, 1)), axis=1)
    dealt = drawn[order, np.arange(rounds)[:, None]].reshape(-1, 2)[:pairs]
    lengths = inputs.lengths(dealt.reshape(-1)).reshape(-1, 2).max(axis=1)
    bucket = np.arange(pairs) // (size // 2 * _BUCKET_BATCHES)
    batches = dealt[np.lexsort((-lengths, bucket))].reshape(-1, size)
    return list(batches[generator.permutation(len(batches))])


def _again(rows: Array, count: int, generator: np.random.Generator) -> Array:
    """`count` of the rows: all in random order, then all in another, as often as it takes."""
    return np.concatenate([generator.permutation(rows) for _ in range(-(-count // len(rows)))])[:count]
