"""`Graphs`: what the exported forms of trials take, and which limits they are over."""

from __future__ import annotations

import math
import time
from dataclasses import asdict
from pathlib import Path

from autotl.automl.combine import Combinations
from autotl.automl.footprints import footprint, shipped_footprint
from autotl.config import TrialConfig, TrialResult
from autotl.export.bundle import add_limits
from autotl.graph.footprint import Footprint
from autotl.leaderboard.selection import OVER_LIMIT
from autotl.search.local import guarded
from autotl.space.limits import Limits
from autotl.trial.runner import TrialRunner

#: How often a graph that is to ship is measured until it meets the limits.
_ATTEMPTS = 2
#: Kinds of head that are one and the same graph; any other is one of its own.
_LINEAR_HEADS = ("logistic", "ridge", "prototype")


class Graphs:
    """Measures the exported forms of trials, each kind of graph once.

    Args:
        runner: Holds data and splits.
        combinations: Give the models.
        limits: What a delivered model may take, and how that is measured.
    """

    def __init__(self, runner: TrialRunner, combinations: Combinations, limits: Limits) -> None:
        self._runner, self._combinations, self._limits = runner, combinations, limits
        self._measured: dict[tuple[str, ...], Footprint | str] = {}

    def measure(self, results: list[TrialResult], until: float) -> list[TrialResult]:
        """The results with size and latency of their exported graphs, the best trials first.

        Trials of one backbone, preprocessing, depths and kind of head share one measurement. What cannot be
        exported is marked so, and cannot win.

        Args:
            results: Trials; those without a score are passed on.
            until: Time (`time.monotonic`) after which nothing more is measured.
        """
        for result in sorted(results, key=lambda r: -math.inf if r.score is None else r.score, reverse=True):
            if self._graph_key(result) and time.monotonic() < until:
                self._footprint(result)
        return [self._with_footprint(result) for result in results]

    def over_limit(self, result: TrialResult) -> str | None:
        """Which limit the exported form of a trial is over, in words; None where it meets them all."""
        if not self._limits:
            return None
        found = self._footprint(result)
        return found if isinstance(found, str) else self._limits.exceeded_by(found)

    def hold_to_limits(self, folder: Path) -> str | None:
        """Measure the graph that a bundle ships, and let the bundle tell what was asked and what it takes.

        Args:
            folder: The bundle.

        Returns:
            Which limit it is over, in words; None where it meets them all.
        """
        limits, runner = self._limits, self._runner
        for _ in range(_ATTEMPTS):  # what else the machine does makes a figure larger, never smaller
            found = shipped_footprint(folder, runner.dataset, runner.splits.val, limits)
            over = limits.exceeded_by(found)
            if over is None:
                break
        add_limits(folder, {"asked": asdict(limits), "words": limits.words(found), "over": over})
        return over

    def marked(self, results: list[TrialResult], like: TrialResult, over_limit: str) -> list[TrialResult]:
        """The results, with those marked as over a limit whose graphs are the same as that of one that is."""
        key = self._graph_key(like)
        return [
            result.with_facts(**{OVER_LIMIT: over_limit}) if self._graph_key(result) == key else result
            for result in results
        ]

    def _footprint(self, result: TrialResult) -> Footprint | str:
        """What the graph of a trial takes, measured when first asked for; in words why there is none."""
        key, runner = self._graph_key(result), self._runner
        if key not in self._measured:
            model = self._combinations.model(result)
            error, found = guarded(lambda: footprint(model, runner.dataset, runner.splits.val, self._limits))
            self._measured[key] = found or f"it cannot be exported: {error}"
        return self._measured[key]

    def _with_footprint(self, result: TrialResult) -> TrialResult:
        known = self._measured.get(self._graph_key(result))
        if isinstance(known, str):
            return result.with_facts(**{OVER_LIMIT: known})
        return result if known is None else result.with_facts(**asdict(known))

    def _graph_key(self, result: TrialResult) -> tuple[str, ...]:
        """What the exported graph's size and speed depend on; empty where there is no graph."""
        if result.score is None or result.left_out is not None:
            return ()
        members = self._combinations.members(result)
        configs = [TrialConfig.from_json(member.facts["refit"]) for member in members]
        spec = self._runner.bench(configs[0]).spec
        heads = [f"{config.get('depths', 'last')}, {_head(config)}" for config in configs]
        return configs[0].backbone, spec.key, result.config.strategy if len(heads) > 1 else "", *heads


def _head(config: TrialConfig) -> str:
    """The kind of graph that the head of a trial is."""
    head = str(config.get("head", _LINEAR_HEADS[0]))
    return "linear" if head in _LINEAR_HEADS else head
