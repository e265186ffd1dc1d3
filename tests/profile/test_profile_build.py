"""What `build_profile` counts, and that it survives JSON."""

import json
from itertools import pairwise

import numpy as np
import pytest

from autotl.data.dataset import Dataset, Splits
from autotl.modalities.image import MODALITY as IMAGE
from autotl.modalities.text import MODALITY as TEXT
from autotl.profile.build import build_profile
from autotl.profile.profile import DatasetProfile, Shift
from autotl.task import Task, TaskKind
from autotl.testing.data import make_images, make_texts


def splits(train: int, val: int, test: int) -> Splits:
    bounds = np.cumsum([0, train, val, test])
    return Splits(*(np.arange(a, b) for a, b in pairwise(bounds)))


def texts(targets: np.ndarray, task: Task) -> Dataset:
    items, _ = make_texts(len(targets))
    names = [f"row {row}" for row in range(len(items))]
    return Dataset("text", task, items, targets, names, source="memory")


def test_rows_classes_and_imbalance_are_those_of_the_training_part() -> None:
    task = Task(TaskKind.MULTICLASS, ("a", "b", "c"), "accuracy")
    dataset = texts(np.array([0, 0, 0, 0, 1, 1, 2, 2, 2, 2]), task)
    profile = build_profile(dataset, splits(6, 2, 2), TEXT)
    assert profile.rows == {"train": 6, "val": 2, "test": 2}
    assert profile.class_counts == {"a": 4, "b": 2, "c": 0}
    assert profile.imbalance == 2
    assert profile.target_statistics == {}
    features = profile.meta_features
    assert features["rows"] == 10
    assert features["rows_per_class"] == 2
    assert features["smallest_class_rows"] == 0
    assert features["class_entropy"] == pytest.approx(0.6365 / np.log(3), abs=1e-3)
    assert features["inputs.words.median"] == 9
    assert "inputs.sampled" not in features


def test_balanced_classes_have_entropy_one() -> None:
    task = Task(TaskKind.BINARY, ("no", "yes"), "accuracy")
    profile = build_profile(texts(np.array([0, 1] * 4), task), splits(8, 0, 0), TEXT)
    assert profile.meta_features["class_entropy"] == pytest.approx(1)
    assert profile.imbalance == 1


def test_labels_are_counted_one_by_one() -> None:
    task = Task(TaskKind.MULTILABEL, ("a", "b"), "macro_f1")
    targets = np.array([[1, 0], [1, 1], [1, 0], [0, 0]], np.float32)
    profile = build_profile(texts(targets, task), splits(4, 0, 0), TEXT)
    assert profile.class_counts == {"a": 3, "b": 1}
    assert profile.imbalance == 3
    assert profile.meta_features["labels_per_row"] == 1


def test_a_regression_target_has_statistics_and_no_classes() -> None:
    task = Task(TaskKind.REGRESSION, (), "r2")
    profile = build_profile(texts(np.array([1.0, 2.0, 3.0, 99.0]), task), splits(3, 0, 1), TEXT)
    assert profile.class_counts == {}
    assert profile.imbalance == 1
    assert profile.target_statistics == pytest.approx(
        {"mean": 2, "std": 0.8165, "min": 1, "max": 3}, abs=1e-4
    )
    assert profile.meta_features["outputs"] == 1


def test_only_a_sample_of_training_items_is_read() -> None:
    task = Task(TaskKind.BINARY, ("a", "b"), "accuracy")
    images, _ = make_images(30, classes=2, size=16)
    dataset = Dataset(
        "image",
        task,
        [*images[:20], *[b"broken"] * 10],
        np.arange(30) % 2,
        ["x"] * 30,
        fingerprints=["f"] * 30,
    )
    profile = build_profile(dataset, splits(20, 5, 5), IMAGE, sample=8)
    assert profile.inputs["sampled"] == 8
    assert profile.inputs["unreadable"] == 0
    assert profile.inputs["height"]["max"] == 16


def test_the_sample_follows_the_seed() -> None:
    task = Task(TaskKind.BINARY, ("a", "b"), "accuracy")
    dataset = texts(np.arange(60) % 2, task)
    parts = splits(60, 0, 0)
    same = [build_profile(dataset, parts, TEXT, sample=10, seed=1).to_json() for _ in range(2)]
    assert same[0] == same[1]
    assert same[0] != build_profile(dataset, parts, TEXT, sample=10, seed=2).to_json()


def test_the_fingerprint_changes_with_content_and_targets() -> None:
    task = Task(TaskKind.BINARY, ("a", "b"), "accuracy")
    first = texts(np.array([0, 1, 0, 1]), task)
    parts = splits(4, 0, 0)
    prints = {
        build_profile(dataset, parts, TEXT).fingerprint
        for dataset in (first, first, texts(np.array([0, 1, 1, 1]), task), first.take(np.array([1, 0, 2, 3])))
    }
    assert len(prints) == 3


def test_a_profile_survives_json() -> None:
    task = Task(TaskKind.MULTICLASS, ("a", "b", "c"), "accuracy")
    profile = build_profile(texts(np.arange(9) % 3, task), splits(9, 0, 0), TEXT)
    shifted = DatasetProfile.from_json(
        {**profile.to_json(), "shifts": [Shift("n", "batch_norm_distance", 0.1, "far", "w").__dict__]}
    )
    assert DatasetProfile.from_json(json.loads(json.dumps(shifted.to_json()))) == shifted
