"""Pictures that were augmented from one original stay together: found before parts are drawn.

How they are told is `autotl.audit.augmented`'s. Here it is settled how many are looked at: a sample of any
data set of pictures, about a second, and all rows of one whose sample holds copies, four to nine for 1,000.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.audit.augmented import augmented_copies, looks_augmented
from autotl.audit.copies import Copies
from autotl.audit.findings import COPY, copy_findings
from autotl.audit.rows import Rows
from autotl.cores import usable_cores
from autotl.data.components import components, same_code
from autotl.data.dataset import Dataset, Finding
from autotl.data.splits import units_of
from autotl.modalities.modality import SupportsThumbnail
from autotl.modalities.registry import modality

Array = NDArray[Any]

AUGMENTED = "augmented_copy"
#: Edge in pixels of the pictures that are compared; pictures that are sampled.
_EDGE, _SAMPLE = 96, 400
#: Pictures that are compared at most; a timed run compares as many as take a fifth of its time.
MOST_ROWS, _ROWS_A_SECOND = 10_000, 40
#: Share of a class from which on a group is no longer kept together.
_MOST_OF_A_CLASS = 0.6


def with_originals(dataset: Dataset, *, seconds: float | None = None, threads: int | None = None) -> Dataset:
    """The data set with pictures of one original in one cluster, which splits keep together.

    Args:
        dataset: Audited: rows that are known to be copies are looked at once.
        seconds: The budget of the run; None where it has none.
        threads: Threads for decoding files, by default one a CPU.

    Returns:
        The same data set where its modality has no pictures, or its pictures no copies. With a warning and no
        new clusters where there are copies, and too many rows to find them all.
    """
    if not isinstance(modality(dataset.modality), SupportsThumbnail):
        return dataset
    units = units_of(replace(dataset, groups=None))
    rows = np.sort(np.unique(units, return_index=True)[1])
    sampled = np.random.default_rng(0).permutation(rows)[:_SAMPLE]
    if not looks_augmented(_pictures(dataset, sampled, threads), dataset.targets[sampled]):
        return dataset
    most = MOST_ROWS if seconds is None else min(MOST_ROWS, int(_ROWS_A_SECOND * seconds))
    if len(rows) > most:
        return replace(dataset, findings=(*dataset.findings, _unexamined(len(rows), most)))
    copies = augmented_copies(_pictures(dataset, rows, threads), units[rows]).among(units, rows)
    kept = _without_whole_classes(copies.groups, dataset)
    clusters = components([same_code(units), same_code(kept)], len(units))
    found = _findings(dataset, copies, is_whole=len(np.unique(kept)) == len(np.unique(copies.groups)))
    return replace(dataset, clusters=clusters, findings=(*dataset.findings, *found))


def _pictures(dataset: Dataset, rows: Array, threads: int | None) -> Array:
    """Thumbnails (n, 96, 96, 3) uint8 of some rows."""
    kind = modality(dataset.modality)
    assert isinstance(kind, SupportsThumbnail)
    with ThreadPoolExecutor(threads or usable_cores()) as pool:
        return np.stack(list(pool.map(lambda row: kind.thumbnail(dataset.items[row], _EDGE), rows.tolist())))


def _without_whole_classes(groups: Array, dataset: Dataset) -> Array:
    """Groups (N,) but for those that hold most of a class, which no part could do without."""
    is_class = dataset.task.is_classification
    classes = dataset.targets if is_class else np.zeros(len(groups), np.int64)
    pairs, counts = np.unique(np.stack([groups, classes]), axis=1, return_counts=True)
    most = counts > _MOST_OF_A_CLASS * np.bincount(classes)[pairs[1]]
    is_large = np.isin(groups, pairs[0][most]) & (np.bincount(groups)[groups] > 1)
    return np.where(is_large, groups.max(initial=0) + 1 + np.arange(len(groups)), groups)


def _findings(dataset: Dataset, copies: Copies, *, is_whole: bool) -> Sequence[Finding]:
    parts = dataset.parts if dataset.parts is not None else np.full(len(dataset), "")
    nothing = np.empty((len(dataset), 0), np.float32)
    rows = Rows(dataset.task, dataset.targets, dataset.names, parts, copies.groups, nothing)
    repaired = None
    if not {"val", "test"} <= set(parts.tolist()):
        repaired = "kept together when parts are drawn"
        repaired += "" if is_whole else ", but for groups that hold most of a class"
    found = []
    for finding in copy_findings(rows, copies):
        told = replace(finding, repaired=repaired)
        if finding.kind == COPY:
            words = f"Pictures were augmented from common originals: {finding.message}"
            told = replace(told, kind=AUGMENTED, message=words)
        found.append(told)
    return found


def _unexamined(count: int, most: int) -> Finding:
    message = (
        f"Pictures look like augmented copies of one another, and {count:,} are too many to find all copies "
        f"(here at most {most:,}); scores may be too good. To keep copies together, fit an index: "
        f"autotl audit DATA --rows {min(count, MOST_ROWS)} --fix FILE.csv"
    )
    return Finding("unsought_copies", "warning", message)
