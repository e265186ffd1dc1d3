"""`events.jsonl`: what a run tells, one JSON object a line, for whoever follows it from another process.

    {"seconds": 4.0, "event": "RunStarted", "started": "2026-03-02T09:14:07+00:00", "time_seconds": 600, ...}
    {"seconds": 4.1, "event": "Process", "host": "lab1", "pid": 4711, "locked": true}
    {"seconds": 4.2, "event": "StageStarted", "name": "probe", "detail": ""}

Seconds count from the `started` of the last `RunStarted`; a run that was resumed has several. The process
that writes it holds a lock on the file and touches it every few seconds: by these a reader tells a run that
goes on from one whose process died. A line that a kill cut short is passed over. `autotl.search.following`
reads along.
"""

from __future__ import annotations

import errno
import json
import logging
import math
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from autotl.errors import RunError
from autotl.search.events import Advanced, Event, from_json, to_json

_log = logging.getLogger(__name__)

EVENTS = "events.jsonl"
#: How often a process that is at work touches the file.
BEAT_SECONDS = 5.0
#: Least time between two `Advanced` events that are written.
_ADVANCED_SECONDS = 0.5
#: How often, and how long apart, a lock is asked for that somebody may just be looking at.
_LOCK_ATTEMPTS, _LOCK_WAIT_SECONDS = 5, 0.05
#: Bytes that are read at once; a line is never longer.
_CHUNK_BYTES = 16 * 2**20
#: Bytes within which the last line is looked for.
_TAIL_BYTES = 64 * 2**10
#: No run takes longer, and no clock shows it.
_LONGEST_SECONDS = 1e9
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
_PROCESS = "Process"


@dataclass(frozen=True)
class Process:
    """Who writes a log.

    Attributes:
        host: Name of the machine.
        pid: Number of the process there.
        locked: Whether it holds a lock on the file.
    """

    host: str
    pid: int
    locked: bool


@dataclass(frozen=True)
class Entry:
    """One line of a log: what was told, and when, in seconds since the last `RunStarted`."""

    seconds: float
    told: Event | Process


class EventLog:
    """A listener that writes what it hears; until the run has a folder, it keeps it.

    A disk that refuses costs the log, never the run.

    Args:
        start: When the run began, on the clock.
        clock: A monotonic clock in seconds.
    """

    def __init__(self, start: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._start, self._clock = start, clock
        self._kept: list[str] | None = []
        self._file: int | None = None
        self._locked = False
        self._advanced_at = -math.inf
        self._closing = threading.Event()
        self._path = Path()

    def __call__(self, event: Event) -> None:
        """Write one event, or keep it; of many `Advanced` in a row only some, and the last of a stage."""
        if isinstance(event, Advanced):
            now = self._clock()
            if now - self._advanced_at < _ADVANCED_SECONDS and event.done < event.total:
                return
            self._advanced_at = now
        self._put(self._line(to_json(event)))

    def claim(self, folder: Path) -> None:
        """Keep other processes out of a run folder; nothing is written before `open`.

        Raises:
            RunError: Another process is at work in this folder.
        """
        if self._file is not None or self._kept is None:
            return
        self._path = folder / EVENTS
        try:
            file = os.open(self._path, _FLAGS, 0o666)
        except OSError as error:
            self._give_up(error)
            return
        try:
            self._locked = _lock(file, folder)
        except BaseException:
            os.close(file)
            raise
        self._file = file
        threading.Thread(target=self._beat, name="autotl-events", daemon=True).start()

    def open(self, folder: Path) -> None:
        """Write from now on to the log of a run folder, after what lies there already.

        Raises:
            RunError: Another process is at work in this folder.
        """
        self.claim(folder)
        if self._file is None or self._kept is None:
            return
        _end_torn_line(self._file)
        kept, self._kept = self._kept, None
        me = Process(socket.gethostname(), os.getpid(), self._locked)
        for line in [*kept[:1], self._line({"event": _PROCESS, **asdict(me)}), *kept[1:]]:
            self._put(line)

    def release(self) -> None:
        """Let go of a folder that was claimed, where nothing was written; what was told is lost."""
        if self._kept is not None:
            self.close()

    def close(self) -> None:
        """Let go of the file, and remove an empty one; what is told from now on is lost."""
        self._closing.set()
        file, self._file, self._kept = self._file, None, None
        if file is None:
            return
        is_empty = os.fstat(file).st_size == 0
        os.close(file)
        if is_empty:
            self._path.unlink(missing_ok=True)

    def _line(self, content: dict[str, Any]) -> str:
        seconds = round(self._clock() - self._start, 3)
        return json.dumps({"seconds": seconds, **content}, separators=(",", ":"), default=str) + "\n"

    def _put(self, line: str) -> None:
        if self._kept is not None:
            self._kept.append(line)
        elif self._file is not None:
            try:
                os.write(self._file, line.encode())
            except OSError as error:
                self.close()
                self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self._kept = None
        _log.warning("%s is not written any further: %s", self._path, error.strerror)

    def _beat(self) -> None:
        """Touch the file now and then, so that those on other machines see that somebody is at work."""
        while not self._closing.wait(BEAT_SECONDS):
            try:
                os.utime(self._path)
            except OSError:
                _log.debug("%s cannot be touched", self._path, exc_info=True)


def read_events(path: Path, start: int = 0) -> tuple[list[Entry], int]:
    """The whole lines of a log from a byte on.

    Args:
        path: The log.
        start: Where to begin: 0, or what the last call gave.

    Returns:
        What they tell, without what cannot be read, and the byte to go on from: after the last whole line.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        file.seek(start)
        content = file.read(_CHUNK_BYTES)
    end = content.rfind(b"\n") + 1
    if not end:
        return [], start + (len(content) if len(content) == _CHUNK_BYTES else 0)
    entries = [entry for line in content[:end].split(b"\n") if (entry := _entry(line)) is not None]
    return entries, start + end


def read_on(path: Path, start: int = 0) -> Iterator[tuple[list[Entry], int]]:
    """What `read_events` gives from a byte on, again and again, until nothing more is there.

    Raises:
        OSError: The file cannot be read.
    """
    while True:
        entries, end = read_events(path, start)
        if end == start:
            return
        yield entries, end
        start = end


def last_event(path: Path) -> Event | None:
    """What the last whole line of a log tells; None where there is none, or it tells no event."""
    try:
        with path.open("rb") as file:
            file.seek(max(path.stat().st_size - _TAIL_BYTES, 0))
            lines = file.read(_TAIL_BYTES).split(b"\n")[:-1]
    except OSError:
        return None
    entry = _entry(lines[-1]) if lines else None
    return None if entry is None or isinstance(entry.told, Process) else entry.told


def is_locked(path: Path) -> bool:
    """Whether a process of this machine is writing the log."""
    if sys.platform == "win32":
        return False
    import fcntl

    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _entry(line: bytes) -> Entry | None:
    """What a line tells; None where it is torn, of a later version, or not ours."""
    try:
        value = json.loads(line)
        seconds = float(value["seconds"])
        if not 0 <= seconds < _LONGEST_SECONDS:
            return None
        if value["event"] == _PROCESS:
            host, pid, locked = value["host"], value["pid"], value["locked"]
            return Entry(seconds, Process(str(host), int(pid), locked is True))
        return Entry(seconds, from_json(value))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None


def _lock(file: int, folder: Path) -> bool:
    """Take the lock; gives whether this file system has any."""
    if sys.platform == "win32":
        return False
    import fcntl

    for attempt in range(_LOCK_ATTEMPTS):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                return False
            if attempt < _LOCK_ATTEMPTS - 1:
                time.sleep(_LOCK_WAIT_SECONDS)
        else:
            return True
    raise RunError(
        "another process is at work in this run folder",
        found=str(folder),
        hint=f"Follow it: autotl watch {folder}. Or choose another folder with --out.",
    )


def _end_torn_line(file: int) -> None:
    """Let new lines begin on one of their own, whatever a killed process left."""
    if os.fstat(file).st_size:
        os.lseek(file, -1, os.SEEK_END)
        if os.read(file, 1) != b"\n":
            os.write(file, b"\n")
