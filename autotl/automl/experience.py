"""`Experience`: what a run takes from earlier runs on this machine, and leaves to later ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from autotl.backbones.catalogue import space_files
from autotl.config import TrialResult
from autotl.profile.profile import DatasetProfile
from autotl.search.events import Listener, Note
from autotl.search.experience import ExperienceStore, Facts, store_path
from autotl.search.lessons import Lesson, read_lessons
from autotl.search.warm_start import lessons_of, portfolio_with, recommended
from autotl.space.space import SearchSpace


class Experience:
    """The store as one run uses it.

    Args:
        used: Whether to use the store at all; where not, nothing is read of it and nothing is written.
        tell: Told of what is offered early, and why.
    """

    def __init__(self, used: bool, tell: Listener) -> None:
        self._store = ExperienceStore(store_path()) if used else None
        self._tell = tell

    def advise(self, profile: DatasetProfile, space: SearchSpace) -> tuple[SearchSpace, list[dict[str, Any]]]:
        """The space with what won on similar data early in its portfolio, and those configurations."""
        if self._store is None:
            return space, []
        facts = Facts.of(profile.to_json())
        advice = recommended(self._store.runs(profile.modality), facts, space)
        for config in advice:
            self._tell(Note(f"won on similar data, offered early: {config.backbone}, {config.strategy}"))
        entries = tuple(portfolio_with(advice, space.portfolio()))
        free = space.free - {config.key for config in advice}  # it won on this very backbone
        return replace(space, entries=entries, free=free), [config.to_json() for config in advice]

    def lessons(self, profile: DatasetProfile) -> list[Lesson]:
        """What trials on other data teach: those that ship, then those of runs on similar data."""
        space = space_files().get(profile.modality)
        shipped = [] if space is None else read_lessons(space.with_suffix(".jsonl"))
        if self._store is None:
            return shipped
        return shipped + lessons_of(self._store.runs(profile.modality), Facts.of(profile.to_json()))

    def rates(self) -> dict[str, float]:
        """Multiply-accumulates a second of this machine by strategy, as earlier runs measured them."""
        return {} if self._store is None else self._store.rates()

    def record(
        self, profile: DatasetProfile, results: Sequence[TrialResult], rates: Mapping[str, float]
    ) -> None:
        """Leave this run to later ones."""
        if self._store is not None:
            self._store.record(Facts.of(profile.to_json()), results, rates)
