"""What displays say of a `Progress`, in plain text: the terminal and the notebook say the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from autotl.config import TrialConfig
from autotl.search.progress import Progress, best_over_time, clock_time

_BARS = "▁▂▃▄▅▆▇█"
#: Bars of a trial's curve, at most.
CURVE = 24
#: How far ahead an end is told by the hour of the day.
_DAY_SECONDS = 24 * 3600


def sparkline(scores: Sequence[float], most: int = CURVE) -> str:
    """Scores as a row of bars, lowest to highest of what is shown: the last ones, at most so many."""
    shown = scores[-most:]
    if len(shown) < 2:
        return ""
    low, high = min(shown), max(shown)
    span = (high - low) or 1.0
    return "".join(_BARS[round((score - low) / span * (len(_BARS) - 1))] for score in shown)


def named(config: TrialConfig) -> str:
    """Backbone and strategy of a trial."""
    return f"{config.backbone}, {config.strategy}"


def trials(progress: Progress) -> str:
    """How many trials are done, failed and paused."""
    paused = sum(trial.paused for trial in progress.running.values())
    text = (
        f"{progress.done} done" if progress.trials is None else f"{progress.done} of {progress.trials} done"
    )
    text += f", {progress.failed} failed" if progress.failed else ""
    return f"{text}, {paused} paused" if paused else text


def best(progress: Progress) -> tuple[str, str, str]:
    """The best score so far, the metric and the trial; "none yet" and nothing else before the first."""
    if progress.best is None:
        return "none yet", "", ""
    trial = ""
    if progress.best_trial is not None:
        number, config = progress.best_trial
        trial = f"trial {number}, {named(config)}"
    return progress.shown(progress.best), "" if progress.metric is None else progress.metric.name, trial


def over_time(progress: Progress, width: int = 2 * CURVE) -> tuple[str, str, str] | None:
    """The first score, a curve of the best one from there to now, and the best; None before a second one.

    Args:
        progress: Where the run stands.
        width: Characters that all three may take, with a space between them.
    """
    if len(progress.history) < 2:
        return None
    first, last = progress.shown(progress.history[0][1]), progress.shown(progress.history[-1][1])
    steps = max(min(width - len(first) - len(last) - 2, 2 * CURVE), 2)
    return first, sparkline(best_over_time(progress, steps), 2 * CURVE), last


def times(progress: Progress, wall: Callable[[], float] = time.time) -> list[str]:
    """Time left, time passed and the hour at which it should end: as much as is known, then less and less.

    Args:
        progress: Where the run stands.
        wall: Seconds since 1970.
    """
    passed = f"{clock_time(progress.elapsed)} passed"
    left = progress.expected_left
    if left is None:
        return [passed]
    about = "" if progress.left is not None else "about "
    text = f"{about}{clock_time(left)} left"
    if left >= _DAY_SECONDS:
        return [f"{text}, {passed}", text]
    hour = time.strftime("%H:%M", time.localtime(wall() + left))
    return [f"{text}, {passed}, ends at about {hour}", f"{text}, {passed}", text]
