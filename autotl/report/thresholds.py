"""Precision, recall and F1 against the threshold from which a class or label is called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.task import THRESHOLD

Array = NDArray[Any]
_STEPS = 101
#: Labels that are looked at one by one: the most frequent ones, then the worst of those with rows enough.
_MOST_FREQUENT, _MOST_WORST, _FEWEST_ROWS = 6, 3, 5


@dataclass(frozen=True)
class Thresholds:
    """Curves over (T,) thresholds, ascending; where nothing is called, precision is NaN.

    Attributes:
        subject: What is called: the name of a class, or "any label".
        thresholds, precision, recall, f1: (T,) float64.
        best: The threshold of the highest F1 on these rows.
        best_f1: F1 there.
        usual_f1: F1 at the threshold that predictions are made with.
    """

    subject: str
    thresholds: Array
    precision: Array
    recall: Array
    f1: Array
    best: float
    best_f1: float
    usual_f1: float


def thresholds(applies: Array, probabilities: Array, subject: str) -> Thresholds | None:
    """Curves of one class, or of all labels counted together (micro average).

    Args:
        applies: (N,) or (N, K) bool, whether it is true.
        probabilities: The same shape, how likely it was said to be.
        subject: What is called.

    Returns:
        None where nothing or everything is true, so that there is nothing to choose.
    """
    truth, said = applies.ravel(), probabilities.ravel()
    positives = int(truth.sum())
    if not 0 < positives < len(truth):
        return None
    steps = np.linspace(0, 1, _STEPS)
    hits = positives - np.searchsorted(np.sort(said[truth]), steps, side="left")
    called = len(said) - np.searchsorted(np.sort(said), steps, side="left")
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = hits / called
    f1 = 2 * hits / (called + positives)
    top = int(f1.argmax())
    usual = f1[int(np.abs(steps - THRESHOLD).argmin())]
    return Thresholds(
        subject, steps, precision, hits / positives, f1, float(steps[top]), float(f1[top]), float(usual)
    )


def label_thresholds(applies: Array, probabilities: Array, labels: Sequence[str]) -> tuple[Thresholds, ...]:
    """Curves of single labels: of those that occur most, and of the rest that do worst, nine at most.

    Args:
        applies: (N, K) bool.
        probabilities: (N, K).
        labels: K names.
    """
    counts = applies.sum(axis=0)
    order = np.argsort(-counts, kind="stable")
    known = [
        (k, found)
        for k in order.tolist()
        if (found := thresholds(applies[:, k], probabilities[:, k], labels[k]))
    ]
    rest = [found for k, found in known[_MOST_FREQUENT:] if counts[k] >= _FEWEST_ROWS]
    worst = sorted(rest, key=lambda found: found.usual_f1)[:_MOST_WORST]
    return (*(found for _, found in known[:_MOST_FREQUENT]), *worst)
