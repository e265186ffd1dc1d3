"""ASHA: asynchronous successive halving (Li et al. 2020), with pauses in place of stops.

A trial pauses at each rung unless it is among the best share of those that got there; a free slot first
promotes whoever has come to be among them since, from the highest rung down, and else begins a new trial.
"""

from __future__ import annotations

import math

from autotl.search.board import Board, Standing, score_at
from autotl.search.schedulers.scheduler import Verdict


class Asha:
    """Rungs at 1, `factor`, `factor` squared, ... epochs.

    Args:
        factor: One in so many is promoted at each rung (eta).
    """

    name = "asha"

    def __init__(self, factor: int = 3) -> None:
        self._factor = factor

    def judge(self, trial: Standing, board: Board) -> Verdict:
        """Pause at a rung, unless promoted at once."""
        epochs = len(trial.curve)
        if not is_rung(epochs, self._factor) or trial.number in self.promoted(epochs, board):
            return Verdict.GO_ON
        return Verdict.PAUSE

    def pick(self, board: Board, *, fresh: bool, below: float = math.inf) -> int | None:
        """The best promotable trial of the highest rung; without new trials, whoever is best.

        Args:
            board: How all stand.
            fresh: Whether a new trial may be begun.
            below: Only trials with fewer epochs are considered.
        """
        waiting = {trial.number: trial for trial in board.paused if len(trial.curve) < below}
        for rung in sorted({len(trial.curve) for trial in waiting.values()}, reverse=True):
            for number in self.promoted(rung, board):
                if number in waiting and len(waiting[number].curve) == rung:
                    return number
        if fresh or not waiting:
            return None
        return max(waiting.values(), key=lambda trial: (trial.score, -trial.number)).number

    def enough(self, board: Board) -> str | None:
        """Never: it has no notion of gain."""
        return None

    def promoted(self, rung: int, board: Board) -> list[int]:
        """The best share of the trials that reached a rung, best first."""
        reached = ranked(rung, board)
        return reached[: len(reached) // self._factor]


def is_rung(epochs: int, factor: int) -> bool:
    """Whether so many epochs are a power of the factor."""
    rung = 1
    while rung < epochs:
        rung *= factor
    return rung == epochs


def ranked(rung: int, board: Board) -> list[int]:
    """Numbers of the trials that reached a rung, by their score there."""
    scores = {number: score_at(curve, rung) for number, curve in board.curves().items()}
    there = [(-score, number) for number, score in scores.items() if score is not None]
    return [number for _, number in sorted(there)]


SCHEDULER = Asha()
