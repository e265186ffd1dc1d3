"""What the engine itself costs: recording a head, asking for a trial, memory for many rows."""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from autotl.backbones.catalogue import space_files
from autotl.config import EpochResult, TrialConfig, TrialResult, TrialState
from autotl.search.board import Board
from autotl.search.budget import Budget
from autotl.search.events import Event, TrialStarted
from autotl.search.lessons import read_lessons
from autotl.search.loop import run_search
from autotl.search.proposals import Proposal
from autotl.search.schedulers.gain import GainForTime
from autotl.search.schedulers.scheduler import scheduler
from autotl.search.simulated import SimulatedBackend, Table
from autotl.search.storage import StudyStorage
from autotl.trial.run_folder import RunFolder
from benchmarks.ablations.target import Arm, Figures, Line, Profile, Workspace
from benchmarks.opening import open_search
from benchmarks.sets import SETS, prepare

#: The space that trials are asked of; trials at the end of a search that are timed.
_SPACE, _LAST = "signdigits", 50
_EPOCHS = 8


class EndlessGain(GainForTime):
    """The cost-aware scheduler, which never has enough."""

    def enough(self, board: Board) -> str | None:
        """Never; working it out costs what it costs."""
        super().enough(board)
        return None


class CostTarget:
    """Bookkeeping and memory, without training."""

    name = "cost"

    def arms(self, profile: Profile) -> list[Arm]:
        """Heads, asked trials under two schedulers, and many rows."""
        names = (("journal", "heads"), (_SPACE, "fifo"), (_SPACE, "gain"), ("synthetic", "rows"))
        return [Arm(self.name, name, 0, arm) for name, arm in names]

    def run(self, arm: Arm, work: Workspace) -> dict[str, Any]:
        """Measure one of them."""
        profile = work.profile
        if arm.name == "heads":
            return {"head_trial_ms": head_trial_ms(RunFolder(work.folder), profile.asked_trials)}
        if arm.name == "rows":
            command = [sys.executable, "-m", "benchmarks.ablations.rows", str(profile.synthetic_rows)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            return dict(json.loads(done.stdout))
        return asked(arm, work)

    def figures(self, lines: Sequence[Line]) -> Figures:
        """Milliseconds a trial, and peak memory."""
        by_arm = {line["arm"]: line for line in lines}
        asked_ms = [by_arm[name]["asked_trial_ms"] for name in ("fifo", "gain") if name in by_arm]
        return {
            "head_trial_ms": by_arm.get("heads", {}).get("head_trial_ms"),
            "asked_trial_ms": max(asked_ms, default=None),
            "peak_mib_100k_rows": by_arm.get("rows", {}).get("peak_mib"),
        }


class MadeUpCurves(Mapping[str, tuple[EpochResult, ...]]):
    """A learning curve for every configuration, from its key alone."""

    def __getitem__(self, key: str) -> tuple[EpochResult, ...]:
        chance = random.Random(key)
        top, power, seconds = chance.uniform(0.5, 0.9), chance.uniform(0.5, 2.0), chance.uniform(1.0, 5.0)
        scores = [top - 0.3 * epoch**-power + chance.gauss(0, 0.005) for epoch in range(1, _EPOCHS + 1)]
        return tuple(
            EpochResult(epoch, score, float("nan"), seconds) for epoch, score in enumerate(scores, start=1)
        )

    def __iter__(self) -> Iterator[str]:
        raise TypeError("there is a curve for every key")

    def __len__(self) -> int:
        raise TypeError("there is a curve for every key")


def head_trial_ms(folder: RunFolder, trials: int) -> float:
    """Milliseconds that a search takes to record a head: its beginning, its score, its end."""
    score = EpochResult(1, 0.5, float("nan"), 0.01)
    begun = time.perf_counter()
    with StudyStorage(folder) as storage:
        for penalty in range(trials):
            config = TrialConfig("net", "linear_probe", {"penalty": float(penalty)})
            number = storage.begin(Proposal(config, "portfolio"))
            storage.report(number, score)
            state = TrialState.COMPLETE
            storage.finish(TrialResult(number, config, state, score.score, (score,), best_epoch=1))
    return round(1e3 * (time.perf_counter() - begun) / trials, 2)


def asked(arm: Arm, work: Workspace) -> dict[str, Any]:
    """Time between the starts of trials whose training takes none, at the end of a long search."""
    source = prepare(arm.set, work.data, work.folder, rows=work.profile.rows)
    space, _ = open_search(source, work.folder, quality="best", **dict(SETS[arm.set].options))
    backend = SimulatedBackend(Table("made up", (), MadeUpCurves()))
    started: list[tuple[float, float]] = []

    def listen(event: Event) -> None:
        if isinstance(event, TrialStarted):
            started.append((time.perf_counter(), time.process_time()))

    run_search(
        space,
        None,
        RunFolder(work.folder / "asked"),
        budget=Budget(None, work.profile.asked_trials, start=0.0, clock=backend.now),
        backend=backend,
        judge=EndlessGain() if arm.name == "gain" else scheduler(arm.name),
        listener=listen,
        validation_rows=300,
        lessons=read_lessons(space_files()["image"].with_suffix(".jsonl")),
    )
    last = started[-_LAST:]
    wall, cpu = (
        1e3 * statistics.mean(after[clock] - before[clock] for before, after in pairwise(last))
        for clock in (0, 1)
    )
    return {"asked_trial_ms": round(wall, 1), "asked_trial_cpu_ms": round(cpu, 1), "trials": len(started)}


TARGET = CostTarget()
