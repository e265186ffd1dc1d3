"""What further epochs may bring a training: what they brought to others from where it stands.

The error of a training is expected to fall by the factors by which that of others fell between the same
shares of their schedules: of its strategy first, on this data set first, and of those whose curve was alike
so far. A learning rate that falls to zero makes the last epochs worth most, which no smooth law of the
epochs so far foretells. Where nothing is known, curves of all heights that are common stand in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.search.improvement import expected_improvement

Array = NDArray[Any]
#: Courses are looked up at so many shares of their schedules.
_SHARES = 64
#: Only the last so many courses of a data set of its own teach a search.
MOST_OWN = 64
#: Weights of a course: of this data set, of another strategy.
_OWN, _OTHER = 10.0, 0.3
#: Courses that always count a little: factors, as logarithms, by which errors fall from the first epoch on.
_COMMON, _COMMON_WEIGHT, _COMMON_EPOCHS, _LATE = (0.0, 0.1, 0.3, 0.7, 1.5), 0.1, 8, 1.5
#: Deviations of the logarithm of the error: from what a course foretells, and between courses called alike.
_SPREAD, _ALIKE = 0.15, 0.25
_LEAST_NOISE = 2e-3
#: Forecasts kept: several for each of some hundred paused trials.
_REMEMBERED = 4096


@dataclass(frozen=True)
class Course:
    """How the error fell in a training that came to the end of its schedule.

    Attributes:
        strategy: Its strategy.
        errors: Logarithm of the error after each epoch.
        is_own: Whether it was on this data set.
    """

    strategy: str
    errors: tuple[float, ...]
    is_own: bool = False


class CurveModel:
    """Forecasts learning curves from the courses of other trainings.

    Args:
        courses: What is known.
        strategy: The strategy of the trainings that are forecast.
        noise: Standard error of a score.
    """

    def __init__(self, courses: Sequence[Course], strategy: str, noise: float) -> None:
        self._noise = max(noise, _LEAST_NOISE)
        self._errors = np.stack([_resampled(course.errors) for course in (*_common(), *courses)])
        weights = [
            (1.0 if course.strategy == strategy else _OTHER) * (_OWN if course.is_own else 1.0)
            for course in courses
        ]
        self._weights = np.array([_COMMON_WEIGHT] * len(_COMMON) + weights)

    def forecast(self, scores: Sequence[float], epochs: int) -> tuple[Array, Array]:
        """Scores that further epochs may have, where the schedule ends with the last of them.

        Args:
            scores: Scores of the epochs so far, 1 for no error, at least one.
            epochs: How many more, from 1.

        Returns:
            A curve a course (C, epochs) and the weights of courses (C,), which sum to 1.
        """
        seen = len(scores)
        at = self._errors[:, _places(np.arange(1, seen + epochs + 1) / (seen + epochs))]
        errors = np.log(np.maximum(1.0 - np.asarray(scores), self._noise))
        fallen = errors[0] - errors
        unlike = ((fallen - (at[:, :1] - at[:, :seen])) / _ALIKE) ** 2
        # As a mean over epochs: they are not independent of each other, and the end is what is asked for.
        weights = self._weights * np.exp(-0.5 * unlike.sum(axis=1) / max(1, seen - 1))
        return 1.0 - np.exp(errors[-1] - (at[:, seen - 1 : seen] - at[:, seen:])), weights / weights.sum()

    def expected_gains(self, scores: Sequence[float], epochs: int, best: float) -> Array:
        """Expected improvement of `best` within 1, 2, ... `epochs` further epochs, (epochs,)."""
        curves, weights = self.forecast(scores, epochs)
        deviation = np.hypot(self._noise, _SPREAD * (1.0 - curves))
        return np.asarray(np.maximum.accumulate(weights @ expected_improvement(curves - best, deviation)))


def log_errors(scores: Sequence[float] | Array) -> tuple[float, ...]:
    """Logarithms of the errors of scores, 1 for no error."""
    return tuple(np.log(np.maximum(1.0 - np.asarray(scores), _LEAST_NOISE)).tolist())


def fresh_gain(tops: Sequence[float], best: float, spread: float) -> float:
    """Expected improvement of `best` by a trial of which nothing is known but what others reached.

    Args:
        tops: Best scores of trials so far.
        best: The best of all.
        spread: Least deviation among them.
    """
    if not tops:
        return spread
    deviation = max(float(np.std(tops)), spread)
    return float(expected_improvement(np.array(np.mean(tops) - best), deviation))


@lru_cache(maxsize=_REMEMBERED)
def _resampled(errors: tuple[float, ...]) -> Array:
    """Logarithms of the error at shares of the schedule from 0 to 1; until the first epoch as after it."""
    epochs = len(errors)
    return np.asarray(np.interp(np.linspace(0, epochs, _SHARES + 1), np.arange(1, epochs + 1), errors))


def _places(shares: Array) -> Array:
    return np.asarray(np.rint(shares * _SHARES), np.int64)


@lru_cache(maxsize=1)
def _common() -> tuple[Course, ...]:
    """Falls of common heights, the steeper the nearer the end."""
    left = (np.arange(_COMMON_EPOCHS - 1, -1, -1) / (_COMMON_EPOCHS - 1)) ** _LATE
    return tuple(Course("", tuple((height * left).tolist())) for height in _COMMON)
