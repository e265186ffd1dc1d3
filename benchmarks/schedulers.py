"""Compares schedulers on recorded learning curves: regret of searches with budgets of simulated time.

    python -m benchmarks.schedulers [--seeds 20] [--arms random,gain]

Arms run on the same tables, seeds and order of configurations; "taught" arms know what the tables of the
other sets of the modality teach: a portfolio to begin with, and lessons. One row an arm in
`results/schedulers.jsonl`: mean regret over tables at each budget, with the standard error over seeds.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from functools import cache

import numpy as np

from autotl.config import TrialConfig
from autotl.search.board import Board, Standing
from autotl.search.budget import Budget
from autotl.search.events import EpochDone, Event
from autotl.search.lessons import Lesson
from autotl.search.loop import run_search
from autotl.search.schedulers.scheduler import Scheduler, Verdict, scheduler
from autotl.search.simulated import SimulatedBackend, Table, TableSpace
from autotl.trial.run_folder import RunFolder
from benchmarks.lessons import lessons_of, recorded
from benchmarks.portfolio import known_elsewhere
from benchmarks.record import append
from benchmarks.sets import SETS

BUDGETS_MINUTES = (1, 2, 3, 5, 10, 20, 30, 60)
SCHEDULERS = ("random", "one_then_three", "fifo", "asha", "pasha", "gain")
#: Prefix of the arms that know what other tables teach.
TAUGHT = "taught "
ARMS = (*SCHEDULERS, *(TAUGHT + name for name in SCHEDULERS))
#: Entries of a learned portfolio.
_ENTRIES = 6
#: Loading a checkpoint, measured on MiniLM and EfficientNet-Lite0.
RESUME_SECONDS = 0.5


class RandomSearch:
    """Every trial to its end."""

    name = "random"

    def judge(self, trial: Standing, board: Board) -> Verdict:
        """Go on."""
        return Verdict.GO_ON

    def pick(self, board: Board, *, fresh: bool) -> int | None:
        """Nothing waits."""
        return None

    def enough(self, board: Board) -> str | None:
        """Never."""
        return None


class OneEpochThenThree(RandomSearch):
    """One epoch for all, then the best three to the end."""

    name = "one_then_three"

    def judge(self, trial: Standing, board: Board) -> Verdict:
        """Pause after the first epoch."""
        return Verdict.PAUSE if len(trial.curve) == 1 else Verdict.GO_ON

    def pick(self, board: Board, *, fresh: bool) -> int | None:
        """The best of those that wait, once no new trial can be begun, for the first three."""
        gone_on = sum(len(result.curve) > 1 for result in board.finished)
        if fresh or gone_on >= 3 or not board.paused:
            return None
        return max(board.paused, key=lambda trial: trial.score).number


def main() -> None:
    """Run all arms."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--arms", default=",".join(ARMS))
    arguments = parser.parse_args()
    tables = recorded()
    for name in arguments.arms.split(","):
        by_seed = [[regrets(table, name, seed) for table in tables] for seed in range(arguments.seeds)]
        per_seed = np.mean(by_seed, axis=1)
        row = {
            "arm": name,
            "tables": {table.name: len(table.configs) for table in tables},
            "seeds": arguments.seeds,
            "minutes": BUDGETS_MINUTES,
            "regret": per_seed.mean(axis=0).round(5).tolist(),
            "standard_error": (per_seed.std(axis=0, ddof=1) / np.sqrt(len(per_seed))).round(5).tolist(),
        }
        append("schedulers", row)
        print(json.dumps(row), flush=True)


def regrets(table: Table, name: str, seed: int) -> list[float]:
    """The best score of the table less the best found by a search that has so long, for each budget."""
    budgets = [min(60.0 * minutes, 2 * table.seconds) for minutes in BUDGETS_MINUTES]
    reached = {seconds: reached_within(table, name, seed, seconds) for seconds in dict.fromkeys(budgets)}
    return [table.best - reached[seconds] for seconds in budgets]


def reached_within(table: Table, name: str, seed: int, seconds: float) -> float:
    """The best score of a search that is given so long; what an epoch that overran brought does not count."""
    return best_within(simulate(table, name, seed, seconds), seconds)


def simulate(table: Table, name: str, seed: int, seconds: float) -> list[tuple[float, float]]:
    """Search a table for so long with an arm; gives the score of each epoch, and its simulated time."""
    backend = SimulatedBackend(table, resume_seconds=RESUME_SECONDS)
    found: list[tuple[float, float]] = []

    def listen(event: Event) -> None:
        if isinstance(event, EpochDone):
            found.append((backend.now(), event.epoch.score))

    with tempfile.TemporaryDirectory() as folder:
        run_search(
            TableSpace(table, seed, _first(table.name) if name.startswith(TAUGHT) else ()),
            None,
            RunFolder(folder),
            budget=Budget(seconds, start=0.0, clock=backend.now),
            sampler_seed=seed,
            backend=backend,
            judge=_scheduler(name.removeprefix(TAUGHT)),
            listener=listen,
            validation_rows=table.validation_rows,
            lessons=_elsewhere(table.name) if name.startswith(TAUGHT) else (),
        )
    return found


def best_within(found: list[tuple[float, float]], seconds: float) -> float:
    """The best score reached by then, 0 where there was none."""
    return max((score for at, score in found if at <= seconds), default=0.0)


def _scheduler(name: str) -> Scheduler:
    """A scheduler by name; the two that only serve for comparison are known here alone."""
    own = {judge.name: judge for judge in (RandomSearch(), OneEpochThenThree())}
    return own.get(name) or scheduler(name)


@cache
def _first(name: str) -> Sequence[TrialConfig]:
    """What the tables of the other sets of its modality teach of a table."""
    table = next(table for table in recorded() if table.name == name)
    return known_elsewhere(table, _others(name), _ENTRIES)


@cache
def _elsewhere(name: str) -> Sequence[Lesson]:
    """What the tables of the other sets of its modality teach."""
    return lessons_of(_others(name))


def _others(name: str) -> list[Table]:
    """The tables of the other sets of its modality."""
    alike = [table for table in recorded() if SETS[table.name].images == SETS[name].images]
    return [table for table in alike if table.name != name]


if __name__ == "__main__":
    main()
