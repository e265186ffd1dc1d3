"""Learning rate over the course of a training, by share of the work or of the time, whichever is further on.

Decaying by the budget that is really left, rather than by planned epochs, is budgeted training
(Li, Yumer, Ramanan 2020): a training cut short by the clock still ends with a small learning rate.
"""

from __future__ import annotations

import math
import time


class Schedule:
    """Linear warm-up, then a half cosine to zero.

    Args:
        steps: Planned optimiser steps.
        warmup_share: Share of the whole that is warm-up.
        deadline: Time (`time.monotonic`) at which the training is cut off.
        step: Steps already done, when a training goes on.
        begun: Share of the training that was done by then, by steps or by the clock.
    """

    def __init__(
        self, steps: int, warmup_share: float, deadline: float, step: int = 0, begun: float = 0.0
    ) -> None:
        self._steps = max(1, steps)
        self._warmup_share = warmup_share
        self._start = time.monotonic()
        self._deadline = deadline
        self._first, self._begun = step, begun
        self._kept_back = 0.0
        self.step = step

    def keep_back(self, seconds: float) -> None:
        """End so much before the deadline: what must follow training takes so long."""
        self._kept_back = seconds

    @property
    def progress(self) -> float:
        """Share of the training that is done, from 0 to 1."""
        share = (self.step - self._first) / max(1, self._steps - self._first)
        if math.isfinite(self._deadline):
            whole = max(1e-3, self._end - self._start)
            share = max(share, (time.monotonic() - self._start) / whole)
        return min(1.0, self._begun + (1 - self._begun) * share)

    @property
    def out_of_time(self) -> bool:
        """Whether training must end now."""
        return time.monotonic() >= self._end

    @property
    def factor(self) -> float:
        """What the base learning rate is multiplied by now."""
        progress = self.progress
        if progress < self._warmup_share:
            return max(progress / self._warmup_share, 0.5 / (self._steps * self._warmup_share + 1))
        rest = (progress - self._warmup_share) / max(1e-9, 1 - self._warmup_share)
        return 0.5 * (1 + math.cos(math.pi * rest))

    @property
    def _end(self) -> float:
        return self._deadline - self._kept_back
