"""What holds of every split."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from autotl.data.dataset import Dataset, Splits
from autotl.data.splits import lacking_classes, large_unit, split, units_of
from autotl.errors import DataError
from autotl.task import Task, TaskKind


def dataset(targets: Any, kind: TaskKind = TaskKind.MULTICLASS, **fields: Any) -> Dataset:
    targets = np.asarray(targets)
    count = int(targets.max()) + 1 if targets.ndim == 1 else targets.shape[1]
    classes = () if kind is TaskKind.REGRESSION else tuple(str(k) for k in range(count))
    names = [f"item {i}" for i in range(len(targets))]
    return Dataset("text", Task(kind, classes, "accuracy"), names, targets, names, **fields)


def covers(splits: Splits, rows: int) -> bool:
    return np.sort(np.concatenate([splits.train, splits.val, splits.test])).tolist() == list(range(rows))


def part_of(splits: Splits, rows: int) -> np.ndarray[Any, Any]:
    part = np.full(rows, -1)
    for number, chosen in enumerate((splits.train, splits.val, splits.test)):
        part[chosen] = number
    return part


@st.composite
def data_sets(draw: st.DrawFn) -> Dataset:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = draw(st.integers(30, 200))
    kind = draw(st.sampled_from(list(TaskKind)))
    classes = 2 if kind is TaskKind.BINARY else draw(st.integers(2, 6))
    targets: Any = rng.integers(0, classes, rows)
    if kind is TaskKind.REGRESSION:
        targets = rng.normal(size=rows)
    elif kind is TaskKind.MULTILABEL:
        targets = (rng.random((rows, classes)) < 0.3).astype(np.float32)
    else:
        targets[:classes] = np.arange(classes)
    codes = [rng.integers(0, rows, rows) if draw(st.booleans()) else None for _ in range(2)]
    prints = [f"print {k}" for k in rng.integers(0, rows * 3, rows)] if draw(st.booleans()) else ()
    return dataset(targets, kind, groups=codes[0], clusters=codes[1], fingerprints=prints)


@settings(max_examples=120)
@given(data_sets(), st.integers(0, 5))
def test_splits_cover_all_rows_once_part_no_unit_and_repeat(data: Dataset, seed: int) -> None:
    units = units_of(data)
    assume(np.bincount(units).max() <= len(data) / 4)
    splits = split(data, seed=seed)
    again = split(data, seed=seed)
    assert covers(splits, len(data))
    for name in ("train", "val", "test"):
        chosen = getattr(splits, name)
        assert len(chosen)
        assert np.all(np.diff(chosen) > 0)
        assert np.array_equal(chosen, getattr(again, name))
    part = part_of(splits, len(data))
    for codes in (data.groups, data.clusters, np.asarray(data.fingerprints) if data.fingerprints else None):
        if codes is not None:
            for code in np.unique(codes):
                assert len(set(part[codes == code])) == 1
    if data.task.is_classification:
        assert set(data.targets[splits.train]) == set(data.targets)
    elif data.task.kind is TaskKind.MULTILABEL:
        assert np.array_equal(data.targets[splits.train].any(axis=0), data.targets.any(axis=0))


@given(st.lists(st.integers(5, 60), min_size=2, max_size=8), st.integers(0, 3))
def test_classes_keep_their_shares_to_within_a_row(counts: list[int], seed: int) -> None:
    data = dataset(np.repeat(np.arange(len(counts)), counts))
    splits = split(data, seed=seed)
    held = np.bincount(data.targets[splits.test], minlength=len(counts))
    assert np.all(np.abs(held - 0.2 * np.array(counts)) < 1)
    assert len(splits.test) == round(0.2 * sum(counts))


def test_a_regression_is_split_over_its_whole_range() -> None:
    values = np.sort(np.random.default_rng(0).exponential(size=1000))
    splits = split(dataset(values, TaskKind.REGRESSION))
    for decile in np.array_split(np.arange(1000), 10):
        assert 18 <= np.isin(decile, splits.test).sum() <= 22


def test_rare_labels_of_a_multilabel_task_are_dealt_out() -> None:
    rng = np.random.default_rng(0)
    targets = (rng.random((2000, 4)) < [0.5, 0.2, 0.05, 0.01]).astype(np.float32)
    splits = split(dataset(targets, TaskKind.MULTILABEL))
    shares = targets[splits.test].sum(axis=0) / targets.sum(axis=0)
    assert np.all((shares > 0.14) & (shares < 0.27))


def test_groups_of_mixed_classes_keep_class_shares() -> None:
    rng = np.random.default_rng(1)
    groups = rng.integers(0, 60, 1200)
    targets = rng.integers(0, 3, 1200)
    splits = split(dataset(targets, groups=groups))
    for chosen in (splits.val, splits.test):
        shares = np.bincount(targets[chosen]) / np.bincount(targets)
        assert np.all((shares > 0.12) & (shares < 0.26))


@pytest.mark.parametrize("seed", range(5))
def test_a_class_of_few_large_groups_is_in_every_part(seed: int) -> None:
    groups = np.repeat(np.arange(8), 50)
    data = dataset(groups % 2, groups=groups)
    for rows in vars(split(data, seed=seed)).values():
        assert set(data.targets[rows].tolist()) == {0, 1}


def test_another_seed_gives_other_rows() -> None:
    data = dataset([0, 1] * 50)
    assert not np.array_equal(split(data, seed=0).test, split(data, seed=1).test)


def test_classes_that_a_part_has_no_row_of_are_named() -> None:
    data = dataset([0] * 50 + [1] * 50, groups=np.array([0] * 25 + [1] * 25 + [2] * 25 + [3] * 25))
    parts = Splits(train=np.r_[:25, 50:75], val=np.arange(25, 50), test=np.arange(75, 100))
    of_val, of_test = lacking_classes(data, parts)
    assert of_val.startswith("The validation part has no row of 1 class of 2 (1): its score says nothing")
    assert of_test.startswith("The test part has no row of 1 class of 2 (0)")
    assert list(lacking_classes(dataset([0, 1] * 50), split(dataset([0, 1] * 50)))) == []
    rates = dataset([0.0, 1.0] * 50, TaskKind.REGRESSION)
    assert list(lacking_classes(rates, split(rates))) == []


def test_groups_that_equal_rows_join_to_more_than_a_part_are_told_of() -> None:
    groups, prints = np.repeat(np.arange(20), 5), [f"print {k}" for k in range(100)]
    assert large_unit(dataset([0, 1] * 50, groups=groups, fingerprints=prints)) is None
    prints[:50:5] = ["ok"] * 10
    told = large_unit(dataset([0, 1] * 50, groups=groups, fingerprints=prints))
    assert told is not None
    assert told.startswith("50 of 100 rows, of 10 groups, stay in one part, joined by rows that are equal")
    assert large_unit(dataset([0, 1] * 50, groups=np.repeat([0, 1], 50))) is None


def test_a_chain_of_near_copies_that_is_more_than_a_part_is_told_of() -> None:
    clusters = np.r_[np.zeros(30, int), 1:71]
    told = large_unit(dataset([0, 1] * 50, clusters=clusters))
    assert told is not None
    assert told.startswith("30 of 100 rows stay in one part")
    assert large_unit(dataset([0, 1] * 50, clusters=np.r_[np.zeros(20, int), 1:81])) is None


def test_a_class_of_two_rows_is_in_train() -> None:
    for seed in range(20):
        data = dataset([0] * 50 + [1] * 2)
        assert 1 in data.targets[split(data, seed=seed).train]


@pytest.mark.parametrize(
    ("official", "sizes"),
    [
        ({"train": 60, "val": 20, "test": 20}, (60, 20, 20)),
        ({"train": 100, "test": 20}, (80, 20, 20)),
        ({"train": 100, "val": 20}, (80, 20, 20)),
        ({"": 100, "test": 20}, (80, 20, 20)),
        ({"": 100}, (64, 16, 20)),
    ],
)
def test_official_parts_stay_and_others_are_drawn(official: dict[str, int], sizes: tuple[int, ...]) -> None:
    parts = np.repeat(list(official), list(official.values()))
    data = dataset(np.arange(len(parts)) % 2, parts=parts)
    splits = split(data)
    assert (len(splits.train), len(splits.val), len(splits.test)) == sizes
    assert covers(splits, len(data))
    for name in ("val", "test"):
        if name in official:
            assert np.array_equal(getattr(splits, name), np.flatnonzero(parts == name))


@pytest.mark.parametrize("official", [{"": 200}, {"": 160, "test": 40}])
def test_rows_that_an_earlier_model_has_learnt_stay_in_train(official: dict[str, int]) -> None:
    data = dataset(np.arange(200) // 100, parts=np.repeat(list(official), list(official.values())))
    few, many = np.arange(200) % 2 == 0, np.arange(200) % 4 > 0
    for learnt in (few, many):
        splits = split(data, learnt=learnt)
        drawn = np.concatenate([splits.val] if "test" in official else [splits.val, splits.test])
        assert not learnt[drawn].any()
        assert len(drawn) >= 0.5 * 0.2 * 160
        assert len(np.concatenate([splits.train, splits.val, splits.test])) == 200
    nearly_all = np.arange(200) % 50 > 0
    assert np.array_equal(split(data, learnt=nearly_all).val, split(data).val), "too few are left"


def test_what_resembles_an_official_row_is_never_held_out_elsewhere() -> None:
    parts = np.repeat(["train", "test"], [100, 20])
    clusters = np.arange(120)
    clusters[100:] = np.arange(20)  # each test row resembles a training row
    splits = split(dataset(np.arange(120) % 2, parts=parts, clusters=clusters))
    assert set(range(20)) <= set(splits.train.tolist())


def test_shares_are_what_they_are_asked_to_be() -> None:
    splits = split(dataset([0, 1] * 100), test_share=0.5, val_share=0.1)
    assert (len(splits.train), len(splits.val), len(splits.test)) == (90, 10, 100)


def test_an_impossible_share_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        split(dataset([0, 1] * 10), val_share=1.5)
    assert (
        str(caught.value) == "impossible share of rows for the val part; found 1.5; expected 0 < share < 1."
    )


def test_two_groups_are_too_few() -> None:
    data = dataset([0, 1] * 10, groups=np.repeat([0, 1], 10))
    with pytest.raises(DataError) as caught:
        split(data)
    assert str(caught.value) == (
        "no row can go to the val part; found 20 rows in 2 groups that must stay together; "
        "expected at least 3 groups. Give an official part with --val PATH or --test PATH."
    )
