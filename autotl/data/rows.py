"""`Table` and `Rows`: what readers hand on before labels are understood.

A `Table` is named columns of plain Python values; `Rows` are chosen items with their raw labels. Neither
knows tasks, splits or networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from autotl.data.dataset import Finding
from autotl.modalities.modality import Item


@dataclass(frozen=True)
class Table:
    """Columns of equal length.

    Attributes:
        columns: Values by column name, in the order of the source. Text formats give strings only.
        names: One name a row, such as "train.csv:17" (the row that a spreadsheet shows).
        source: Short name of the table for messages.
        folder: Where relative paths in it start.
    """

    columns: dict[str, list[Any]]
    names: list[str]
    source: str
    folder: Path

    def __len__(self) -> int:
        return len(self.names)

    @property
    def listing(self) -> str:
        """The column names, for messages."""
        return ", ".join(self.columns)


@dataclass(frozen=True)
class Rows:
    """Items with raw labels.

    Attributes:
        modality: Name of the modality of the items.
        items: N raw inputs.
        labels: N labels as found; None or NaN where missing.
        names: N row names.
        parts: N of "train", "val", "test" or "".
        groups: N raw group values, or None.
        columns: The input columns, for tables.
        target: The name of the target column, or "label".
        are_classes: Whether labels name classes whatever they look like, as the names of folders do.
        findings: What the reader left out.
    """

    modality: str
    items: list[Item]
    labels: list[Any]
    names: list[str]
    parts: list[str]
    groups: list[Any] | None = None
    columns: tuple[str, ...] = ()
    target: str = "label"
    are_classes: bool = False
    findings: tuple[Finding, ...] = ()

    def take(self, rows: Sequence[int]) -> Rows:
        """Some of the rows, in the order given."""
        return replace(
            self,
            items=[self.items[i] for i in rows],
            labels=[self.labels[i] for i in rows],
            names=[self.names[i] for i in rows],
            parts=[self.parts[i] for i in rows],
            groups=None if self.groups is None else [self.groups[i] for i in rows],
        )


def join(pieces: Sequence[Rows]) -> Rows:
    """The rows of several readings of one data set, in order; all of the same modality and columns."""
    first = pieces[0]
    groups = None if first.groups is None else [g for piece in pieces for g in (piece.groups or [])]
    return Rows(
        modality=first.modality,
        items=[item for piece in pieces for item in piece.items],
        labels=[label for piece in pieces for label in piece.labels],
        names=[name for piece in pieces for name in piece.names],
        parts=[part for piece in pieces for part in piece.parts],
        groups=groups,
        columns=first.columns,
        target=first.target,
        are_classes=first.are_classes,
        findings=tuple(finding for piece in pieces for finding in piece.findings),
    )


def is_missing(value: Any) -> bool:
    """Whether a value stands for "nothing": None, NaN, or a data frame's own marker of it."""
    if value is None:
        return True
    if isinstance(value, (float, np.floating)):
        return bool(np.isnan(value))
    return type(value).__name__ in ("NAType", "NaTType")


def some(names: Sequence[Any], limit: int = 5) -> str:
    """The first few names for a message, with the number of those left out."""
    shown = ", ".join(str(name) for name in names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"


def verb(count: int, singular: str, several: str) -> str:
    """The form of a verb that goes with a count."""
    return singular if count == 1 else several


def plural(count: int, singular: str, several: str | None = None) -> str:
    """A count with its noun: "1 row", "1,200 rows"."""
    return f"{count:,} {singular if count == 1 else several or singular + 's'}"
