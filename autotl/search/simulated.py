"""The simulated backend: replays recorded learning curves on a clock of its own.

Schedulers are compared on it in seconds, and tested without training. A table is a JSON Lines file, one
configuration a line with its whole curve, and how many rows its scores rest on:
{"config": {...}, "curve": [{"epoch", "score", "seconds", ...}], "validation_rows": 600}.
"""

from __future__ import annotations

import heapq
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna

from autotl.config import EpochResult, TrialConfig, TrialResult, TrialState
from autotl.errors import DataError
from autotl.search.backend import BackendEvent, Ended, Paused, Stepped


@dataclass(frozen=True)
class Table:
    """Recorded trials of one data set.

    Attributes:
        name: Name of the data set.
        configs: What was trained.
        curves: The whole curve of each, by the key of its configuration.
        validation_rows: How many rows a score rests on; 0 for unknown.
    """

    name: str
    configs: tuple[TrialConfig, ...]
    curves: Mapping[str, tuple[EpochResult, ...]]
    validation_rows: int = 0

    @classmethod
    def read(cls, path: Path) -> Table:
        """Read a file of recorded trials.

        Raises:
            DataError: A line is not what a table holds, or there is none.
        """
        configs, curves, rows = [], {}, 0
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
            try:
                row = json.loads(line)
                config = TrialConfig.from_json(row["config"])
                curves[config.key] = tuple(map(EpochResult.from_json, row["curve"]))
                configs.append(config)
                rows = int(row.get("validation_rows", 0))
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(
                    "cannot read a table of trials",
                    found=f"{path}, line {number}: {error!r}",
                    expected='{"config": {...}, "curve": [{"epoch", "score", "train_loss", "seconds"}]}',
                ) from error
        if not configs or not all(curves.values()):
            raise DataError(
                "a table of trials is empty",
                found=str(path),
                expected="trials of an epoch or more, one a line",
            )
        return cls(path.stem, tuple(configs), curves, rows)

    @property
    def best(self) -> float:
        """The best score of the whole table."""
        return max(epoch.score for curve in self.curves.values() for epoch in curve)

    @property
    def seconds(self) -> float:
        """Time of training everything to its end."""
        return sum(epoch.seconds for curve in self.curves.values() for epoch in curve)


class TableSpace:
    """A search space of the configurations of a table, proposed in random order.

    Args:
        table: The table.
        seed: Of the order.
        first: Configurations of the table that come before all others.
    """

    def __init__(self, table: Table, seed: int, first: Sequence[TrialConfig] = ()) -> None:
        self._configs = table.configs
        self._row = {config.key: row for row, config in enumerate(self._configs)}
        shuffled = random.Random(seed).sample(self._configs, len(self._configs))
        self._order = [*first, *(config for config in shuffled if config not in first)]

    def suggest(self, trial: optuna.trial.Trial) -> TrialConfig:
        """A row of the table."""
        return self._configs[trial.suggest_int("row", 0, len(self._configs) - 1)]

    def portfolio(self) -> list[TrialConfig]:
        """All rows, the first ones and then those in the order of the seed."""
        return list(self._order)

    def to_optuna(self, config: TrialConfig) -> dict[str, Any]:
        """The row of a configuration."""
        return {"row": self._row[config.key]}


@dataclass
class _Replay:
    """A trial under way: how much of its curve was played."""

    number: int
    config: TrialConfig
    done: int = 0
    pausing: bool = False
    ending: tuple[TrialState, str | None] | None = None


class SimulatedBackend:
    """Replays a table.

    Args:
        table: The recorded trials.
        slots: Trials under way at once.
        resume_seconds: What going on with a paused trial costs.
    """

    def __init__(self, table: Table, *, slots: int = 1, resume_seconds: float = 0.0) -> None:
        self.slots = slots
        self._table, self._resume_seconds = table, resume_seconds
        self._time = 0.0
        self._due: list[tuple[float, int]] = []
        self._running: dict[int, _Replay] = {}

    def now(self) -> float:
        """Seconds on the simulated clock."""
        return self._time

    def start(self, number: int, config: TrialConfig) -> None:
        """Begin a recorded trial."""
        self._running[number] = _Replay(number, config)
        self._plan(self._running[number])

    def resume(self, result: TrialResult) -> None:
        """Go on where the trial was paused."""
        self._running[result.number] = _Replay(result.number, result.config, len(result.curve))
        self._plan(self._running[result.number], self._resume_seconds)

    def pause(self, number: int) -> None:
        """Put a trial aside."""
        self._running[number].pausing = True

    def stop(self, number: int, state: TrialState, error: str | None = None) -> None:
        """End a trial."""
        self._running[number].ending = (state, error)

    def poll(self) -> Sequence[BackendEvent]:
        """The next event, moving the clock to it."""
        for trial in self._running.values():
            if trial.ending is not None:
                return (Ended(self._leave(trial, *trial.ending)),)
            if trial.pausing:
                return (Paused(self._leave(trial, TrialState.PAUSED)),)
        if not self._due:
            return ()
        self._time, number = heapq.heappop(self._due)
        trial = self._running[number]
        curve = self._table.curves[trial.config.key]
        epoch = curve[trial.done]
        trial.done += 1
        finished = trial.done == len(curve)
        if finished:
            trial.ending = (TrialState.COMPLETE, None)
        else:
            self._plan(trial)
        return (Stepped(number, epoch, epoch.seconds, finished),)

    def _plan(self, trial: _Replay, delay: float = 0.0) -> None:
        epoch = self._table.curves[trial.config.key][trial.done]
        heapq.heappush(self._due, (self._time + delay + epoch.seconds, trial.number))

    def _leave(self, trial: _Replay, state: TrialState, error: str | None = None) -> TrialResult:
        del self._running[trial.number]
        self._due = [entry for entry in self._due if entry[1] != trial.number]
        heapq.heapify(self._due)
        curve = self._table.curves[trial.config.key][: trial.done]
        best = max(curve, key=lambda epoch: epoch.score, default=None)
        return TrialResult(
            trial.number,
            trial.config,
            state,
            score=None if best is None else best.score,
            curve=curve,
            seconds=sum(epoch.seconds for epoch in curve),
            error=error,
            best_epoch=0 if best is None else best.epoch,
        )
