"""`audit`: finds what is wrong with a data set, repairs what is safe, and says both.

Safe are: leaving out inputs that cannot be read, and leaving out training (and validation) rows whose input
also stands in a part that judges them. All else is reported. Near duplicates become `Dataset.clusters`,
which `split` keeps together.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.data.checks import (
    absent_labels,
    check_usable,
    empty_inputs,
    groups_across_parts,
    imbalance,
    rare_classes,
    refuse_one_input,
)
from autotl.data.dataset import Dataset, Finding
from autotl.data.duplicates import near_clusters
from autotl.data.examine import Examination, examine
from autotl.data.repeats import (
    conflicting_labels,
    exact_duplicates,
    first_alike,
    judged_parts,
    near_duplicates,
    repeated_rows,
)
from autotl.data.rows import plural, verb
from autotl.errors import DataError
from autotl.modalities.modality import Modality, SupportsTurnedKeys

Array = NDArray[Any]


def audit(dataset: Dataset, modality: Modality, *, threads: int | None = None) -> Dataset:
    """Look at every input and label of a data set.

    Args:
        dataset: As `open_dataset` gave it.
        modality: The modality of its items.
        threads: Threads for decoding files, by default one a CPU.

    Returns:
        A copy without unreadable and leaking rows, with fingerprints, clusters and findings.

    Raises:
        TargetError: There is one class only, or an official part has a class that train lacks.
        DataError: There are too few rows, or all inputs are alike.
    """
    check_usable(dataset)
    seen = examine(dataset.items, modality, threads=threads)
    whole = replace(dataset, fingerprints=seen.fingerprints)
    readable, findings = _without_unreadable(whole, seen)
    empty = seen.empty[_readable_rows(seen)]
    keys = seen.keys[_readable_rows(seen)]
    readable = replace(readable, clusters=_clusters(keys, empty, modality))
    findings += (*conflicting_labels(readable), *near_duplicates(readable), *groups_across_parts(readable))
    clean, leaks = _without_leaks(readable)
    findings += leaks
    findings += (*exact_duplicates(clean), *empty_inputs(readable, empty))
    check_usable(
        clean, " once unreadable and repeated rows are left out" if len(clean) < len(dataset) else ""
    )
    refuse_one_input(clean)
    findings += (*rare_classes(clean), *absent_labels(clean), *imbalance(clean))
    return replace(clean, findings=dataset.findings + findings)


def _readable_rows(seen: Examination) -> Array:
    return np.array([i for i in range(len(seen.fingerprints)) if i not in seen.errors], dtype=np.int64)


def _without_unreadable(dataset: Dataset, seen: Examination) -> tuple[Dataset, tuple[Finding, ...]]:
    if not seen.errors:
        return dataset, ()
    names = [dataset.names[i] for i in seen.errors]
    first = next(iter(seen.errors.values()))
    count = f"{plural(len(names), 'input')} of {len(dataset):,} cannot be read"
    if len(names) == len(dataset):
        raise DataError("no input can be read", found=first)
    finding = Finding(
        "corrupt_file", "warning", f"{count}; the first: {first}", tuple(names[:1000]), "rows dropped"
    )
    return dataset.take(_readable_rows(seen)), (finding,)


def _clusters(keys: Array, empty: Array, modality: Modality) -> Array:
    """Codes of near duplicates; empty inputs, all alike, are left out of the search."""
    codes = np.full(len(keys), -1, dtype=np.int64)
    turned = modality.turned_keys if isinstance(modality, SupportsTurnedKeys) else None
    codes[~empty] = near_clusters(keys[~empty], modality.near_bits(), turned)
    codes[empty] = codes.max(initial=-1) + 1 + np.arange(int(empty.sum()))
    return codes


def _without_leaks(dataset: Dataset) -> tuple[Dataset, tuple[Finding, ...]]:
    """Drop training rows whose input stands in val or test, and validation rows of test inputs."""
    if dataset.parts is None:
        return dataset, ()
    prints = np.asarray(dataset.fingerprints)
    kept, findings = np.ones(len(dataset), bool), []
    for part in judged_parts(dataset.parts):
        rows = np.flatnonzero(part.rows & np.isin(prints, prints[part.judges]))
        if len(rows):
            message = (
                f"{plural(len(rows), 'row')} of the {part.name} part "
                f"{verb(len(rows), 'repeats', 'repeat')} the input of {part.judged_by} rows."
            )
            alike = first_alike(prints, rows, np.flatnonzero(part.judges))
            repaired = f"rows dropped from {part.name}"
            findings.append(repeated_rows("duplicate_across_parts", message, dataset, rows, alike, repaired))
            kept[rows] = False
    if not findings:
        return dataset, ()
    named = {row for finding in findings for row in finding.rows}
    dropped = np.flatnonzero(~kept).tolist()
    shown = tuple((dataset.names[row], dataset.items[row]) for row in dropped if dataset.names[row] in named)
    return replace(dataset.take(np.flatnonzero(kept)), left_out=shown), tuple(findings)
