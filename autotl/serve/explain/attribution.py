"""What each piece of an input adds to an output, from what the output loses where pieces are hidden.

Pure functions on arrays; a mask says which pieces are hidden, and only the caller knows what pieces are.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.task import Task, TaskKind

Array = NDArray[Any]
#: What the output loses, (B,) float64, where the pieces of masks (B, P) bool are hidden.
Loss = Callable[[Array], Array]

#: Probabilities are kept so far from 0 and 1 that log-odds stay finite: float32 is not finer near 1.
_LEAST = 1e-7
#: Keeps effects of pieces that were never hidden alone equal to one another; too small to be seen elsewhere.
_RIDGE = 1e-4


class Unit(StrEnum):
    """What effects are measured in.

    Log-odds, of a class against all others together or of a label against its absence, add up over single
    pieces where probabilities near 1 hardly move. Where pieces and groups of them are fitted together
    probabilities serve better: hiding much at once moves log-odds without end (`benchmarks/explain.py`).
    """

    LOG_ODDS = "log-odds"
    PROBABILITY = "probability"
    VALUE = "value"


def unit_of(task: Task, groups: Array) -> Unit:
    """The unit that suits a task and groups of pieces (G, P)."""
    if task.kind is TaskKind.REGRESSION:
        return Unit.VALUE
    return Unit.PROBABILITY if _overlap(groups) else Unit.LOG_ODDS


def evidence(task: Task, outputs: Array, target: int | None, unit: Unit) -> Array:
    """How much speaks for an output, (N,) float64.

    Args:
        task: What is predicted.
        outputs: (N, K) probabilities or (N,) values.
        target: Index of the class or label; None for regression.
        unit: The scale; `Unit.VALUE` for regression, and only there.
    """
    values = outputs.astype(np.float64)
    if unit is Unit.VALUE or target is None:
        return values
    chosen = values[:, target]
    if task.kind is TaskKind.MULTILABEL:
        against = 1 - chosen
    else:
        against = np.delete(values, target, axis=1).sum(axis=1)  # exact where 1 - p would have no digits
    if unit is Unit.PROBABILITY:
        return np.asarray(np.where(chosen > 0.5, 1 - against, chosen))
    return np.asarray(np.log(np.maximum(chosen, _LEAST)) - np.log(np.maximum(against, _LEAST)))


def attribute(groups: Array, loss: Loss, runs: int) -> Array:
    """What each piece adds.

    First groups of pieces are hidden, then single pieces, those of the groups that cost most first. Effects
    are the additive model that fits the losses best, by least squares. LIME (Ribeiro et al. 2016) fits one to
    random masks; chosen ones need fewer runs.

    Args:
        groups: (G, P) bool, pieces to hide together. Where no two groups share a piece they only say which
            single pieces are worth a run; what was hidden alone then counts for itself.
        loss: Measures masks.
        runs: Most masks to measure; at least G.

    Returns:
        (P,) float64 in the unit of `loss`, positive where a piece speaks for the output.
    """
    pieces = groups.shape[1]
    if pieces == 0:
        return np.zeros(0)
    of_groups = loss(groups) if len(groups) else np.zeros(0)
    chosen = _worth_a_run(groups, of_groups)[: runs - len(groups)]
    singles = np.eye(pieces, dtype=bool)[chosen]
    of_singles = loss(singles) if len(singles) else np.zeros(0)
    if not _overlap(groups):
        open_groups = ~(groups <= singles.any(axis=0)).all(axis=1)
        groups, of_groups = groups[open_groups], of_groups[open_groups]
    masks = np.concatenate([singles, groups]).astype(np.float64)
    weights = 1 / np.sqrt(masks.sum(axis=1))
    return _ridge(masks * weights[:, None], np.concatenate([of_singles, of_groups]) * weights)


def strongest(effects: Array, share: float, most: int) -> Array:
    """The fewest pieces that hold a share of all that speaks for the output; the strongest first.

    Args:
        effects: (P,).
        share: In (0, 1].
        most: Most pieces.
    """
    positive = np.maximum(effects, 0)
    order = np.argsort(-positive, kind="stable")
    reached = np.cumsum(positive[order])
    if not len(effects) or reached[-1] <= 0:
        return np.zeros(0, np.int64)
    needed = int(np.searchsorted(reached, share * reached[-1])) + 1
    found = order[: min(needed, most)]
    return found[positive[found] > 0]


def _overlap(groups: Array) -> bool:
    """Whether a piece is in two groups."""
    return bool(groups.sum(axis=0).max(initial=0) > 1)


def _worth_a_run(groups: Array, losses: Array) -> Array:
    """All pieces, those first whose groups cost most for their size, in either direction."""
    sizes = np.maximum(groups.sum(axis=1), 1)
    promise = (groups * (np.abs(losses) / sizes)[:, None]).max(axis=0, initial=0.0)
    return np.argsort(-promise, kind="stable")


def _ridge(masks: Array, losses: Array) -> Array:
    gram = masks.T @ masks
    return np.asarray(np.linalg.solve(gram + _RIDGE * np.eye(len(gram)), masks.T @ losses))
