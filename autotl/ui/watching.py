"""Where runs stand, followed through their events.

Of runs that are over only the last line is read. Of runs that died without a word it is remembered how their
events looked then: as long as they look so they are not read again.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from dataclasses import asdict
from pathlib import Path
from typing import Any

from autotl.report.recorded import plain
from autotl.search.event_log import EVENTS, last_event
from autotl.search.events import RunEnded
from autotl.search.following import Follower, RunState, state_of
from autotl.search.progress import Progress, best_over_time
from autotl.trial.run_folder import RunFolder

#: Runs that are over, or dead, whose progress is kept in memory; those that go on are kept all.
_MOST = 64
#: Size and time of a file, by which one sees whether anybody has touched it.
_Look = tuple[int, float]
#: Trials, and points of the curve of best scores, that a page shows.
_LINES, _POINTS = 12, 240


class Watched:
    """One run and its progress so far.

    Args:
        run: The run folder.
        dead_at: Size and time of its events at which it was found dead before.

    Attributes:
        state: How it stood when it was looked at last.
    """

    def __init__(self, run: RunFolder, dead_at: _Look | None = None) -> None:
        self.state = RunState.LIVE
        self._follower = Follower(run.path, dead_at=dead_at)
        self._progress = Progress(None, None, clock=self._follower.elapsed)
        self._lock = threading.Lock()

    def look(self) -> dict[str, Any]:
        """Take in what is new, and give where the run stands, JSON-ready."""
        with self._lock:
            for event in self._follower.events():
                self._progress.update(event)
            self.state = self._follower.state
            return snapshot(self._progress, self.state)


class Watcher:
    """Follows runs: all that go on, and the last few others that were asked for."""

    def __init__(self) -> None:
        self._watched: OrderedDict[tuple[Path, int], Watched] = OrderedDict()
        self._dead: dict[Path, _Look] = {}
        self._lock = threading.Lock()

    def look(self, run: RunFolder) -> dict[str, Any]:
        """Where a run stands; see `snapshot`."""
        identity, seen = _stat(run.path / EVENTS)
        key = (run.path, identity)
        with self._lock:
            if key not in self._watched:
                self._watched[key] = Watched(run, self._dead.get(run.path))
            self._watched.move_to_end(key)
            watched = self._watched[key]
        found = watched.look()
        with self._lock:
            if watched.state is RunState.INTERRUPTED and seen is not None:
                self._dead[run.path] = seen
            self._forget_some()
        return found

    def state(self, run: RunFolder) -> RunState:
        """How a run stands: from its last event if that says so, else by following it."""
        last = last_event(run.path / EVENTS)
        if isinstance(last, RunEnded):
            return state_of(last)
        _, seen = _stat(run.path / EVENTS)
        if seen is not None and self._dead.get(run.path) == seen:
            return RunState.INTERRUPTED
        return RunState(self.look(run)["state"])

    def _forget_some(self) -> None:
        """Let go of those that do not go on and were asked for longest ago."""
        still = [key for key, watched in self._watched.items() if watched.state is not RunState.LIVE]
        for key in still[: max(len(still) - _MOST, 0)]:
            del self._watched[key]


def snapshot(progress: Progress, state: RunState) -> dict[str, Any]:
    """Where a run stands, JSON-ready; scores are in the metric's own direction."""
    now = progress.elapsed
    best = None
    if progress.best is not None:
        trial = progress.best_trial
        best = {
            "score": progress.own(progress.best),
            "trial": None if trial is None else trial[0],
            "backbone": "" if trial is None else plain(trial[1].backbone),
            "strategy": "" if trial is None else plain(trial[1].strategy),
        }
    first = progress.history[0][0] if progress.history else 0.0
    return {
        "state": state.value,
        "error": None if progress.ended is None or not progress.ended.error else plain(progress.ended.error),
        "stage": plain(progress.stage),
        "detail": plain(progress.detail),
        "advanced": None if progress.advanced is None else _plain(asdict(progress.advanced)),
        "stages": [
            {"name": plain(s.name), "seconds": (now if s.ended is None else s.ended) - s.begun}
            for s in progress.stages
        ],
        "trials": {
            "done": progress.done,
            "failed": progress.failed,
            "paused": sum(trial.paused for trial in progress.running.values()),
            "budget": progress.trials,
        },
        "metric": None if progress.metric is None else progress.metric.name,
        "best": best,
        "history": {
            "from": first,
            "to": progress.total_elapsed,
            "scores": [progress.own(score) for score in best_over_time(progress, _POINTS)],
        },
        "elapsed": now,
        "left": progress.expected_left if state is RunState.LIVE else None,
        "lines": [_plain(asdict(line)) for line in progress.lines(_LINES)],
        "notes": [{"message": plain(note.message), "warning": note.warning} for note in progress.notes],
    }


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """The same with texts that can be shown."""
    return {name: plain(value) if isinstance(value, str) else value for name, value in values.items()}


def _stat(path: Path) -> tuple[int, _Look | None]:
    """What tells a file from one that took its place, and how it looks; 0 and None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return 0, None
    return found.st_ino, (found.st_size, found.st_mtime)
