"""The trials of a search strategy by strategy: how many, how good, how dear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autotl.report.ranking import Row


@dataclass(frozen=True)
class StrategyRow:
    """What one strategy gave; scores are in the metric's own direction.

    Attributes:
        name: Of the strategy.
        trials, failed: How many were begun, and how many of them failed.
        scores: Of those that have one, the best first.
        best, median: Of the scores; None without any.
        seconds: What its trials took together.
        winner: Whether it is the winner's.
    """

    name: str
    trials: int
    failed: int
    scores: tuple[float, ...]
    best: float | None
    median: float | None
    seconds: float
    winner: bool


def by_strategy(rows: Sequence[Row], greater_is_better: bool) -> tuple[StrategyRow, ...]:
    """One row a strategy, the one with the best trial first and those without a score last."""
    names = dict.fromkeys(row.strategy for row in rows)
    found = [_row(name, [row for row in rows if row.strategy == name], greater_is_better) for name in names]
    sign = -1 if greater_is_better else 1
    found.sort(key=lambda row: (row.best is None, sign * (row.best or 0.0), row.name))
    return tuple(found)


def _row(name: str, rows: Sequence[Row], greater_is_better: bool) -> StrategyRow:
    scores = sorted((row.score for row in rows if row.score is not None), reverse=greater_is_better)
    return StrategyRow(
        name,
        len(rows),
        sum(row.state == "failed" for row in rows),
        tuple(scores),
        scores[0] if scores else None,
        float(np.median(scores)) if scores else None,
        sum(row.seconds or 0.0 for row in rows),
        any(row.winner for row in rows),
    )
