"""Is the candidate that the probe ranks first as good as the best of all, tuned; and at what cost.

Candidates are backbones, input sizes and depths. Each is tuned as a linear probe on all training rows, and
scored on validation and test rows together, which the probe has not seen. The ranking then has as much time
as a search that lasts as long as tuning all has for it: a tenth.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from autotl.search.budget import Budget
from autotl.search.candidates import Candidate
from autotl.search.ranking import other_sizes, rank_backbones
from autotl.space.space import SearchSpace
from autotl.strategies.linear_probe import depth_sets
from autotl.training.heads import Head, best_head
from autotl.training.workbench import Workbench
from autotl.trial.probe import Prober
from autotl.trial.runner import TrialRunner
from benchmarks.ablations.target import Arm, Figures, Line, Profile, Workspace
from benchmarks.opening import open_search
from benchmarks.sets import SETS, prepare

#: Rows whose pass tells how fast a backbone is.
_PACE_ROWS = 32
#: Sets of depths that are tuned.
_TUNED_DEPTHS = ("last", "late", "all")
_POINT = 0.01
Key = tuple[str, int, str]


class RankingTarget:
    """On each image set, the ranking, and the tuning of everything that it ranks."""

    name = "ranking"

    def arms(self, profile: Profile) -> list[Arm]:
        """One a set and seed; there is one packaged text encoder only, so nothing to rank for texts."""
        images = [name for name in profile.sets if SETS[name].images]
        return [Arm(self.name, name, seed, "tuned") for name in images for seed in profile.seeds]

    def run(self, arm: Arm, work: Workspace) -> dict[str, Any]:
        """Rank, then tune all, each from an empty cache."""
        source = prepare(arm.set, work.data, work.folder, rows=work.profile.rows)
        (space, runner), (_, tuner) = (
            open_search(source, work.folder / part, seed=arm.seed, **dict(SETS[arm.set].options))
            for part in ("ranked", "tuned")
        )
        for name in space.backbones:  # loading is no part of either cost, nor is what tells the pace
            for one in (runner, tuner):
                bench = one.bench(space.complete(name, "linear_probe", {}))
                bench.frozen.pooled(bench.splits.train[:_PACE_ROWS], (bench.backbone.depth,))
        tuned = Tuned(space, tuner)
        seconds = tuned.run()
        begun = time.perf_counter()
        ranking = rank_backbones(space, Prober(runner, arm.seed), runner.infos, Budget(seconds))
        ranking_seconds = time.perf_counter() - begun
        static = tuned.static
        picks = {
            "chosen": _key(ranking[0]) if ranking else static,  # without a ranking a search begins there
            "static": static,
            "logme": max(((c.rows, c.logme or 0.0, _key(c)) for c in ranking if c.rows), default=(static,))[
                -1
            ],
        }
        scores = {name: tuned.score(*key) for name, key in picks.items()}
        for one in (runner, tuner):
            one.close()
        return {
            "ranking_seconds": round(ranking_seconds, 1),
            "tuning_seconds": round(seconds, 1),
            "best": max(tuned.scores.values()),
            **scores,
            "scores": [[*key, score] for key, score in sorted(tuned.scores.items())],
            "candidates": [candidate.to_json() for candidate in ranking],
        }

    def figures(self, lines: Sequence[Line]) -> Figures:
        """Shares of sets within a point of the best, and of the time of tuning all."""
        if not lines:
            return {}
        seconds = [sum(line[name] for line in lines) for name in ("ranking_seconds", "tuning_seconds")]
        return {
            "ranking_within_1pt_share": _within(lines, "chosen"),
            "ranking_cost_share": round(seconds[0] / seconds[1], 3),
            "static_within_1pt_share": _within(lines, "static"),
            "logme_within_1pt_share": _within(lines, "logme"),
        }


class Tuned:
    """All candidates, tuned.

    Args:
        space: Has the backbones, and the sizes that a linear probe may take.
        runner: Runs them.

    Attributes:
        scores: On all rows held out, by backbone, size and depths.
    """

    def __init__(self, space: SearchSpace, runner: TrialRunner) -> None:
        self.scores: dict[Key, float] = {}
        self._space, self._runner = space, runner

    def run(self) -> float:
        """Tune everything; gives the seconds that passes and fits took together."""
        seconds = 0.0
        for backbone in self._space.backbones:
            info = self._runner.infos[backbone]
            for size in [self._own_size(backbone), *other_sizes(self._space, info)]:
                bench = self._bench(backbone, size)
                depth = bench.backbone.depth
                begun = time.perf_counter()
                bench.frozen.pooled(bench.splits.train_and_val, (depth,))
                seconds += time.perf_counter() - begun
                bench.frozen.pooled(bench.splits.test, (depth,))
                for depths in (d for name in _TUNED_DEPTHS for d in depth_sets(name, depth)):
                    begun = time.perf_counter()
                    head, _, _ = best_head(bench, "logistic", depths)
                    seconds += time.perf_counter() - begun
                    self._note(backbone, size, depths, head)
        return seconds

    @property
    def static(self) -> Key:
        """What who looks at no data takes: the last depth of the best known backbone, at its own size."""
        backbone = self._space.backbones[0]
        size = self._own_size(backbone)
        return backbone, size, str(self._bench(backbone, size).backbone.depth)

    def score(self, backbone: str, size: int, depths: str) -> float:
        """That of a candidate; one at depths that are no part of `run` is fitted now."""
        if (backbone, size, depths) not in self.scores:
            chosen = tuple(map(int, depths.split(",")))
            head, _, _ = best_head(self._bench(backbone, size), "logistic", chosen)
            self._note(backbone, size, chosen, head)
        return self.scores[backbone, size, depths]

    def _note(self, backbone: str, size: int, depths: Sequence[int], head: Head) -> None:
        bench = self._bench(backbone, size)
        rows = np.concatenate([bench.splits.val, bench.splits.test])
        raw = head(torch.from_numpy(bench.frozen.pooled(rows, depths)))
        score = bench.metric.score(bench.dataset.targets[rows], bench.predictions(raw))
        self.scores[backbone, size, ",".join(map(str, depths))] = score

    def _own_size(self, backbone: str) -> int:
        return int(self._runner.infos[backbone].input.get("size") or 0)

    def _bench(self, backbone: str, size: int) -> Workbench:
        other = {} if size == self._own_size(backbone) else {"input_size": size}
        return self._runner.bench(self._space.complete(backbone, "linear_probe", other))


def _key(candidate: Candidate) -> Key:
    return candidate.backbone, candidate.input_size or 0, candidate.depths


def _within(lines: Sequence[Mapping[str, Any]], name: str) -> float:
    return round(sum(line[name] >= line["best"] - _POINT for line in lines) / len(lines), 3)


TARGET = RankingTarget()
