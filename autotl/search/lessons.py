"""`Lesson`: what a trial on another data set teaches of a configuration, in units that data sets share.

Lessons of the sets that autotl was developed on ship beside the search spaces, one a line of JSON; those of
earlier runs come from the experience store.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.config import EpochResult, TrialConfig
from autotl.search.curves import log_errors
from autotl.search.merit import as_shares, merit, raised

Array = NDArray[Any]

#: Trials of a data set with fewer than these say nothing of what is good there.
_LEAST = 5
#: Merits and paces are spread by so much, at least, before their differences mean anything.
_LEAST_SPREAD = 0.005


@dataclass(frozen=True)
class Lesson:
    """A configuration that was tried on another data set.

    Attributes:
        config: The configuration, with the parameters that were varied there.
        merit: That of its best score, as deviations from the mean there.
        pace: Logarithm of its seconds an epoch, likewise.
        merit_unit: Deviation of merits there.
        pace_unit: Deviation of paces there.
        errors: Logarithm of its error after each epoch; empty where it did not come to its end.
    """

    config: TrialConfig
    merit: float
    pace: float
    merit_unit: float
    pace_unit: float
    errors: tuple[float, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary; `from_json` inverts it."""
        return {**vars(self), "config": self.config.to_json(), "errors": list(self.errors)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Lesson:
        """Rebuild what `to_json` wrote."""
        known = {"config": TrialConfig.from_json(value["config"]), "errors": tuple(value.get("errors", ()))}
        return cls(**{**value, **known})


def lessons(trials: Iterable[tuple[TrialConfig, Sequence[EpochResult]]]) -> list[Lesson]:
    """What the trials of one data set teach; nothing where they are few or all alike.

    Merits far below the median count as equally bad. A parameter that has one value in all trials is left
    out: it says nothing of other values.

    Args:
        trials: Configurations with their curves; those without an epoch are passed over.
    """
    known = [(config, curve) for config, curve in trials if curve]
    if len(known) < _LEAST:
        return []
    tops = [max(epoch.score for epoch in curve) for _, curve in known]
    merits = raised(merit(as_shares(tops, max(tops))))
    paces = np.log([max(sum(e.seconds for e in curve) / len(curve), 1e-3) for _, curve in known])
    units = float(merits.std()), max(float(paces.std()), _LEAST_SPREAD)
    if units[0] < _LEAST_SPREAD:
        return []
    merits, paces = (merits - merits.mean()) / units[0], (paces - paces.mean()) / units[1]
    varied = _varied([config for config, _ in known])
    return [
        Lesson(_with(config, varied), float(top), float(pace), *units, _errors(config, curve, max(tops)))
        for (config, curve), top, pace in zip(known, merits, paces, strict=True)
    ]


def read_lessons(path: Path) -> list[Lesson]:
    """The lessons of a file, none where there is no such file."""
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    return [Lesson.from_json(json.loads(line)) for line in lines]


def _errors(config: TrialConfig, curve: Sequence[EpochResult], best: float) -> tuple[float, ...]:
    """The course of a whole training of several epochs."""
    if not 1 < config.epochs <= len(curve):
        return ()
    return log_errors(as_shares([epoch.score for epoch in curve], best))


def _varied(configs: Sequence[TrialConfig]) -> set[str]:
    values: dict[str, set[object]] = {}
    for config in configs:
        for name, value in config.params.items():
            values.setdefault(name, set()).add(value)
    return {name for name, seen in values.items() if len(seen) > 1}


def _with(config: TrialConfig, names: set[str]) -> TrialConfig:
    return TrialConfig(
        config.backbone, config.strategy, {k: v for k, v in config.params.items() if k in names}
    )
