"""`DatasetProfile`: what the search space, the report and the model card read of a data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Shift:
    """How far the data lie from what a backbone was pretrained on.

    Attributes:
        backbone: Name of the backbone.
        measure: "batch_norm_distance" or "tokenizer_coverage".
        value: The measured value.
        level: "near", "moderate" or "far".
        words: The same for a person ("far from ImageNet: grey texture").
    """

    backbone: str
    measure: str
    value: float
    level: str
    words: str


@dataclass(frozen=True)
class DatasetProfile:
    """Facts of a data set, JSON in and out.

    Attributes:
        modality: Name of the modality.
        task: `Task.to_json()`.
        rows: Rows by part: {"train": n, "val": n, "test": n}.
        class_counts: Training rows by class or label, in the order of the classes; empty for regression.
        imbalance: Largest class count over smallest; 1 for regression.
        target_statistics: Mean, deviation, minimum and maximum of a regression target; empty otherwise.
        inputs: What `Modality.describe` found.
        meta_features: Numbers that later runs can compare data sets by.
        shifts: One entry a backbone that was looked at.
        source: Where the data came from.
        fingerprint: Hash of all content hashes and targets.
        findings: What the audit found, a sentence each.
    """

    modality: str
    task: Mapping[str, Any]
    rows: Mapping[str, int]
    class_counts: Mapping[str, int] = field(default_factory=dict)
    imbalance: float = 1.0
    target_statistics: Mapping[str, float] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    meta_features: Mapping[str, float] = field(default_factory=dict)
    shifts: tuple[Shift, ...] = ()
    source: str = ""
    fingerprint: str = ""
    findings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary; `from_json` inverts it."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> DatasetProfile:
        """Rebuild a profile that `to_json` wrote."""
        shifts = tuple(Shift(**shift) for shift in value.get("shifts", ()))
        return cls(**{**value, "shifts": shifts, "findings": tuple(value.get("findings", ()))})
