"""Each next epoch goes where the expected improvement per second is greatest.

Paused trials are judged by a model of learning curves, new ones by what others of the search have reached
(improvement per second: Snoek et al. 2012; pausing by extrapolation: freeze-thaw, Swersky et al. 2014).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from autotl.config import TrialState
from autotl.search.board import Board, Standing
from autotl.search.curves import CurveModel, fresh_gain
from autotl.search.schedulers.scheduler import Verdict

#: Trials that are begun before any is compared with the chance of a new one.
_STARTUP_TRIALS = 4
#: A trial under way keeps its slot unless another is so many times as promising: changing costs time.
_LOYALTY = 1.5
#: Expected improvement, in standard errors of the score, below which more time is not worth it.
_WORTH = 0.05
_LEAST_NOISE = 2e-3


@dataclass(frozen=True)
class _Promise:
    """Expected improvement of the best score, and how much of it a second brings."""

    gain: float
    rate: float


class GainPerSecond:
    """The cost-aware scheduler."""

    name = "gain"
    summary = "Gives the next epoch to whoever is expected to gain most per second; pauses the others."

    def judge(self, trial: Standing, board: Board) -> Verdict:
        """Stop what will hardly gain at all; pause what gains less than another would."""
        own = self._promise(trial, board)
        if own.gain < _WORTH * max(board.noise, _LEAST_NOISE) and trial.score < board.best:
            return Verdict.STOP
        others = [self._promise(other, board).rate for other in board.paused]
        rival = max([*others, self._fresh(board).rate], default=0.0)
        return Verdict.PAUSE if rival > _LOYALTY * own.rate else Verdict.GO_ON

    def pick(self, board: Board, *, fresh: bool) -> int | None:
        """The most promising paused trial, or a new one where that promises more."""
        paused = [(self._promise(trial, board), trial) for trial in board.paused]
        if not paused:
            return None
        promise, trial = max(paused, key=lambda entry: (entry[0].rate, -entry[1].number))
        return None if fresh and self._fresh(board).rate > promise.rate else trial.number

    def enough(self, board: Board) -> str | None:
        """Whether nothing is expected to gain more than a small part of the noise, in the time left."""
        if board.started < _STARTUP_TRIALS:
            return None
        promises = [self._promise(trial, board) for trial in board.open.values()]
        gain = max([promise.gain for promise in promises] + [self._fresh(board).gain])
        if gain >= _WORTH * max(board.noise, _LEAST_NOISE):
            return None
        return f"more time is expected to gain less than {gain:.1g}"

    def _promise(self, trial: Standing, board: Board) -> _Promise:
        epochs = self._affordable(trial, board)
        if epochs < 1 or not trial.curve:
            return _Promise(0.0, 0.0)
        gains = self._model(trial, board).expected_gains(
            [point.score for point in trial.curve], epochs, board.best
        )
        seconds = max(trial.epoch_seconds, 1e-3) * np.arange(1, epochs + 1)
        return _Promise(float(gains[-1]), float((gains / seconds).max()))

    def _affordable(self, trial: Standing, board: Board) -> int:
        if math.isinf(board.seconds_left):
            return trial.epochs_left
        return min(trial.epochs_left, int(board.seconds_left / max(trial.epoch_seconds, 1e-3)))

    def _model(self, trial: Standing, board: Board) -> CurveModel:
        """Curves of the same strategy teach, where there are any; else all."""
        every = [(other.config, other.curve) for other in board.open.values() if other is not trial]
        every += [(r.config, list(r.curve)) for r in board.finished if r.state is not TrialState.FAILED]
        scores = [
            [point.score for point in curve]
            for config, curve in every
            if config.strategy == trial.config.strategy
        ]
        return CurveModel.of(scores, max(board.noise, _LEAST_NOISE))

    def _fresh(self, board: Board) -> _Promise:
        """What a new trial promises: the time of a typical one, and the spread of what they reached."""
        if board.started < _STARTUP_TRIALS:
            return _Promise(math.inf, math.inf)
        tops = [r.score for r in board.finished if r.score is not None]
        tops += [trial.score for trial in board.open.values() if trial.curve]
        gain = fresh_gain(tops, board.best, max(board.noise, _LEAST_NOISE))
        seconds = [result.seconds for result in board.finished if result.score is not None]
        seconds += [sum(trial.step_seconds) for trial in board.open.values() if trial.curve]
        typical = max(float(np.median(seconds)), 1e-3) if seconds else 1.0
        return _Promise(gain if typical <= board.seconds_left else 0.0, gain / typical)


SCHEDULER = GainPerSecond()
