"""Is the candidate that the probe ranks first as good as the best of all, tuned; and at what cost.

Candidates are backbones, input sizes and depths. Each is tuned as a linear probe on all training rows, and
scored on validation and test rows together, which the probe has not seen.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from autotl.search.budget import Budget
from autotl.search.candidates import Candidate
from autotl.search.ranking import rank_backbones
from autotl.space.space import SearchSpace
from autotl.strategies.linear_probe import depth_sets
from autotl.training.heads import best_head
from autotl.trial.probe import Prober
from autotl.trial.runner import TrialRunner
from benchmarks.ablations.target import Arm, Figures, Line, Profile, Workspace
from benchmarks.opening import open_search
from benchmarks.sets import SETS, prepare

#: Time that no probe is short of.
_AMPLE_SECONDS = 1e6
#: Sets of depths that are tuned, beside those that the ranking looks at most.
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
        for name in space.backbones:  # loading is no part of either cost
            for one in (runner, tuner):
                one.bench(space.complete(name, "linear_probe", {}))
        begun = time.perf_counter()
        ranking = rank_backbones(space, Prober(runner, arm.seed), runner.infos, Budget(_AMPLE_SECONDS))
        seconds = time.perf_counter() - begun
        runner.close()
        scores, tuning_seconds = tune(space, tuner, ranking)
        static = min(
            (c for c in ranking if c.depths == _last(ranking) and _is_own_size(c, runner)),
            key=lambda c: c.prior_rank,
        )
        logme = max((c for c in ranking if c.logme is not None), key=lambda c: (c.rows, c.logme or 0.0))
        return {
            "ranking_seconds": round(seconds, 1),
            "tuning_seconds": round(tuning_seconds, 1),
            "best": max(scores.values()),
            "chosen": scores[_key(ranking[0])],
            "static": scores[_key(static)],
            "logme": scores[_key(logme)],
            "scores": [[*key, score] for key, score in sorted(scores.items())],
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


def tune(
    space: SearchSpace, runner: TrialRunner, ranking: Sequence[Candidate]
) -> tuple[dict[Key, float], float]:
    """Score of each candidate on all rows held out, and the seconds that all fits took together."""
    units = dict.fromkeys((c.backbone, c.input_size or 0) for c in ranking)
    wanted = {_key(c) for c in ranking}
    scores: dict[Key, float] = {}
    seconds = 0.0
    for backbone, size in units:
        own = (runner.infos[backbone].input.get("size") or 0) == size
        config = space.complete(backbone, "linear_probe", {} if own else {"input_size": size})
        bench = runner.bench(config)
        splits, depth = bench.splits, bench.backbone.depth
        tuned = [depths for name in _TUNED_DEPTHS for depths in depth_sets(name, depth)]
        asked = [d for d in depth_sets("auto", depth) if (backbone, size, _words(d)) in wanted]
        begun = time.perf_counter()
        bench.frozen.pooled(splits.train_and_val, (depth,))
        seconds += time.perf_counter() - begun
        bench.frozen.pooled(splits.test, (depth,))
        held_out = np.concatenate([splits.val, splits.test])
        for depths in dict.fromkeys([*tuned, *asked]):
            begun = time.perf_counter()
            head, _, _ = best_head(bench, "logistic", depths)
            seconds += time.perf_counter() - begun
            raw = head(torch.from_numpy(bench.frozen.pooled(held_out, depths)))
            score = bench.metric.score(bench.dataset.targets[held_out], bench.predictions(raw))
            scores[backbone, size, _words(depths)] = score
    runner.close()
    return scores, seconds


def _key(candidate: Candidate) -> Key:
    return candidate.backbone, candidate.input_size or 0, candidate.depths


def _words(depths: Sequence[int]) -> str:
    return ",".join(map(str, depths))


def _is_own_size(candidate: Candidate, runner: TrialRunner) -> bool:
    return candidate.input_size == runner.infos[candidate.backbone].input.get("size")


def _last(ranking: Sequence[Candidate]) -> str:
    """The single deepest depth among the candidates: what an engineer takes who looks at no data."""
    return str(max(int(c.depths) for c in ranking if c.depths.isdigit()))


def _within(lines: Sequence[Mapping[str, Any]], name: str) -> float:
    return round(sum(line[name] >= line["best"] - _POINT for line in lines) / len(lines), 3)


TARGET = RankingTarget()
