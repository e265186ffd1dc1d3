"""`Leak`: one shortcut to a label; and how well scores tell a class from the others."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Leak:
    """Something that tells a class, and should not.

    Attributes:
        kind: "region", "attribute" or "token".
        column: The class or label that it tells.
        what: What it is, in words: "the region at the lower right".
        strength: How well it tells the class, 0.5 to 1.
        measure: What the strength is, in words: "AUC 0.99".
        remedy: What to do, in words.
        rows: Row numbers that show it, in the class.
    """

    kind: str
    column: int
    what: str
    strength: float
    measure: str
    remedy: str
    rows: Array


def auc(scores: Array, indicators: Array) -> Array:
    """(K,) area under the ROC curve of each column of scores (N, K); 0.5 where a class is empty or all.

    Ties count half (Mann and Whitney 1947).
    """
    from scipy.stats import rankdata

    rows = len(scores)
    positive = indicators.sum(axis=0)
    ranks = rankdata(scores, axis=0)
    wins = (ranks * indicators).sum(axis=0) - positive * (positive + 1) / 2
    pairs = positive * (rows - positive)
    return np.where(pairs > 0, wins / np.maximum(pairs, 1), 0.5)


def auc_error(area: float, inside: int, outside: int) -> float:
    """Standard error of an area under the ROC curve (Hanley and McNeil 1982).

    Args:
        area: The area, 0.5 to 1.
        inside: Rows of the class, 1 at least.
        outside: Other rows, 1 at least.
    """
    one, two = area / (2 - area), 2 * area**2 / (1 + area)
    varied = area * (1 - area) + (inside - 1) * (one - area**2) + (outside - 1) * (two - area**2)
    return math.sqrt(max(varied, 0.0) / (inside * outside))
