"""`Follower`: reads along with a run, from another process or machine, and knows whether it goes on.

It reads `events.jsonl` and, of runs that have none, what `run.json` says; it writes nothing.
"""

from __future__ import annotations

import shlex
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from autotl.errors import RunError
from autotl.search.event_log import BEAT_SECONDS, EVENTS, Entry, Process, is_locked, read_on
from autotl.search.events import Event, RunEnded, RunStarted
from autotl.trial.run_folder import RunFolder

#: Without a sign of life for so long, a run on another machine counts as dead.
_SILENT_SECONDS = 60.0
#: Clocks of two machines differ by less than this.
_CLOCKS_DIFFER_SECONDS = 24 * 3600.0


class RunState(StrEnum):
    """How a run stands."""

    LIVE = "live"
    FINISHED = "finished"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


def state_of(ended: RunEnded) -> RunState:
    """How a run stands that told its end."""
    known = {state.value: state for state in RunState if state is not RunState.LIVE}
    return known.get(ended.state, RunState.FAILED)


class Follower:
    """Reads along with one run.

    Args:
        folder: The run folder.
        clock: A monotonic clock in seconds.
        wall: Seconds since 1970.
        dead_at: Size and time of its events at which the run was found dead before.

    Attributes:
        ended: How the run says that it ended; None where it has not said so.
        process: Who writes its events, as far as they are known.
    """

    def __init__(
        self,
        folder: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        dead_at: tuple[int, float] | None = None,
    ) -> None:
        self._folder, self._path = folder, folder / EVENTS
        self._clock, self._wall = clock, wall
        self._offset = 0
        self._started: float | None = None
        self._last_told = 0.0
        self._telling = False
        self._alive = False
        self._first_look = clock()
        self._seen: tuple[float, tuple[int, float]] | None = None
        self._dead_at = dead_at
        self.ended: RunEnded | None = None
        self.process: Process | None = None

    def events(self) -> Iterator[Event]:
        """What the run has told since the last call; while this goes on, `elapsed` is when it was told."""
        yield from self._news()
        self._alive = self._has_process()
        if not self._alive:
            yield from self._news()  # what a process told last is on disk when it is gone

    def elapsed(self) -> float:
        """Seconds of the run; while `events` are told, those at which each was."""
        if self._telling or self._started is None or self.state is not RunState.LIVE:
            return self._last_told
        return max(self._wall() - self._started, self._last_told)

    @property
    def state(self) -> RunState:
        """How the run stood when `events` was called last."""
        if self.ended is not None:
            return state_of(self.ended)
        if not self._path.exists():
            return RunState.FINISHED if is_over(self._record()) else RunState.INTERRUPTED
        return RunState.LIVE if self._alive else RunState.INTERRUPTED

    def _news(self) -> Iterator[Event]:
        self._telling = True
        try:
            for entry in self._entries():
                self._last_told = entry.seconds
                if isinstance(entry.told, Process):
                    self.process = entry.told
                    continue
                if isinstance(entry.told, RunStarted):
                    self._started, self.ended = _moment(entry.told.started), None
                elif isinstance(entry.told, RunEnded):
                    self.ended = entry.told
                yield entry.told
        finally:
            self._telling = False

    def _entries(self) -> Iterator[Entry]:
        """Lines that were not read yet."""
        with suppress(OSError):
            for entries, end in read_on(self._path, self._offset):
                self._offset = end
                yield from entries

    def _has_process(self) -> bool:
        """Whether the process that writes the events lives, as far as can be seen from here."""
        process = self.process
        if process is not None and process.locked and process.host == socket.gethostname():
            return is_locked(self._path)
        return self._shows_life()

    def _shows_life(self) -> bool:
        """Whether the file was touched of late, by its own time or while we looked."""
        try:
            stat = self._path.stat()
        except OSError:
            return False
        now, found = self._clock(), (stat.st_size, stat.st_mtime)
        if found == self._dead_at:
            return False
        age = self._wall() - stat.st_mtime
        if self._seen is None or self._seen[1] != found:
            self._seen = (now if self._seen is not None else now - max(age, 0.0), found)
        if now - self._seen[0] < _SILENT_SECONDS:
            return True
        # A clock that goes wrong makes a live run look old: wait for a second sign of life.
        return age < _CLOCKS_DIFFER_SECONDS and now - self._first_look < 2.5 * BEAT_SECONDS

    def _record(self) -> dict[str, Any]:
        try:
            record: dict[str, Any] = RunFolder(self._folder).read_json("run.json")
        except (RunError, OSError):
            return {}
        return record


def is_over(record: Mapping[str, Any]) -> bool:
    """Whether `run.json` holds an outcome."""
    return isinstance(record.get("test"), Mapping) and isinstance(record.get("winner"), Mapping)


def resume_command(folder: Path, record: Mapping[str, Any]) -> str:
    """What to type to go on with a run: its own command, as far as it was one, with --out and --resume.

    Args:
        folder: The run folder.
        record: Content of its `run.json`.
    """
    words = _fit_arguments(record.get("command"))
    if not words:
        data = record.get("data")
        source = data.get("source") if isinstance(data, Mapping) else None
        words = [source if isinstance(source, str) else "DATA"]
    return shlex.join(["autotl", "fit", *words, "--out", str(folder), "--resume"])


def _fit_arguments(command: Any) -> list[str]:
    """What followed "fit" on the command line, without the run folder; empty for a run from Python."""
    if not isinstance(command, Sequence) or isinstance(command, str) or "fit" not in command[:3]:
        return []
    words = [str(word) for word in command[command.index("fit") + 1 :]]
    kept: list[str] = []
    skips = False
    for word in words:
        if skips or word == "--resume" or word.startswith("--out="):
            skips = False
        elif word == "--out":
            skips = True
        else:
            kept.append(word)
    return kept


def _moment(text: str) -> float | None:
    """Seconds since 1970; None for what is no time."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
