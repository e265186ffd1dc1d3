"""How rows are dealt into batches."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from autotl.training.batches import batches_of, paired, shuffled


class Lengths:
    """Inputs of which only the lengths are known."""

    ragged = True

    def __init__(self, lengths):
        self._lengths = np.array(lengths)

    def lengths(self, rows):
        return self._lengths[rows]

    def by_length(self, rows):
        return rows[np.argsort(-self._lengths[rows], kind="stable")]


def deal(labels, size, seed=0, rows=None, lengths=None):
    labels = np.array(labels)
    rows = np.arange(len(labels)) if rows is None else rows
    inputs = Lengths(np.ones(rows.max() + 1, int) if lengths is None else lengths)
    return paired(inputs, rows, labels, size, np.random.default_rng(seed))


@pytest.mark.parametrize("count", [1, 7, 8, 9, 40])
def test_shuffled_batches_hold_every_row_once_and_none_is_alone(count):
    batches = shuffled(Lengths(range(count)), np.arange(count), 8, np.random.default_rng(0))
    assert sorted(np.concatenate(batches)) == list(range(count))
    assert count == 1 or min(map(len, batches)) > 1
    assert len(batches) == batches_of(count, 8) == len(deal(np.arange(count) % 2, 8))


def test_paired_batches_are_full_and_as_many_as_the_rows_fill():
    batches = deal([0, 1, 2] * 15, 8)
    assert [len(batch) for batch in batches] == [8] * 6


def test_neighbours_in_a_batch_are_of_one_class():
    labels = np.array([0, 1, 2, 3] * 10)
    for batch in deal(labels, 16):
        first, second = labels[batch].reshape(-1, 2).T
        assert (first == second).all()


def test_every_class_comes_as_often_however_many_rows_it_has():
    labels = np.array([0] * 30 + [1] * 5 + [2])
    dealt = np.concatenate(deal(labels, 12))
    pairs = Counter(labels[dealt].tolist())
    assert max(pairs.values()) - min(pairs.values()) <= 2
    assert len(set(dealt[labels[dealt] == 1])) == 5
    # A row of a large class does not come twice before the others had their turn.
    assert max(Counter(dealt[labels[dealt] == 0].tolist()).values()) == 1


def test_row_numbers_need_not_start_at_nought_nor_labels_be_dense():
    rows = np.array([10, 20, 30, 40])
    batches = deal([5, 5, 9, 9], 4, rows=rows)
    assert set(np.concatenate(batches)) <= set(rows)


def test_pairs_of_like_length_share_a_batch():
    lengths = np.repeat([3, 50], 64)
    spread = [np.ptp(lengths[batch]) for batch in deal([0, 1] * 64, 16, lengths=lengths)]
    assert len(spread) == 8
    # Chance pairs of a short and a long row are long; batches of short pairs alone remain.
    assert 0 in spread


def test_another_seed_deals_otherwise():
    first, again, other = (np.concatenate(deal([0, 1, 2] * 20, 8, seed)) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
