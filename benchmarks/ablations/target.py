"""What a target of the ablations is: arms run in turn, and the figures that follow from their lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

Line = Mapping[str, Any]
Figures = dict[str, float | None]


@dataclass(frozen=True)
class Arm:
    """One measurement.

    Attributes:
        target: The target it belongs to.
        set: Data set, or what stands in its place.
        seed: Seed of the run.
        name: What is compared; the arms of a set and seed are run in turn, for as long.
    """

    target: str
    set: str
    seed: int
    name: str


@dataclass(frozen=True)
class Profile:
    """How much is measured.

    Attributes:
        name: "quick" or "full"; tells of overrides.
        sets: Names of data sets.
        seeds: Seeds.
        fit_budgets: Budgets of whole runs beside the ten lines: of image sets, and of texts.
        arm_seconds: Time of each arm with the cache on or off.
        all_schedulers: Whether all schedulers are compared, on real runs as well, or the default is measured.
        simulated_seeds: Orders of configurations that schedulers are simulated on.
        rows: At most so many training rows; None leaves the sets as they are.
        synthetic_rows: Rows of the measurement of memory.
        asked_trials: Trials of the measurement of overhead.
    """

    name: str
    sets: tuple[str, ...]
    seeds: tuple[int, ...]
    fit_budgets: tuple[tuple[str, ...], tuple[str, ...]]
    arm_seconds: float
    all_schedulers: bool = False
    simulated_seeds: int = 20
    rows: int | None = None
    synthetic_rows: int = 100_000
    asked_trials: int = 300


@dataclass(frozen=True)
class Workspace:
    """Where an arm runs: the data sets, what is measured, and an empty folder of its own."""

    data: Path
    profile: Profile
    folder: Path


class Target(Protocol):
    """One target; a module exports it as `TARGET`."""

    name: str

    def arms(self, profile: Profile) -> list[Arm]:
        """What is to be measured, in order."""

    def run(self, arm: Arm, work: Workspace) -> dict[str, Any]:
        """Measure an arm; what it gives becomes part of its line."""

    def figures(self, lines: Sequence[Line]) -> Figures:
        """Figures of the summary; None for what no line tells of."""
