"""How long a search may take (`Budget`), and how people write that down (`parse_duration`).

Owns arithmetic on time and trial counts only; what to do when the budget ends is the loop's business.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable

from autotl.errors import BudgetError

_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[dhms])+")
#: A smaller number that was typed without a unit may well mean minutes.
_LEAST_WITHOUT_UNIT = 60.0
_PART = re.compile(r"(\d+(?:\.\d+)?)([dhms])")


def parse_duration(text: str | float) -> float:
    """Seconds meant by "90s", "10m", "1h30m", "1.5h", or a plain number of seconds.

    Raises:
        BudgetError: The text is no positive duration, or a small number of which nobody knows the unit.
    """
    plain = str(text).strip().lower().replace(" ", "")
    try:
        seconds = float(plain)
    except ValueError:
        parts = _PART.findall(plain) if _DURATION.fullmatch(plain) else []
        seconds = sum(float(amount) * _UNITS[unit] for amount, unit in parts)
    if not (math.isfinite(seconds) and seconds > 0):
        raise BudgetError(
            "not a duration",
            found=repr(text),
            expected="a positive one, such as 90s, 10m, 1h30m, or 600 for seconds",
        )
    if isinstance(text, str) and plain[-1] not in _UNITS and seconds < _LEAST_WITHOUT_UNIT:
        raise BudgetError(
            "a duration without a unit", found=repr(text), expected=f"{plain}m for minutes, or {plain}s"
        )
    return seconds


class Budget:
    """Wall-clock time and number of trials that a run may use.

    Args:
        time_seconds: Time of the whole run, from `start` to the bundle written; None for no limit.
        trials: Number of trials, failed ones included; None for no limit.
        start: When the run began, on `clock`; None for now.
        clock: A monotonic clock in seconds.

    Attributes:
        reserve_seconds: Kept back from the search for refitting, export and report.

    Raises:
        BudgetError: A limit is not positive.
    """

    def __init__(
        self,
        time_seconds: float | None = None,
        trials: int | None = None,
        *,
        start: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        for name, value in (("time budget", time_seconds), ("number of trials", trials)):
            if value is not None and not value > 0:
                raise BudgetError(f"the {name} leaves nothing to do", found=value, expected="more than 0")
        self.time_seconds, self.trials = time_seconds, trials
        self.start = clock() if start is None else start
        self.reserve_seconds = 0.0
        self.cancelled = False
        self._clock = clock

    @property
    def timed(self) -> bool:
        """Whether time is limited; where it is not, no decision may depend on the clock."""
        return self.time_seconds is not None

    def elapsed(self) -> float:
        """Seconds since the run began."""
        return self._clock() - self.start

    def remaining(self) -> float:
        """Seconds left to search, at least 0; infinite without a limit, 0 once cancelled."""
        if self.cancelled:
            return 0.0
        if self.time_seconds is None:
            return math.inf
        return max(self.time_seconds - self.elapsed() - self.reserve_seconds, 0.0)

    @property
    def exhausted(self) -> bool:
        """Whether no time is left to search."""
        return self.remaining() <= 0

    def admits(self, trials: int) -> bool:
        """Whether another trial may start after `trials` have been started or finished."""
        return self.trials is None or trials < self.trials

    def keep_back(self, seconds: float) -> None:
        """Set the reserve, once its true size has been measured."""
        self.reserve_seconds = max(seconds, 0.0)

    def cancel(self) -> None:
        """End the search now, as a user's Ctrl-C does."""
        self.cancelled = True
