"""Fits heads of a kind on frozen features and chooses by validation score."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from autotl.errors import TrialError
from autotl.task import TaskKind
from autotl.training.linear import PENALTIES, Components, LinearHead, logistic_path, prototype_head
from autotl.training.mlp import MLPHead, mlp_path
from autotl.training.ridge import Ridge, ridge_path, signs
from autotl.training.workbench import Workbench

#: Heads of a path that may be worse than the best before the rest of it is given up.
_PATIENCE = 2

Head = LinearHead | MLPHead


def candidate_heads(
    bench: Workbench, kind: str, features: Tensor, targets: Tensor, penalties: Sequence[float], weighting: str
) -> Iterator[Head]:
    """Heads of one kind ("logistic", "ridge", "prototype", "mlp") for each penalty, strong first.

    Raises:
        TrialError: The kind of head does not fit the task.
    """
    weights = bench.class_weights(weighting)
    if kind == "mlp":
        return mlp_path(
            features, targets, bench.task.kind, penalties=penalties, weights=weights, seed=bench.seed
        )
    if kind == "ridge" or bench.task.kind is TaskKind.REGRESSION:
        return ridge_path(features, targets, bench.task.kind, penalties=penalties)
    if kind == "prototype" and bench.task.is_classification:
        return iter([prototype_head(features, targets)])
    if kind == "logistic":
        return logistic_path(features, targets, bench.task.kind, penalties=penalties, weights=weights)
    raise TrialError(
        "no such head for this task",
        found=f"{kind} for {bench.task.kind.value}",
        expected="logistic, ridge, prototype or mlp; ridge or mlp for regression",
    )


def best_head(
    bench: Workbench,
    kind: str,
    depths: Sequence[int],
    *,
    share: float = 1.0,
    penalty: float | None = None,
    weighting: str = "none",
    capture: Sequence[int] = (),
) -> tuple[Head, Tensor, float]:
    """Fit heads on the training rows and keep the one with the best validation score.

    Args:
        bench: The data set and the backbone.
        kind: Kind of head.
        depths: Depths whose pooled features are concatenated.
        share: Share of these features that the head uses, the most relevant ones.
        penalty: The only penalty to use; None chooses on validation.
        weighting: "balanced" weighs classes by inverse frequency.
        capture: Depths whose activations the same pass should keep.

    Returns:
        The head, its raw outputs (V, K) on validation, and its score (NaN without validation rows).
    """
    features, held_out = (
        torch.from_numpy(bench.frozen.pooled(rows, depths, capture=capture)).to(bench.device)
        for rows in (bench.splits.train, bench.splits.val)
    )
    return fit_head(bench, kind, features, held_out, share=share, penalty=penalty, weighting=weighting)


def fit_head(
    bench: Workbench,
    kind: str,
    features: Tensor,
    held_out: Tensor,
    *,
    share: float = 1.0,
    penalty: float | None = None,
    weighting: str = "none",
) -> tuple[Head, Tensor, float]:
    """What `best_head` does, on given features of the training rows (N, F) and validation rows (V, F)."""
    targets = bench.indicators(bench.splits.train).to(features.device)
    penalties = PENALTIES if penalty is None else (penalty,)
    columns = relevant_columns(bench, features, targets, share)
    best: tuple[Head, Tensor, float] | None = None
    losses = 0
    for fitted in candidate_heads(bench, kind, features[:, columns], targets, penalties, weighting):
        head = fitted.spread(columns, features.shape[1])
        raw = head(held_out).cpu()
        score = bench.score(raw)
        if best is None or score > best[2] or math.isnan(score):
            best, losses = (head, raw, score), 0
        else:
            losses += score < best[2]  # a tie is none: strong penalties that name one class all tie
        if losses > _PATIENCE:
            break
    assert best is not None
    return best


def relevant_columns(bench: Workbench, features: Tensor, targets: Tensor, share: float) -> Tensor:
    """Numbers, ascending, of the share of columns that a ridge regression on all of them weighs most."""
    width = features.shape[1]
    if share >= 1.0:
        return torch.arange(width, device=features.device)
    ridge = Ridge(Components(features), targets if bench.task.kind is TaskKind.REGRESSION else signs(targets))
    return most_relevant(ridge.relevance(), share)


def most_relevant(relevance: Tensor, share: float) -> Tensor:
    """Numbers, ascending, of the most relevant columns: at least one."""
    return relevance.topk(max(1, round(share * len(relevance)))).indices.sort().values


def head_tensors(head: Head) -> dict[str, Tensor]:
    """The tensors of a head on the CPU, by name; `restored_head` inverts it."""
    layers = {"": head} if isinstance(head, LinearHead) else {"hidden_": head.hidden, "": head.output}
    tensors = {}
    for prefix, layer in layers.items():
        tensors[f"{prefix}weight"] = layer.weight.cpu().contiguous()
        tensors[f"{prefix}bias"] = layer.bias.cpu().contiguous()
    return {**tensors, "penalty": torch.tensor(head.penalty, dtype=torch.float64)}


def restored_head(tensors: Mapping[str, Tensor]) -> Head:
    """The head that `head_tensors` took apart."""
    penalty = float(tensors["penalty"])
    output = LinearHead(tensors["weight"], tensors["bias"], penalty)
    if "hidden_weight" not in tensors:
        return output
    return MLPHead(LinearHead(tensors["hidden_weight"], tensors["hidden_bias"], penalty), output)
