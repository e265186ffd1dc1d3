"""`Dataset` and `Splits`: labelled items in memory, their official parts, and how rows are divided.

Items stay raw (paths, arrays, texts): decoding belongs to the modality.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.modalities.modality import Item
from autotl.task import Task

Array = NDArray[Any]
PARTS = ("train", "val", "test")
#: Official part by the names that it goes by.
PART_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True)
class Finding:
    """One thing that the audit found.

    Attributes:
        kind: Machine-readable kind, such as "corrupt_file" or "duplicate_across_parts".
        severity: "info" or "warning".
        message: One plain sentence with counts.
        rows: Names (`Dataset.names`) of the rows concerned, at most 1,000.
        repaired: What was done about it, or None.
        details: A phrase for each of `rows`, in their order; empty where there is nothing to say of them.
        groups: Names of rows that belong together, such as copies of one input; where rows repeat others that
            are not among `rows`, the row and then what it repeats. At most 1,000 names in all.
    """

    kind: str
    severity: str
    message: str
    rows: tuple[str, ...] = ()
    repaired: str | None = None
    details: tuple[str, ...] = ()
    groups: tuple[tuple[str, ...], ...] = ()

    @property
    def told(self) -> str:
        """The message, and what was done about it."""
        if self.repaired is None:
            return self.message
        return f"{self.message.rstrip('.')}. {self.repaired[0].upper()}{self.repaired[1:]}."

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary; `from_json` inverts it."""
        groups = [list(group) for group in self.groups]
        return {**asdict(self), "rows": list(self.rows), "details": list(self.details), "groups": groups}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Finding:
        """Rebuild a finding that `to_json` wrote; what came later has its default."""
        lists = {name: tuple(value.get(name, ())) for name in ("rows", "details")}
        groups = tuple(tuple(group) for group in value.get("groups", ()))
        repaired = value.get("repaired")
        return cls(
            value["kind"], value["severity"], value["message"], repaired=repaired, groups=groups, **lists
        )


@dataclass(frozen=True)
class Splits:
    """Row numbers of the three parts, each ascending int64."""

    train: Array
    val: Array
    test: Array

    @property
    def train_and_val(self) -> Array:
        """Rows that a final refit may use."""
        return np.sort(np.concatenate([self.train, self.val]))


@dataclass(frozen=True)
class Dataset:
    """Labelled items.

    Attributes:
        modality: Name of the modality of the items.
        task: What is to be predicted.
        items: N raw inputs: `Path`, array, text, or tuple of texts.
        targets: (N,) int64 class indices, (N, K) float32 indicators, or (N,) float64 values.
        names: N strings that name a row to its owner: a relative path, or "train.csv:17".
        parts: (N,) of "train", "val", "test" or "" (free), where the source has official parts; else None.
        groups: (N,) group codes int64 that must not be split, or None.
        clusters: (N,) codes int64 of near duplicates, which splits keep together, or None; set by the audit.
        fingerprints: N content hashes (`Modality.fingerprint`).
        findings: What the audit found, and repaired.
        source: Where it came from, for the record.
        columns: Input columns used, in order, for tables.
        left_out: Names and items of rows that can be read and that the audit left out, so that they can be
            shown; those that findings name.
    """

    modality: str
    task: Task
    items: Sequence[Item]
    targets: Array
    names: Sequence[str]
    parts: Array | None = None
    groups: Array | None = None
    fingerprints: Sequence[str] = ()
    findings: tuple[Finding, ...] = ()
    source: str = ""
    columns: tuple[str, ...] = field(default=())
    clusters: Array | None = None
    left_out: tuple[tuple[str, Item], ...] = ()

    def __len__(self) -> int:
        return len(self.items)

    def take(self, rows: Array) -> Dataset:
        """The data set of some rows, in the order given."""

        def pick(values: Sequence[Any]) -> list[Any]:
            return [values[i] for i in rows] if len(values) else []

        return replace(
            self,
            items=pick(self.items),
            names=pick(self.names),
            fingerprints=pick(self.fingerprints),
            targets=self.targets[rows],
            parts=None if self.parts is None else self.parts[rows],
            groups=None if self.groups is None else self.groups[rows],
            clusters=None if self.clusters is None else self.clusters[rows],
        )
