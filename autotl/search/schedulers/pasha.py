"""PASHA: ASHA whose highest rung rises only while rungs disagree (Bohdal et al. 2023).

Where the two highest rungs in use rank trials alike, more epochs would not change the choice, and are not
spent. Scores closer than the noise count as equal (soft ranking); the paper estimates that noise from
crossings of curves, here it is the standard error of a validation score, which is known.
"""

from __future__ import annotations

from autotl.search.board import Board, Standing, score_at
from autotl.search.schedulers.asha import Asha, ranked
from autotl.search.schedulers.scheduler import Verdict

_FACTOR = 3
_LEAST_NOISE = 1e-3


class Pasha:
    """ASHA up to the rung that ranking still needs."""

    name = "pasha"

    def __init__(self) -> None:
        self._asha = Asha(_FACTOR)

    def judge(self, trial: Standing, board: Board) -> Verdict:
        """Pause at the highest rung in use; below it, as ASHA does."""
        if len(trial.curve) >= highest_rung(board):
            return Verdict.PAUSE
        return self._asha.judge(trial, board)

    def pick(self, board: Board, *, fresh: bool) -> int | None:
        """As ASHA does, among the trials below the highest rung in use."""
        number = self._asha.pick(board, fresh=fresh, below=highest_rung(board))
        return number if fresh or number is not None else self._asha.pick(board, fresh=False)

    def enough(self, board: Board) -> str | None:
        """Never: where ranking is settled, new trials are begun."""
        return None


def highest_rung(board: Board) -> int:
    """The lowest rung at which, and one below which, trials are ranked alike; at least the second."""
    rung = _FACTOR
    noise = max(board.noise, _LEAST_NOISE)
    while not _alike(rung // _FACTOR, rung, board, noise):
        rung *= _FACTOR
    return rung


def _alike(lower: int, upper: int, board: Board, noise: float) -> bool:
    """Whether the trials at `upper` keep the places that they had at `lower`, up to noise."""
    order = ranked(upper, board)
    if len(order) < 2:
        return True
    curves = board.curves()
    before = [number for number in ranked(lower, board) if number in order]
    score = {number: score_at(curves[number], lower) or 0.0 for number in order}
    return all(abs(score[a] - score[b]) <= noise for a, b in zip(order, before, strict=True))


SCHEDULER = Pasha()
