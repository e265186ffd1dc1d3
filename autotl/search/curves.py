"""A model of learning curves with uncertainty: what further epochs of a trial may bring.

A curve is score(t) = last + gain * (1 - t ** -power), a power law towards an asymptote, as in freeze-thaw and
learning-curve extrapolation (Swersky et al. 2014, Domhan et al. 2015). The posterior is a weighted sample of
the prior (importance sampling): the sample is fixed, so that the same curve always gives the same answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, qmc

from autotl.search.improvement import expected_improvement

Array = NDArray[Any]
_SAMPLES = 512
#: Exponents of the power law between which the prior is log-uniform.
_POWERS = (0.3, 4.0)
#: Deviation of a single epoch's score from the smooth curve, at least.
_LEAST_NOISE = 2e-3
#: Gain expected from further epochs before any curve was seen, as a share of a trial's first error.
_FIRST_GAIN = 0.3
_LEAST_ERROR = 0.05
#: Forecasts kept: several for each of some hundred paused trials.
_REMEMBERED = 4096


@dataclass(frozen=True)
class CurveModel:
    """What curves of this data set look like.

    Attributes:
        gain: Typical gain from the first epoch to the asymptote, as a share of the error after the first.
        noise: Deviation of a single epoch's score from the smooth curve.
    """

    gain: float
    noise: float

    @classmethod
    def of(cls, curves: Iterable[Sequence[float]], noise: float) -> CurveModel:
        """Learn from the curves seen so far; those of one epoch tell nothing of gains.

        Args:
            curves: Scores by epoch, 1 for no error.
            noise: Standard error of a validation score.
        """
        known = [list(curve) for curve in curves]
        gains = [(max(curve) - curve[0]) / error(curve[0]) for curve in known if len(curve) > 1]
        steps = [np.diff(curve[len(curve) // 2 :]) for curve in known if len(curve) > 4]
        wiggle = float(np.median(np.abs(np.concatenate(steps)))) if steps else noise / 2
        # The guess counts as much as two curves, so that a single flat one does not end all hope.
        gain = (2 * _FIRST_GAIN + sum(gains)) / (2 + len(gains))
        return cls(max(gain, 1e-3), max(wiggle, _LEAST_NOISE))

    def forecast(self, scores: Sequence[float], epochs: int) -> tuple[Array, Array]:
        """Scores that further epochs of a curve may have.

        Args:
            scores: Scores of the epochs so far, at least one.
            epochs: How many more, from 1.

        Returns:
            Sampled curves (S, epochs) without noise, and their weights (S,), which sum to 1.
        """
        share, offset = _prior()[1:]
        seen, total = len(scores), len(scores) + epochs
        rise = self.gain * error(scores[0]) * share[:, None] * _rises(total)
        starts = (scores[0] + self.noise * offset)[:, None]
        misfit = (starts + rise[:, :seen] - np.asarray(scores)) / self.noise
        log_weights = -0.5 * np.minimum(misfit**2, 9.0).sum(axis=1)  # bounded, as epochs may be outliers
        weights = np.exp(log_weights - log_weights.max())
        return starts + rise[:, seen:], weights / weights.sum()

    def expected_gains(self, scores: Sequence[float], epochs: int, best: float) -> Array:
        """Expected improvement of `best` within 1, 2, ... `epochs` further epochs, (epochs,); read-only."""
        return _expected_gains(self, tuple(scores), epochs, best)

    def rounded(self) -> CurveModel:
        """The model to two digits, which later curves seldom change: what it forecast holds until then."""
        return CurveModel(float(f"{self.gain:.1e}"), float(f"{self.noise:.1e}"))


@lru_cache(maxsize=_REMEMBERED)
def _expected_gains(model: CurveModel, scores: tuple[float, ...], epochs: int, best: float) -> Array:
    curves, weights = model.forecast(scores, epochs)
    mean = np.maximum.accumulate(curves, axis=1)
    gains = np.asarray(weights @ expected_improvement(mean - best, model.noise))
    gains.flags.writeable = False
    return gains


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


def error(score: float) -> float:
    """What a score lacks of 1, never quite nothing."""
    return max(1.0 - score, _LEAST_ERROR)


@cache
def _rises(epochs: int) -> Array:
    """Share of its gain that each sampled curve has made after 1, 2, ... epochs, (S, epochs)."""
    return np.asarray(1 - np.arange(1, epochs + 1)[None] ** -_prior()[0][:, None])


@cache
def _prior() -> tuple[Array, Array, Array]:
    """Powers, gains in units of the typical one (half normal), and noise of the first epoch, each (S,)."""
    uniform = qmc.Sobol(3, seed=0).random(_SAMPLES).clip(1e-6, 1 - 1e-6)
    low, high = np.log(_POWERS)
    power = np.exp(low + (high - low) * uniform[:, 0])
    share = norm.ppf(0.5 + 0.5 * uniform[:, 1]) / 0.8
    return power, share, norm.ppf(uniform[:, 2])
