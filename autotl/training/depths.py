"""Ranks sets of depths by closed-form fits, so that iterations are spent on the most promising alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autotl.task import TaskKind
from autotl.training.heads import most_relevant
from autotl.training.linear import Components
from autotl.training.ridge import Ridge, sharpness, signs
from autotl.training.workbench import Workbench

Array = NDArray[Any]
#: Shares of all features that Head2Toe's selection is tried with.
SHARES = (0.5, 0.25, 0.1, 0.05)
#: Training rows that a ranking looks at most; more seldom change it.
_ROWS = 2000
_RESAMPLES = 100


@dataclass(frozen=True)
class FeatureSet:
    """Depths whose pooled features a head reads, and the share of those features that it uses.

    Attributes:
        depths: Ascending.
        share: The most relevant ones, see `best_head`.
    """

    depths: tuple[int, ...]
    share: float = 1.0


@dataclass(frozen=True)
class _Ranked:
    features: FeatureSet
    score: float
    predictions: Array
    relevance: Tensor


def promising(bench: Workbench, sets: Sequence[tuple[int, ...]], count: int) -> list[FeatureSet]:
    """The sets of depths that are worth a fitted path, the one to prefer first.

    Ridge regressions judge each set on training rows left out and on validation rows together, which are many
    more than the validation part has: trying many sets overfits it less. Preferred is the first set, in the
    order given, within one standard error of the best score (Breiman et al. 1984). The best selection of
    single features comes last: it has seen the training rows, so only validation judges it.

    Args:
        bench: The data set and the backbone.
        sets: Sets of depths, simplest first.
        count: How many sets to give, beside the selection.
    """
    rng = np.random.default_rng(bench.seed)
    train = bench.splits.train
    train = np.sort(rng.permutation(train)[:_ROWS])
    ranked = [_rank(bench, train, FeatureSet(depths)) for depths in sets]
    best = max(ranked, key=lambda one: one.score)
    targets = bench.dataset.targets[np.concatenate([train, bench.splits.val])]
    near = (one for one in ranked if not surpasses(bench, targets, best.predictions, one.predictions))
    preferred = next(near, best)
    widest = max(ranked, key=lambda one: len(one.features.depths))
    others = sorted((one for one in ranked if one is not preferred), key=lambda one: -one.score)
    chosen = [preferred.features, *(one.features for one in others[: count - 1])]
    return [*chosen, *_selection(bench, train, widest)]


def surpasses(bench: Workbench, targets: Array, first: Array, second: Array) -> bool:
    """Whether predictions score better than others by more than the standard error of the difference.

    A paired bootstrap gives the error (Efron and Tibshirani 1993).

    Args:
        bench: Gives the metric.
        targets: Of n rows.
        first: Predictions for them.
        second: The others.
    """
    score, rng = bench.metric.score, np.random.default_rng(bench.seed)
    differences = []
    for _ in range(_RESAMPLES):
        rows = rng.integers(len(targets), size=len(targets))
        differences.append(score(targets[rows], first[rows]) - score(targets[rows], second[rows]))
    gain = score(targets, first) - score(targets, second)
    return bool(gain > np.nanstd(differences))


def _rank(bench: Workbench, train: Array, features: FeatureSet) -> _Ranked:
    """Score a set at its best penalty, with predictions for training and validation rows."""
    x, indicators, held_out = _tensors(bench, train, features.depths)
    ridge = Ridge(Components(x), _fitted(bench, indicators))
    targets = bench.dataset.targets[np.concatenate([train, bench.splits.val])]
    outcomes, relevance = [], ridge.relevance()
    for index, outputs in enumerate(ridge.outputs(held_out)):
        left_out = ridge.left_out(index)
        raw = _sharp(bench, left_out, indicators) * torch.cat([left_out, outputs])
        predictions = bench.predictions(raw.cpu())
        score = bench.metric.score(targets, predictions)
        outcomes.append(_Ranked(features, score, predictions, relevance))
    return max(outcomes, key=lambda one: one.score)


def _selection(bench: Workbench, train: Array, whole: _Ranked) -> list[FeatureSet]:
    """The share of the features of a set that serves validation best; none without such rows."""
    if len(bench.splits.val) == 0:
        return []
    x, indicators, held_out = _tensors(bench, train, whole.features.depths)
    fitted = _fitted(bench, indicators)
    scores = []
    for share in SHARES:
        columns = most_relevant(whole.relevance, share)
        ridge = Ridge(Components(x[:, columns]), fitted)
        for index, outputs in enumerate(ridge.outputs(held_out[:, columns])):
            raw = _sharp(bench, ridge.left_out(index), indicators) * outputs
            scores.append((bench.score(raw.cpu()), -share))
    return [FeatureSet(whole.features.depths, -max(scores)[1])]


def _tensors(bench: Workbench, train: Array, depths: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
    """Training features, their targets, and validation features, on the bench's device."""
    x, held_out = (torch.from_numpy(bench.frozen.pooled(rows, depths)) for rows in (train, bench.splits.val))
    return x.to(bench.device), bench.indicators(train).to(bench.device), held_out.to(bench.device)


def _fitted(bench: Workbench, indicators: Tensor) -> Tensor:
    return indicators if bench.task.kind is TaskKind.REGRESSION else signs(indicators)


def _sharp(bench: Workbench, left_out: Tensor, indicators: Tensor) -> float:
    kind = bench.task.kind
    return 1.0 if kind is TaskKind.REGRESSION else sharpness(left_out, indicators, kind)
