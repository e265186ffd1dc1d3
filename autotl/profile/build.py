"""`build_profile`: counts and statistics of a data set. It knows no modality; `Modality.describe` does."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.data.dataset import Dataset, Splits
from autotl.modalities.modality import Modality
from autotl.profile.profile import DatasetProfile
from autotl.task import Task, TaskKind

Array = NDArray[Any]


def build_profile(
    dataset: Dataset, splits: Splits, modality: Modality, *, sample: int = 512, seed: int = 0
) -> DatasetProfile:
    """Profile of a data set, without `shifts` (see `measure_shift`).

    Only training rows are described and counted by class, so that nothing of the test part enters a choice.

    Args:
        dataset: Labelled items.
        splits: Its parts.
        modality: The modality of its items.
        sample: Largest number of items that are read for `inputs`.
        seed: Which items those are.
    """
    task, targets = dataset.task, dataset.targets[splits.train]
    chosen = splits.train
    if len(chosen) > sample:
        chosen = np.sort(np.random.default_rng(seed).choice(chosen, sample, replace=False))
    inputs = modality.describe([dataset.items[int(row)] for row in chosen])
    counts = class_counts(task, targets)
    present = [count for count in counts.values() if count]
    imbalance = max(present) / min(present) if present else 1.0
    rows = {"train": len(splits.train), "val": len(splits.val), "test": len(splits.test)}
    return DatasetProfile(
        modality=dataset.modality,
        task=task.to_json(),
        rows=rows,
        class_counts=counts,
        imbalance=imbalance,
        target_statistics=target_statistics(task, targets),
        inputs=inputs,
        meta_features=meta_features(task, targets, counts, imbalance, rows, inputs),
        source=dataset.source,
        fingerprint=dataset_fingerprint(dataset, modality),
    )


def class_counts(task: Task, targets: Array) -> dict[str, int]:
    """Rows by class, or positives by label, in the order of the classes; empty for regression."""
    if task.kind is TaskKind.REGRESSION:
        return {}
    if task.kind is TaskKind.MULTILABEL:
        counts = targets.sum(axis=0)
    else:
        counts = np.bincount(targets, minlength=len(task.classes))
    return {name: int(count) for name, count in zip(task.classes, counts, strict=True)}


def target_statistics(task: Task, targets: Array) -> dict[str, float]:
    """`mean`, `std`, `min` and `max` of a regression target; empty otherwise."""
    if task.kind is not TaskKind.REGRESSION or len(targets) == 0:
        return {}
    return {
        "mean": float(targets.mean()),
        "std": float(targets.std()),
        "min": float(targets.min()),
        "max": float(targets.max()),
    }


def meta_features(
    task: Task,
    targets: Array,
    counts: Mapping[str, int],
    imbalance: float,
    rows: Mapping[str, int],
    inputs: Mapping[str, Any],
) -> dict[str, float]:
    """Numbers that data sets can be compared by: size, classes, balance, and every number in `inputs`.

    `class_entropy` is relative to that of equal classes: 1 is balanced, near 0 is one class only.
    """
    total = sum(rows.values())
    features = {
        "rows": float(total),
        "train_rows": float(rows["train"]),
        "outputs": float(task.outputs),
        "imbalance": imbalance,
    }
    if counts:
        features["rows_per_class"] = sum(counts.values()) / len(counts)
        features["smallest_class_rows"] = float(min(counts.values()))
        features["class_entropy"] = _relative_entropy(np.array(list(counts.values()), float))
    if task.kind is TaskKind.MULTILABEL and len(targets):
        features["labels_per_row"] = float(targets.sum(axis=1).mean())
    return features | _numbers({key: value for key, value in inputs.items() if key != "sampled"}, "inputs")


def dataset_fingerprint(dataset: Dataset, modality: Modality) -> str:
    """sha256 over all content hashes and targets, in the order of the rows."""
    digest = hashlib.sha256()
    prints = dataset.fingerprints or [modality.fingerprint(item) for item in dataset.items]
    for content in prints:
        digest.update(content.encode() + b"\n")
    digest.update(str((dataset.targets.dtype.str, dataset.targets.shape)).encode())
    digest.update(np.ascontiguousarray(dataset.targets).tobytes())
    return digest.hexdigest()


def _relative_entropy(counts: Array) -> float:
    shares = counts[counts > 0] / max(float(counts.sum()), 1.0)
    if len(counts) < 2 or len(shares) < 2:
        return 0.0
    return float(-(shares * np.log(shares)).sum() / np.log(len(counts)))


def _numbers(value: Any, name: str) -> dict[str, float]:
    """Every number in nested dictionaries, by its dotted path."""
    if isinstance(value, (bool, int, float)):
        return {name: float(value)}
    if not isinstance(value, Mapping):
        return {}
    return {path: n for key, inner in value.items() for path, n in _numbers(inner, f"{name}.{key}").items()}
