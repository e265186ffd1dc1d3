"""Each next epoch goes where the expected improvement per second is greatest.

Paused trials are judged by a model of learning curves, new ones by what others of the search have reached
(improvement per second: Snoek et al. 2012; pausing by extrapolation: freeze-thaw, Swersky et al. 2014).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from autotl.config import TrialState
from autotl.search.board import Board, Standing
from autotl.search.curves import CurveModel, fresh_gain
from autotl.search.schedulers.scheduler import Verdict

#: Trials that are begun before any is compared with the chance of a new one.
_STARTUP_TRIALS = 4
#: A trial under way keeps its slot unless another is so many times as promising: changing costs time.
_LOYALTY = 1.5
#: Trials of a strategy from which the next one of it is judged, rather than from all.
_ALIKE = 3
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

    def judge(self, trial: Standing, board: Board) -> Verdict:
        """Stop what will hardly gain at all; pause what gains less than another would."""
        outlook = _Outlook(board)
        own = outlook.of(trial)
        if own.gain < outlook.worth and trial.score < outlook.best:
            return Verdict.STOP
        others = [outlook.of(other).rate for other in board.paused]
        rival = max([*others, outlook.fresh.rate])
        return Verdict.PAUSE if rival > _LOYALTY * own.rate else Verdict.GO_ON

    def pick(self, board: Board, *, fresh: bool) -> int | None:
        """The most promising paused trial, or a new one where that promises more."""
        outlook = _Outlook(board)
        paused = [(outlook.of(trial), trial) for trial in board.paused]
        if not paused:
            return None
        promise, trial = max(paused, key=lambda entry: (entry[0].rate, -entry[1].number))
        return None if fresh and outlook.fresh.rate > promise.rate else trial.number

    def enough(self, board: Board) -> str | None:
        """Whether nothing is expected to gain more than a small part of the noise, in the time left."""
        if board.started < _STARTUP_TRIALS:
            return None
        outlook = _Outlook(board)
        promises = [outlook.of(trial) for trial in board.open.values()]
        gain = max([promise.gain for promise in promises] + [outlook.fresh.gain])
        if gain >= outlook.worth:
            return None
        return f"more time is expected to gain less than {gain:.1g}"


class _Outlook:
    """What each trial promises, as a board stands; what all of them share is worked out once."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self.best = board.best
        # Where only trials are counted a search must repeat itself: each epoch costs the same.
        self._is_timed = math.isfinite(board.seconds_left)
        # Scores are shares; losses, which are negative, are measured in the best one.
        self._unit = -self.best if -math.inf < self.best < 0 else 1.0
        self._noise = max(board.noise / self._unit, _LEAST_NOISE)
        self.worth = _WORTH * self._noise
        self._curves: dict[str, list[list[float]]] = {}
        sound = [(r.config, r.curve) for r in board.finished if r.state is not TrialState.FAILED]
        for config, curve in [*sound, *((trial.config, trial.curve) for trial in board.open.values())]:
            self._curves.setdefault(config.strategy, []).append([point.score / self._unit for point in curve])
        self._models: dict[str, CurveModel] = {}

    def of(self, trial: Standing) -> _Promise:
        """What a trial that was begun promises; curves of its strategy teach what further epochs bring."""
        epochs = self._affordable(trial)
        if epochs < 1 or not trial.curve:
            return _Promise(0.0, 0.0)
        scores = [point.score / self._unit for point in trial.curve]
        model = self._model(trial.config.strategy)
        gains = model.expected_gains(scores, trial.epochs_left, self.best / self._unit)[:epochs]
        epoch_seconds = max(trial.epoch_seconds, 1e-3) if self._is_timed else 1.0
        seconds = epoch_seconds * np.arange(1, epochs + 1)
        return _Promise(float(gains[-1]), float((gains / seconds).max()))

    @cached_property
    def fresh(self) -> _Promise:
        """What new trials promise: any of them by the spread of all, a second of the next one by its kind."""
        board = self._board
        if not board.may_begin:
            return _Promise(0.0, 0.0)
        if board.started < _STARTUP_TRIALS:
            return _Promise(math.inf, math.inf)
        tops = [(result.config.strategy, result.score) for result in board.finished]
        tops += [(trial.config.strategy, trial.score) for trial in board.open.values() if trial.curve]
        known = [(strategy, score / self._unit) for strategy, score in tops if score is not None]
        kind = None if board.next is None else board.next.config.strategy
        alike = [score for strategy, score in known if strategy == kind]
        every = [score for _, score in known]
        gain, own = (
            fresh_gain(reached, self.best / self._unit, self._noise)
            for reached in (every, alike if len(alike) >= _ALIKE else every)
        )
        seconds = self._fresh_seconds()
        return _Promise(gain if seconds <= board.seconds_left else 0.0, own / seconds)

    def _fresh_seconds(self) -> float:
        """What the next trial takes as a whole: what those of its kind took, else what a typical one did."""
        board = self._board
        if self._is_timed and board.next is not None and board.next.seconds is not None:
            return max(board.next.seconds, 1e-3)
        sound = [result for result in board.finished if result.score is not None]
        begun = [trial for trial in board.open.values() if trial.curve]
        if self._is_timed:
            seconds = [result.seconds for result in sound] + [sum(trial.step_seconds) for trial in begun]
        else:
            seconds = [float(len(result.curve)) for result in sound] + [float(len(t.curve)) for t in begun]
        return max(float(np.median(seconds)), 1e-3) if seconds else 1.0

    def _affordable(self, trial: Standing) -> int:
        left = self._board.seconds_left
        if math.isinf(left):
            return trial.epochs_left
        return min(trial.epochs_left, int(left / max(trial.epoch_seconds, 1e-3)))

    def _model(self, strategy: str) -> CurveModel:
        if strategy not in self._models:
            self._models[strategy] = CurveModel.of(self._curves[strategy], self._noise).rounded()
        return self._models[strategy]


SCHEDULER = GainPerSecond()
