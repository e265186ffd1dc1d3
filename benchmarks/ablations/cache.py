"""Cache on against off: how much sooner the same search reaches the same score.

Off, no feature outlives its trial, and the frozen blocks of a training are run again at each batch. Decoded
inputs are kept in both arms.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence
from typing import Any

import torch

from autotl.backbones.backbone import Batch
from autotl.config import TrialConfig
from autotl.features.frozen import PLAIN, FrozenPart, View
from autotl.search.budget import Budget
from autotl.search.events import EpochDone, Event
from autotl.search.loop import run_search
from autotl.training.workbench import Array
from autotl.trial.runner import TransferTrial, TrialRunner
from benchmarks.ablations.gather import Rises, reached_by_both
from benchmarks.ablations.target import Arm, Figures, Line, Profile, Workspace
from benchmarks.opening import open_search
from benchmarks.sets import SETS, prepare


class UncachedPart(FrozenPart):
    """A frozen part that forgets its features when told to, and keeps no activations."""

    def forget(self) -> None:
        """Drop all features."""
        self._arrays.clear()
        for path in self._folder.glob("pooled-*"):
            path.unlink()

    def pooled(
        self, rows: Array, depths: Sequence[int], view: View = PLAIN, *, capture: Sequence[int] = ()
    ) -> Array:
        """Features, without keeping activations of the same pass."""
        return super().pooled(rows, depths, view)

    def prepare(self, rows: Array, cut: int, view: View = PLAIN) -> None:
        """Decode; the frozen blocks are run when their activations are asked for."""
        super().prepare(rows, 0, view)

    def hidden(self, rows: Array, cut: int, view: View = PLAIN) -> Batch:
        """Activations after `cut` blocks, computed now."""
        batch = super().hidden(rows, 0)
        if cut == 0:
            return batch
        moved = {name: value.to(self._device) for name, value in self._augmented(batch, view, rows).items()}
        self.backbone.module.to(self._device)
        with torch.inference_mode():
            hidden = self.backbone.run(moved, 0, cut)
        return {name: value.clone().cpu() for name, value in hidden.items()}


class UncachedRunner(TrialRunner):
    """Runs trials that share nothing but decoded inputs."""

    frozen_part = UncachedPart

    def start(self, number: int, config: TrialConfig) -> TransferTrial:
        """Begin a trial without features of earlier ones."""
        frozen = self.bench(config).frozen
        assert isinstance(frozen, UncachedPart)
        frozen.forget()
        return super().start(number, config)


class CacheTarget:
    """On each set, the same search with the cache and without it."""

    name = "cache"

    def arms(self, profile: Profile) -> list[Arm]:
        """On and off in turn."""
        return [
            Arm(self.name, name, seed, arm)
            for name in profile.sets
            for seed in profile.seeds
            for arm in ("on", "off")
        ]

    def run(self, arm: Arm, work: Workspace) -> dict[str, Any]:
        """Search for the time of an arm; the row holds when the best score rose, and to what."""
        seconds, begun = work.profile.arm_seconds, math.inf
        source = prepare(arm.set, work.data, work.folder, rows=work.profile.rows)
        space, runner = open_search(
            source,
            work.folder,
            runner=UncachedRunner if arm.name == "off" else TrialRunner,
            deadline=lambda: begun + seconds,
            time_budget=seconds,
            trials=None,
            seed=arm.seed,
            **dict(SETS[arm.set].options),
        )
        runner.bench(space.portfolio()[0])  # imports and the backbone, which whichever arm is first would pay
        begun = time.monotonic()
        rises: list[tuple[float, float]] = []

        def listen(event: Event) -> None:
            if isinstance(event, EpochDone) and event.epoch.score > (rises[-1][1] if rises else 0.0):
                rises.append((round(time.monotonic() - begun, 3), event.epoch.score))

        results = run_search(
            space,
            runner,
            runner.folder,
            budget=Budget(seconds, start=begun),
            sampler_seed=arm.seed,
            validation_rows=len(runner.splits.val),
            listener=listen,
        )
        return {"rises": rises, "trials": len(results), "seconds": round(time.monotonic() - begun, 1)}

    def figures(self, lines: Sequence[Line]) -> Figures:
        """The median speed-up over sets and seeds."""
        arms = {(line["set"], line["seed"], line["arm"]): line["rises"] for line in lines}
        speedups = [
            speedup(rises, arms[name, seed, "off"])
            for (name, seed, arm), rises in arms.items()
            if arm == "on" and (name, seed, "off") in arms
        ]
        known = [value for value in speedups if value is not None]
        return {"cache_speedup_median": round(statistics.median(known), 2) if known else None}


def speedup(on: Rises, off: Rises) -> float | None:
    """Time of `off` over that of `on` until the best score that both reached; None where one reached none."""
    found = reached_by_both(on, off)
    return None if found is None else found[2] / found[1]


TARGET = CacheTarget()
