"""Each next epoch goes where the expected improvement is greatest, less the price of the time it takes.

Paused trials are judged by a model of learning curves, new ones by a surrogate of score and cost
(pausing by extrapolation: freeze-thaw, Swersky et al. 2014; a price in place of the ratio of gain and time,
which prefers what is cheap and brings little: the cost-per-sample problem of Xie et al. 2024). A second costs
what it would bring elsewhere: little where there is plenty of time, much where it is short.
"""

from __future__ import annotations

from autotl.search.board import Board, Standing
from autotl.search.promises import STARTUP_TRIALS, promises_of
from autotl.search.schedulers.scheduler import Verdict

#: The gain of a trial under way counts so many times, so that it keeps its slot: changing costs time.
_LOYALTY = 1.25
#: With so many paused trials, each a checkpoint on disk, what promises less than all of them ends.
_MOST_PAUSED = 8
#: Among how many offers the next trial is chosen.
_CHOICE = 32


class GainForTime:
    """The cost-aware scheduler."""

    name = "gain"
    choice = _CHOICE

    def judge(self, trial: Standing, board: Board) -> Verdict:
        """Stop what will hardly gain at all; pause what is worth less than another."""
        promised = promises_of(board)
        own = promised.of(trial)
        is_behind = trial.score < promised.best
        if own.gain < promised.worth and is_behind:
            return Verdict.STOP
        others = [promised.of(other) for other in board.paused]
        if promised.first([own * _LOYALTY, *others, *promised.fresh]) == 0:
            return Verdict.GO_ON
        is_least = len(others) >= _MOST_PAUSED and promised.value(own) <= min(map(promised.value, others))
        return Verdict.STOP if is_behind and is_least else Verdict.PAUSE

    def pick(self, board: Board, *, fresh: bool) -> int | None:
        """The most promising paused trial, or a new one where that promises more."""
        promised = promises_of(board)
        if not board.paused:
            return None
        promises = [promised.of(trial) for trial in board.paused]
        place = promised.first([*promises, *(promised.fresh if fresh else ())])
        return board.paused[place].number if place < len(promises) else None

    def choose(self, board: Board) -> int:
        """The most promising offer; first the sampler's own order."""
        promised = promises_of(board)
        if promised.is_starting:
            return 0
        return promised.first(promised.offered, beside=[promised.of(trial) for trial in board.paused])

    def enough(self, board: Board) -> str | None:
        """Whether nothing is expected to gain more than a small part of the noise."""
        promised = promises_of(board)
        if promised.is_starting or board.started < STARTUP_TRIALS:
            return None
        gain = max([promised.fresh_gain, *(promised.of(trial).gain for trial in board.open.values())])
        if gain >= promised.worth:
            return None
        if gain <= 0:
            return "nothing that is left is expected to gain"
        return f"more time is expected to gain less than {gain:.1g}"


SCHEDULER = GainForTime()
