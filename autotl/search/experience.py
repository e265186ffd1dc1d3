"""`ExperienceStore`: what earlier runs on this machine have shown, for later ones to begin from.

An SQLite file in the user's data folder. It holds numbers about data sets, configurations, learning curves
and costs; no row of data, no name of a class or column, no path. A store that cannot be read or written
costs a warning, never a run.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import platform
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from autotl.backbones.unlisted import LOCAL
from autotl.config import EpochResult, TrialConfig, TrialResult, TrialState

_log = logging.getLogger(__name__)
T = TypeVar("T")
_VERSION = 1
_WAIT_SECONDS = 2.0
_TABLES = """
CREATE TABLE IF NOT EXISTS runs (
    id INTEGER PRIMARY KEY, day TEXT NOT NULL, data TEXT NOT NULL, machine TEXT NOT NULL,
    modality TEXT NOT NULL, kind TEXT NOT NULL, metric TEXT NOT NULL, meta TEXT NOT NULL, rates TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS trials (
    run INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE, number INTEGER NOT NULL, config TEXT NOT NULL,
    state TEXT NOT NULL, score REAL, seconds REAL NOT NULL, curve TEXT NOT NULL, PRIMARY KEY (run, number)
);
"""


@dataclass(frozen=True)
class Facts:
    """What is known of a data set, in numbers.

    Attributes:
        data: Hash of its content, by which a repeated run replaces the earlier one.
        modality: Name of the modality.
        kind: Kind of task.
        metric: What scores are.
        meta: Meta-features of the profile.
    """

    data: str
    modality: str
    kind: str
    metric: str
    meta: Mapping[str, float]

    @classmethod
    def of(cls, profile: Mapping[str, Any]) -> Facts:
        """The facts of a `DatasetProfile.to_json()`."""
        task = profile["task"]
        return cls(
            profile["fingerprint"],
            profile["modality"],
            task["kind"],
            task["metric"],
            profile["meta_features"],
        )


@dataclass(frozen=True)
class Past:
    """An earlier run.

    Attributes:
        facts: Its data set.
        results: Its trials.
    """

    facts: Facts
    results: tuple[TrialResult, ...]


class ExperienceStore:
    """Earlier runs.

    Args:
        path: The SQLite file; made when first written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def record(self, facts: Facts, results: Sequence[TrialResult], rates: Mapping[str, float]) -> None:
        """Remember a run, in place of an earlier one on the same data with the same metric.

        Args:
            facts: The data set.
            results: All trials; those that failed are remembered as such.
            rates: Multiply-accumulates a second of this machine, by strategy.
        """

        def write(store: sqlite3.Connection) -> None:
            store.execute("DELETE FROM runs WHERE data = ? AND metric = ?", (facts.data, facts.metric))
            run = store.execute(
                "INSERT INTO runs (day, data, machine, modality, kind, metric, meta, rates)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    f"{datetime.now(UTC):%Y-%m-%d}",
                    *(facts.data, this_machine(), facts.modality, facts.kind, facts.metric),
                    json.dumps(dict(facts.meta)),
                    json.dumps(dict(rates)),
                ),
            ).lastrowid
            store.executemany("INSERT INTO trials VALUES (?, ?, ?, ?, ?, ?, ?)", _trial_rows(run, results))

        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            _log.warning("the experience store %s cannot be used: %s", self._path, error)
        else:
            self._use(write, None)

    def runs(self, modality: str) -> list[Past]:
        """Earlier runs of a modality, oldest first."""

        def read(store: sqlite3.Connection) -> list[Past]:
            rows = store.execute(
                "SELECT id, data, modality, kind, metric, meta FROM runs WHERE modality = ? ORDER BY id",
                (modality,),
            ).fetchall()
            return [
                Past(Facts(data, of, kind, metric, json.loads(meta)), tuple(_trials(store, run)))
                for run, data, of, kind, metric, meta in rows
            ]

        return self._use(read, []) if self._path.is_file() else []

    def rates(self) -> dict[str, float]:
        """Multiply-accumulates a second of this machine by strategy, as the last run measured them."""

        def read(store: sqlite3.Connection) -> dict[str, float]:
            found: dict[str, float] = {}
            rows = store.execute("SELECT rates FROM runs WHERE machine = ? ORDER BY id", (this_machine(),))
            for (rates,) in rows:
                found |= json.loads(rates)
            return found

        return self._use(read, {}) if self._path.is_file() else {}

    def _use(self, action: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """What `action` gives, in one transaction; `otherwise`, and a warning, where the store fails."""
        try:
            with closing(sqlite3.connect(self._path, timeout=_WAIT_SECONDS)) as store, store:
                store.execute("PRAGMA foreign_keys = ON")
                if store.execute("PRAGMA user_version").fetchone()[0] not in (0, _VERSION):
                    raise sqlite3.DatabaseError("it was written by another version of autotl")
                store.executescript(_TABLES)
                store.execute(f"PRAGMA user_version = {_VERSION}")
                return action(store)
        except (sqlite3.Error, ValueError, KeyError, TypeError) as error:
            _log.warning("the experience store %s cannot be used: %s", self._path, error)
            return otherwise


def _trial_rows(run: int | None, results: Sequence[TrialResult]) -> Iterator[tuple[Any, ...]]:
    for r in results:
        curve = json.dumps([asdict(epoch) for epoch in r.curve])
        config = replace(r.config, backbone=without_path(r.config.backbone))
        yield (run, r.number, json.dumps(config.to_json()), r.state.value, r.score, r.seconds, curve)


def _trials(store: sqlite3.Connection, run: int) -> Iterator[TrialResult]:
    rows = store.execute(
        "SELECT number, config, state, score, seconds, curve FROM trials WHERE run = ? ORDER BY number",
        (run,),
    )
    for number, config, state, score, seconds, curve in rows:
        yield TrialResult(
            number,
            TrialConfig.from_json(json.loads(config)),
            TrialState(state),
            score,
            tuple(EpochResult(**epoch) for epoch in json.loads(curve)),
            seconds,
        )


def without_path(backbone: str) -> str:
    """The name of a backbone as the store has it: a hash in place of the path of a local one."""
    kind, found, path = backbone.partition(LOCAL)
    if kind or not found:
        return backbone
    return LOCAL + hashlib.sha256(path.encode()).hexdigest()[:12]


def store_path() -> Path:
    """The store's file: in `AUTOTL_DATA_DIR`, else in the platform's folder for data of programs."""
    if chosen := os.environ.get("AUTOTL_DATA_DIR"):
        folder = Path(chosen).expanduser()
    elif sys.platform == "win32":
        folder = Path(os.environ.get("LOCALAPPDATA", str(Path.home()))) / "autotl"
    elif sys.platform == "darwin":
        folder = Path.home() / "Library" / "Application Support" / "autotl"
    else:
        folder = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "autotl"
    return folder / "experience.sqlite"


def this_machine() -> str:
    """A short hash of what decides how fast this machine is."""
    parts = (platform.machine(), platform.processor(), os.cpu_count())
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def distance(one: Facts, other: Facts) -> float:
    """How far two data sets lie apart: mean difference of the logarithms of their common meta-features."""
    common = sorted(set(one.meta) & set(other.meta))
    if not common:
        return math.inf
    differences = [abs(_log_of(one.meta[name]) - _log_of(other.meta[name])) for name in common]
    return sum(differences) / len(differences) + (0.0 if one.kind == other.kind else 1.0)


def _log_of(value: float) -> float:
    return math.copysign(math.log1p(abs(value)), value)
