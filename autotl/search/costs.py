"""What a trial is expected to cost, so that none is started or continued that cannot fit the time left."""

from __future__ import annotations

from autotl.config import TrialConfig
from autotl.trial.trial import TrialFactory

_GROWTH = 1.05  # steps vary; gradual unfreezing makes them dearer


class CostModel:
    """Predicts the seconds until a trial has a first score.

    Args:
        factory: Asked first; what was observed answers where it knows nothing, or is None.
    """

    def __init__(self, factory: TrialFactory | None) -> None:
        self._factory = factory
        self._first: dict[tuple[str, str], float] = {}

    def first_step_seconds(self, config: TrialConfig) -> float | None:
        """Expected seconds from the start of a trial to its first score, None where nothing is known."""
        predicted = None if self._factory is None else self._factory.predict_seconds(config)
        if predicted is None:
            return self._first.get(_kind(config))
        return predicted

    def observe_first_step(self, config: TrialConfig, seconds: float) -> None:
        """Note what a first step took; the quickest one counts, as the others may have filled a cache."""
        self._first[_kind(config)] = min(seconds, self._first.get(_kind(config), seconds))


def _kind(config: TrialConfig) -> tuple[str, str]:
    return config.backbone, config.strategy


def next_step_seconds(last_seconds: float) -> float:
    """Expected seconds of the step after one that took `last_seconds`."""
    return last_seconds * _GROWTH
