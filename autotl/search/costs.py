"""What a trial is expected to cost, so that none is started or continued that cannot fit the time left."""

from __future__ import annotations

from autotl.config import TrialConfig
from autotl.trial.trial import Price, TrialFactory

_GROWTH = 1.05  # steps vary; gradual unfreezing makes them dearer


class CostModel:
    """Predicts the seconds that a trial takes.

    Args:
        factory: Asked first; what was observed answers where it knows nothing, or is None.
    """

    def __init__(self, factory: TrialFactory | None) -> None:
        self._factory = factory
        self._first: dict[tuple[str, str], float] = {}

    def price(self, config: TrialConfig) -> Price | None:
        """Expected seconds of a trial until its first score, and until its end; None where unknown."""
        predicted = None if self._factory is None else self._factory.price(config)
        observed = self._first.get(_kind(config))
        return Price(observed) if predicted is None and observed is not None else predicted

    def fits(self, config: TrialConfig, seconds: float) -> bool:
        """Whether a first score is expected within so long; what is unknown may be tried."""
        price = self.price(config)
        return price is None or price.first <= seconds

    def observe_first_step(self, config: TrialConfig, seconds: float) -> None:
        """Note what a first step took; the quickest one counts, as the others may have filled a cache."""
        self._first[_kind(config)] = min(seconds, self._first.get(_kind(config), seconds))


def _kind(config: TrialConfig) -> tuple[str, str]:
    return config.backbone, config.strategy


def next_step_seconds(last_seconds: float) -> float:
    """Expected seconds of the step after one that took `last_seconds`."""
    return last_seconds * _GROWTH
