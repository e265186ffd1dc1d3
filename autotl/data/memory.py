"""Reads lists and arrays of images or texts with their labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from autotl.data.columns import SURE
from autotl.data.rows import Rows, plural
from autotl.errors import DataError, TargetError
from autotl.modalities.modality import Item, Modality

_SAMPLE = 200


def read_memory(
    source: Any, labels: Any, kinds: Mapping[str, Modality], *, groups: Sequence[Any] | None = None
) -> Rows:
    """Read items that are in memory already.

    Args:
        source: N items, or an array whose first axis is N. Strings that name files become paths.
        labels: N labels; an array (N, K) of 0 and 1 gives K labels a row, called "0" to "K-1".
        kinds: The modalities that may be met, by name.
        groups: N group values, or None.

    Raises:
        TargetError: There are no labels, or not one for each item.
        DataError: There are no items, or they look like no modality's.
    """
    items = _as_items(source)
    if labels is None:
        raise TargetError("items in a list need labels", expected="labels=[...], one for each item")
    values = as_labels(labels)
    if len(values) != len(items):
        raise TargetError(
            "items and labels differ in number",
            found=f"{plural(len(items), 'item')} and {plural(len(values), 'label')}",
            expected="one label for each item",
        )
    if groups is not None and len(groups) != len(items):
        raise DataError(
            "items and groups differ in number",
            found=f"{plural(len(items), 'item')} and {plural(len(groups), 'group')}",
            expected="one group for each item",
        )
    kind = _kind_of(items, kinds)
    if kind.extensions:
        items = [Path(item) if isinstance(item, str) else item for item in items]
    names = [str(item) if isinstance(item, Path) else f"item {i}" for i, item in enumerate(items)]
    return Rows(
        kind.name, items, values, names, [""] * len(items), list(groups) if groups is not None else None
    )


def as_labels(labels: Any) -> list[Any]:
    """Labels as plain values; rows of an indicator array as lists of names."""
    if isinstance(labels, np.ndarray) and labels.ndim == 2:
        if not np.isin(labels, (0, 1)).all():
            raise TargetError("an array of labels has two axes", expected="0 and 1 only, one column a label")
        return [[str(k) for k in np.flatnonzero(row)] for row in labels]
    return labels.tolist() if isinstance(labels, np.ndarray) else list(labels)


def _as_items(source: Any) -> list[Item]:
    if not isinstance(source, (Sequence, np.ndarray)) and not hasattr(source, "__iter__"):
        raise DataError(
            "cannot read this kind of data",
            found=type(source).__name__,
            expected="a path, a pandas, polars or Arrow table, or a list of inputs with labels",
        )
    items = list(source)
    if not items:
        raise DataError("the data set holds no items", found="an empty list", expected="at least 10")
    return [str(item) if isinstance(item, np.str_) else item for item in items]


def _kind_of(items: list[Item], kinds: Mapping[str, Modality]) -> Modality:
    sample = items[:: max(1, len(items) // _SAMPLE)][:_SAMPLE]
    scores = {name: kind.sniff(sample) for name, kind in kinds.items()}
    best = max(scores, key=lambda name: scores[name], default=None)
    if best is None or scores[best] < min(SURE, 0.5):
        raise DataError(
            "cannot tell what the items are",
            found=", ".join(sorted({type(item).__name__ for item in sample})),
            expected=f"inputs of one kind: {', '.join(kinds)}",
        )
    return kinds[best]
