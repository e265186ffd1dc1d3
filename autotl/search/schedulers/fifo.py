"""One trial after the other, each to its end unless its curve is hopeless beside finished ones."""

from __future__ import annotations

from autotl.search.board import Board, Standing
from autotl.search.pruning import hopeless
from autotl.search.schedulers.scheduler import Verdict


class Fifo:
    """Nothing waits: a trial goes on or ends."""

    name = "fifo"

    def judge(self, trial: Standing, board: Board) -> Verdict:
        """Stop what the percentile rule calls hopeless."""
        return Verdict.STOP if hopeless(trial.config, trial.curve, board.finished) else Verdict.GO_ON

    def pick(self, board: Board, *, fresh: bool) -> int | None:
        """The oldest paused trial, which only a search resumed under another scheduler has."""
        return next((trial.number for trial in board.paused), None)

    def enough(self, board: Board) -> str | None:
        """Never: it has no notion of gain."""
        return None


SCHEDULER = Fifo()
