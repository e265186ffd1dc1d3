"""What the trials of a search promise: how much each is expected to improve the best score, and in what time.

Trials under way and paused are judged by a model of learning curves, those on offer by a surrogate of score
and cost, which knows other data sets and probes of backbones too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autotl.config import EpochResult, TrialConfig, TrialResult, TrialState
from autotl.search.board import Board, Standing
from autotl.search.candidates import Probed
from autotl.search.curves import MOST_OWN, Course, CurveModel, fresh_gain, log_errors
from autotl.search.improvement import expected_reduction
from autotl.search.merit import as_shares, less_luck, merit, merit_noise, raised, score_unit
from autotl.search.surrogate import Surrogate, surrogate
from autotl.space.resolve import BASELINE_STRATEGY
from autotl.trial.trial import Price

Array = NDArray[Any]
#: Trials that are begun before any is compared with the chance of a new one, where nothing was taught.
STARTUP_TRIALS = 4
#: Where there are lessons: the baseline, and what heads the portfolio.
_TAUGHT_STARTUP_TRIALS = 2
#: Deviation of the logarithm of a trial's seconds an epoch from one run to the next.
_COST_NOISE = 0.1
#: Deviation of merits among configurations where nothing taught it.
_UNIT = 0.1
#: Expected improvement, in standard errors of the score, below which more time is not worth it.
_WORTH = 0.02
_LEAST_NOISE = 2e-3
#: Part of the rate of the last promise that is the price of time: of all gains only the best one counts.
_MARGIN = 0.5
#: Part of an epoch that is worth training before the time ends.
_LEAST_PART = 0.25
_UNKNOWN = Price(math.nan)


@dataclass(frozen=True)
class Promise:
    """Expected improvement of the best score, and the seconds until it."""

    gain: float
    seconds: float

    @property
    def rate(self) -> float:
        """What a second brings."""
        return self.gain / max(self.seconds, 1e-3)

    def __mul__(self, factor: float) -> Promise:
        return Promise(factor * self.gain, self.seconds)


_NOTHING = Promise(0.0, 0.0)


@dataclass(frozen=True)
class _Probe:
    """What a head on a backbone is expected to reach, as a merit, with its deviation."""

    config: TrialConfig
    merit: float
    noise: float

    @classmethod
    def of(cls, probed: Probed) -> _Probe:
        """The probe itself, on its few rows."""
        value, share = merit([probed.accuracy]), probed.accuracy
        noise = merit_noise(value, math.sqrt(share * (1 - share) / probed.rows))
        return cls(TrialConfig(probed.backbone, BASELINE_STRATEGY), float(value[0]), float(noise[0]))


def _failed(trial: Standing | TrialResult) -> bool:
    return isinstance(trial, TrialResult) and trial.state is TrialState.FAILED


def _typical(units: Sequence[float], otherwise: float) -> float:
    """The median of what is known."""
    return float(np.median(units)) if units else otherwise


class Promises:
    """What each trial promises, as a board stands; what all of them share is worked out once.

    Args:
        board: How all stand.

    Attributes:
        best: The best score of all trials so far.
        worth: Expected improvement below which more time is not worth it.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self.best = board.best
        # Where only trials are counted a search must repeat itself: each epoch costs the same.
        self._is_timed = math.isfinite(board.seconds_left)
        self._noise = max(board.noise / score_unit(self.best), _LEAST_NOISE)
        self.worth = _WORTH * self._noise
        trials: list[Standing | TrialResult] = [*board.finished, *board.open.values()]
        self._begun = [_Begun.of(trial) for trial in trials if trial.curve and not _failed(trial)]
        self._models: dict[str, CurveModel] = {}

    @property
    def is_starting(self) -> bool:
        """Whether new trials follow the sampler's order: too few are there to compare with."""
        return len(self._begun) < (_TAUGHT_STARTUP_TRIALS if self._board.lessons else STARTUP_TRIALS)

    def first(self, promises: Sequence[Promise], beside: Sequence[Promise] = ()) -> int:
        """Which of some promises comes first: the most valuable that leaves time for the greatest gain.

        That would else be put off until there is no time for it. `beside` are others.
        """
        greatest = max([*promises, *beside], key=lambda promise: promise.gain)
        left = self._board.seconds_left
        values = [
            self.value(each) if each is greatest or each.seconds + greatest.seconds <= left else -math.inf
            for each in promises
        ]
        return int(np.argmax(values))

    def value(self, promise: Promise) -> float:
        """What is left of a gain once its time is paid."""
        return promise.gain - self._price * promise.seconds

    @cached_property
    def _price(self) -> float:
        """What a second costs: a part of what the last promise brings a second for which there is time.

        Those that bring most a second come first (as in the knapsack problem, Dantzig 1957). A search is
        expected to take as long again as it took so far, at most what the budget leaves: whoever looks at
        it, or ends it, at any time has the cheap gains first.
        """
        if self.is_starting:
            return 0.0
        promises = [promise for promise in (*self._open.values(), *self.fresh) if promise.gain > 0]
        promises.sort(key=lambda promise: promise.rate, reverse=True)
        until = np.cumsum([promise.seconds for promise in promises])
        last = int(np.searchsorted(until, min(self._board.seconds_left, sum(self._costs))))
        return _MARGIN * promises[min(last, len(promises) - 1)].rate if promises else 0.0

    def of(self, trial: Standing) -> Promise:
        """What a trial under way or paused promises."""
        return self._open[trial.number]

    @cached_property
    def _open(self) -> Mapping[int, Promise]:
        """What each of them promises, by number."""
        return {number: self._promise(trial) for number, trial in self._board.open.items()}

    def _promise(self, trial: Standing) -> Promise:
        """What a trial that was begun promises: other trainings teach what further epochs bring.

        One that the time cuts short has its learning rate fall by the clock, and ends as others do.
        """
        epochs = self._affordable(trial)
        if epochs < 1 or not trial.curve:
            return _NOTHING
        scores = self._shares([point.score for point in trial.curve])
        model = self._model(trial.config.strategy)
        gains = model.expected_gains(scores, epochs, self._best_share)
        epoch_seconds = max(trial.epoch_seconds, 1e-3) if self._is_timed else 1.0
        seconds = epoch_seconds * epochs
        return Promise(float(gains[-1]), seconds)

    @cached_property
    def fresh_gain(self) -> float:
        """What new trials promise: the best offer, or any of them by the spread of those so far."""
        if not self._board.may_begin:
            return 0.0
        if self.is_starting:
            return math.inf
        offered = float(self.offer_gains.max()) if self._board.offers else 0.0
        return max(offered, self._spread_gain)

    @cached_property
    def fresh(self) -> Sequence[Promise]:
        """What new trials promise: each offer, or where there is none a typical one."""
        board = self._board
        if not board.may_begin:
            return []
        if self.is_starting:
            return [Promise(math.inf, 0.0)]
        if not board.offers:
            return [Promise(self._spread_gain, self._typical_seconds)]
        return self.offered

    @cached_property
    def offered(self) -> Sequence[Promise]:
        """What each offer promises."""
        first, whole = self._offer_seconds
        seconds = first + self._done_share * (whole - first)
        return list(map(Promise, self.offer_gains, seconds))

    @cached_property
    def offer_gains(self) -> Array:
        """Expected improvement by each offer, as far as the time left allows."""
        return expected_reduction(*self._offer_merits, self._best_merit) * self._done_share

    @cached_property
    def _offer_merits(self) -> tuple[Array, Array]:
        """Expected merits of offers, as trials like them reached, with deviations."""
        lessons, probes = self._board.lessons, self._probed
        return self._expected(probe.config for probe in probes).predict(
            [*(probe.merit for probe in probes), *self._merits],
            np.array([*(probe.noise for probe in probes), *merit_noise(self._merits, self._noise)]),
            [lesson.merit for lesson in lessons],
            _typical([lesson.merit_unit for lesson in lessons], _UNIT),
        )

    @cached_property
    def _probed(self) -> list[_Probe]:
        """What heads on backbones that none was fitted on are expected to reach, where one was on another.

        As much more or less than the best of those as its probe gave more or less than that one's, on the
        same rows.
        """
        probes = {probe.backbone: probe for probe in self._board.probes}
        heads = [
            (value, trial.config.backbone)
            for value, trial in zip(self._merits, self._begun, strict=True)
            if trial.config.strategy == BASELINE_STRATEGY and trial.config.backbone in probes
        ]
        if not heads or score_unit(self.best) != 1.0:
            return []
        reached, backbone = max(heads)
        tried, base = {name for _, name in heads}, _Probe.of(probes[backbone])
        others = [_Probe.of(probe) for name, probe in probes.items() if name not in tried]
        return [
            _Probe(other.config, reached + other.merit - base.merit, math.hypot(other.noise, base.noise))
            for other in others
        ]

    @cached_property
    def _merits(self) -> Array:
        """What trials reached."""
        return raised(merit(self._shares([trial.top for trial in self._begun])))

    @cached_property
    def _best_merit(self) -> float:
        """The best merit less its luck: of few rows it would else look out of reach, and end the search."""
        merits = self._merits
        noise = float(np.mean(merit_noise(merits, self._noise) ** 2))
        return less_luck(float(merits.max()), float(merits.mean()), float(merits.var()), noise)

    @cached_property
    def _done_share(self) -> Array:
        """Share of each offer's training that the time left allows; 0 where it is too short for an epoch."""
        first, whole = self._offer_seconds
        left = self._board.seconds_left - first
        is_cut = (left >= 0) & (whole - first > left)
        share: Array = np.divide(left, whole - first, out=np.where(left < 0, 0.0, 1.0), where=is_cut)
        return share

    @cached_property
    def _offer_seconds(self) -> tuple[Array, Array]:
        """Expected time of each offer until its first score, and as a whole: as told, else as others took."""
        offers = self._board.offers
        prices = [offer.price or _UNKNOWN for offer in offers] if self._is_timed else [_UNKNOWN] * len(offers)
        first, whole = np.array([(price.first, price.whole or math.nan) for price in prices]).T
        if not np.isnan(whole).any():
            return first, whole
        epoch = self._epoch_seconds
        begun = np.fmax(first, epoch)
        later = epoch * [offer.config.epochs - 1 for offer in offers]
        return np.where(np.isnan(whole), begun, first), np.where(np.isnan(whole), begun + later, whole)

    @cached_property
    def _epoch_seconds(self) -> Array:
        """Expected time of an epoch of each offer, by what trials like it took."""
        if not self._is_timed:
            return np.ones(len(self._board.offers))
        lessons = self._board.lessons
        pace, _ = self._expected().predict(
            np.log([self._epoch_cost(trial) for trial in self._begun]),
            _COST_NOISE,
            [lesson.pace for lesson in lessons],
            _typical([lesson.pace_unit for lesson in lessons], 1.0),
        )
        return np.asarray(np.exp(pace))

    def _expected(self, before: Iterable[TrialConfig] = ()) -> Surrogate:
        """What the offers are expected to give, where something is known of others `before` the trials."""
        return surrogate(
            (*before, *(trial.config for trial in self._begun)),
            tuple(offer.config for offer in self._board.offers),
            tuple(lesson.config for lesson in self._board.lessons),
        )

    @cached_property
    def _spread_gain(self) -> float:
        """Expected improvement by a trial of which nothing is known; 0 where a typical one does not fit."""
        if self._typical_seconds > self._board.seconds_left:
            return 0.0
        tops = self._shares([trial.top for trial in self._begun])
        return fresh_gain(tops, self._best_share, self._noise)

    def _epoch_cost(self, trial: _Begun) -> float:
        return max(trial.seconds / len(trial.curve), 1e-3) if self._is_timed else 1.0

    @cached_property
    def _typical_seconds(self) -> float:
        """What a typical trial took."""
        return float(np.median(self._costs)) if self._costs else 1.0

    @cached_property
    def _costs(self) -> list[float]:
        """What each trial took."""
        return [self._epoch_cost(trial) * len(trial.curve) for trial in self._begun]

    def _shares(self, scores: Sequence[float]) -> list[float]:
        found: list[float] = as_shares(scores, self.best).tolist()
        return found

    @property
    def _best_share(self) -> float:
        """The best score less its luck."""
        return 1.0 - self._best_merit**2

    def _affordable(self, trial: Standing) -> int:
        """Epochs that the time left allows; the last may be cut short by the clock."""
        left = self._board.seconds_left
        if math.isinf(left):
            return trial.epochs_left
        return min(trial.epochs_left, math.ceil(left / max(trial.epoch_seconds, 1e-3) - _LEAST_PART))

    def _model(self, strategy: str) -> CurveModel:
        if strategy not in self._models:
            self._models[strategy] = CurveModel(self._courses, strategy, self._noise)
        return self._models[strategy]

    @cached_property
    def _courses(self) -> list[Course]:
        """Trainings that came to their end, on other data sets and here."""
        taught = [Course(each.config.strategy, each.errors) for each in self._board.lessons if each.errors]
        whole = [trial for trial in self._begun if trial.is_whole and len(trial.curve) > 1]
        own = [
            Course(
                trial.config.strategy,
                log_errors(self._shares(trial.scores)),
                is_own=True,
            )
            for trial in whole[-MOST_OWN:]
        ]
        return taught + own


@lru_cache(maxsize=1)
def promises_of(board: Board) -> Promises:
    """What the trials of a board promise; the same one for the same board, which is asked several times."""
    return Promises(board)


class _Begun(NamedTuple):
    """A trial with a curve; `is_whole` where it came to the end of its schedule."""

    config: TrialConfig
    curve: Sequence[EpochResult]
    top: float
    seconds: float
    is_whole: bool

    @classmethod
    def of(cls, trial: Standing | TrialResult) -> _Begun:
        top = -math.inf if trial.score is None else trial.score
        if isinstance(trial, Standing):
            return cls(trial.config, trial.curve, top, sum(trial.step_seconds), is_whole=False)
        return cls(trial.config, trial.curve, top, trial.seconds, trial.state is TrialState.COMPLETE)

    @property
    def scores(self) -> list[float]:
        """Those of its epochs."""
        return [point.score for point in self.curve]
