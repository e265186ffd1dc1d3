"""Chooses a linear head on frozen features by validation score."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from autotl.errors import TrialError
from autotl.features.frozen import PLAIN, View
from autotl.task import TaskKind
from autotl.training.linear import PENALTIES, LinearHead, logistic_path, prototype_head, ridge_path
from autotl.training.workbench import Workbench

#: Heads that a path gives without gain before the rest of it is given up.
_PATIENCE = 2


def candidate_heads(
    bench: Workbench, kind: str, features: Tensor, targets: Tensor, penalties: Sequence[float], weighting: str
) -> Iterator[LinearHead]:
    """Heads of one kind ("logistic", "ridge", "prototype") for each penalty, strong first.

    Raises:
        TrialError: The kind of head does not fit the task.
    """
    if kind == "ridge" or bench.task.kind is TaskKind.REGRESSION:
        return ridge_path(features, targets, penalties=penalties)
    if kind == "prototype" and bench.task.is_classification:
        return iter([prototype_head(features, targets)])
    if kind == "logistic":
        weights = bench.class_weights(weighting)
        return logistic_path(features, targets, bench.task.kind, penalties=penalties, weights=weights)
    raise TrialError("no such head for this task", found=f"{kind} for {bench.task.kind.value}")


def best_head(
    bench: Workbench,
    kind: str,
    depths: Sequence[int],
    *,
    penalty: float | None = None,
    weighting: str = "none",
    views: Sequence[View] = (PLAIN,),
    capture: Sequence[int] = (),
) -> tuple[LinearHead, Tensor, float]:
    """Fit heads on the training rows and keep the one with the best validation score.

    Args:
        bench: The data set and the backbone.
        kind: Kind of head.
        depths: Depths whose pooled features are concatenated.
        penalty: The only penalty to use; None chooses on validation.
        weighting: "balanced" weighs classes by inverse frequency.
        views: Versions of the training inputs that are stacked.
        capture: Depths whose activations the same pass should keep.

    Returns:
        The head, its raw outputs (V, K) on validation, and its score (NaN without validation rows).
    """
    train, val = bench.splits.train, bench.splits.val
    stacked = [
        torch.from_numpy(bench.frozen.pooled(train, depths, view, capture=capture if view == PLAIN else ()))
        for view in views
    ]
    features = torch.cat(stacked).to(bench.device)
    held_out = torch.from_numpy(bench.frozen.pooled(val, depths, capture=capture)).to(bench.device)
    return fit_head(bench, kind, features, held_out, penalty=penalty, weighting=weighting)


def fit_head(
    bench: Workbench,
    kind: str,
    features: Tensor,
    held_out: Tensor,
    *,
    penalty: float | None = None,
    weighting: str = "none",
) -> tuple[LinearHead, Tensor, float]:
    """What `best_head` does, on given features of the training rows (V * N, F) and validation rows (V, F)."""
    copies = len(features) // len(bench.splits.train)
    targets = bench.indicators(bench.splits.train).repeat(copies, 1).to(features.device)
    penalties = PENALTIES if penalty is None else (penalty,)
    best: tuple[LinearHead, Tensor, float] | None = None
    without_gain = 0
    for head in candidate_heads(bench, kind, features, targets, penalties, weighting):
        raw = head(held_out).cpu()
        score = bench.score(raw)
        if best is None or score > best[2] or math.isnan(score):
            best, without_gain = (head, raw, score), 0
        else:
            without_gain += 1
        if without_gain > _PATIENCE:
            break
    assert best is not None
    return best
