"""Folds hold each row out once, keep units whole and classes everywhere."""

from __future__ import annotations

import numpy as np
import pytest

from autotl.data.dataset import Dataset
from autotl.data.folds import folds
from autotl.task import Task, TaskKind


def dataset(targets, groups=None):
    names = [f"item {i}" for i in range(len(targets))]
    classes = tuple(str(c) for c in np.unique(targets))
    task = Task(TaskKind.MULTICLASS, classes, "accuracy")
    return Dataset("text", task, names, np.asarray(targets), names, groups=groups)


@pytest.fixture
def grouped():
    return dataset(np.arange(120) % 3, groups=np.arange(120) // 2)


def test_each_row_is_held_out_once(grouped):
    rows = np.arange(10, 110)
    found = list(folds(grouped, rows, count=5, seed=0))
    assert len(found) == 5
    assert np.sort(np.concatenate([fold.val for fold in found])).tolist() == rows.tolist()
    for fold in found:
        assert np.sort(np.concatenate([fold.train, fold.val])).tolist() == rows.tolist()
        assert 15 <= len(fold.val) <= 25


def test_groups_are_never_parted(grouped):
    for fold in folds(grouped, np.arange(120), count=5, seed=0):
        assert not set(grouped.groups[fold.train]) & set(grouped.groups[fold.val])


def test_classes_are_spread_evenly():
    data = dataset(np.repeat([0, 1], [80, 20]))
    for fold in folds(data, np.arange(100), count=5, seed=0):
        assert np.bincount(data.targets[fold.val]).tolist() == [16, 4]


def test_another_seed_gives_other_folds_and_the_same_seed_the_same(grouped):
    first, again, other = (
        [fold.val.tolist() for fold in folds(grouped, np.arange(120), count=3, seed=seed)]
        for seed in (0, 0, 1)
    )
    assert first == again != other


def test_two_units_make_two_folds():
    data = dataset([0, 1] * 4, groups=np.repeat([0, 1], 4))
    assert [len(fold.val) for fold in folds(data, np.arange(8), count=5, seed=0)] == [4, 4]
