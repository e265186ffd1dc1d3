"""Batches hold every row once, and none that cannot stand beside the others."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from autotl.serve.batches import batches

lengths = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3)), max_size=40)


@given(lengths=lengths, size=st.integers(1, 9), ragged=st.booleans())
def test_every_row_is_in_one_batch(lengths, size, ragged):
    found = list(batches(lengths, size, ragged=ragged))
    assert sorted(row for batch in found for row in batch) == list(range(len(lengths)))
    assert all(1 <= len(batch) <= size for batch in found)
    if not ragged:
        assert all(len({lengths[row] for row in batch}) == 1 for batch in found)


def test_rows_of_like_length_stand_together():
    assert list(batches([(9,), (1,), (8,), (2,)], 2, ragged=True)) == [[1, 3], [2, 0]]
