"""Which examples run together: of like length, or of equal shape where only those can be stacked.

`Predictor` batches what it was given at once by it, the server what has arrived.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def batches(lengths: Sequence[tuple[int, ...]], size: int, *, ragged: bool) -> Iterator[list[int]]:
    """Put rows into batches with little padding.

    Args:
        lengths: What `Decoder.length` said of each row.
        size: Most rows of a batch.
        ragged: Whether rows of different length may share a batch (`Decoder.ragged`).

    Yields:
        Row numbers; each row is in one batch.
    """
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        new_shape = bool(batch) and not ragged and lengths[row] != lengths[batch[0]]
        if len(batch) == size or new_shape:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
