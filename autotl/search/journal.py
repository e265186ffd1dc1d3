"""The file of a study's journal: mended when it is opened, forced to the disk once a trial.

What Optuna appends outlives a killed process as soon as it is written; only against a power cut must the
disk be waited for (about 10 ms). Doing so at the end of a trial, and not at each of its epochs, loses no
finished one.
"""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

_log = logging.getLogger(__name__)
_LOCK_GRACE_SECONDS = 5


class Journal(JournalFileBackend):
    """The journal of a process that owns its run folder.

    Args:
        path: The file; made where there is none.
    """

    def __init__(self, path: Path) -> None:
        path.with_name(path.name + ".lock").unlink(missing_ok=True)  # ours now, so whoever left it is dead
        _cut_torn_record(path)
        self._guard = JournalFileOpenLock(str(path), grace_period=_LOCK_GRACE_SECONDS)
        super().__init__(str(path), lock_obj=self._guard)
        self._path = path

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append records, without waiting for the disk."""
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        self._guard.acquire()
        try:
            with self._path.open("ab") as file:
                file.write(lines.encode())
        finally:
            self._guard.release()

    def flush(self) -> None:
        """Wait until all that was appended is on the disk."""
        with self._path.open("ab") as file:
            os.fsync(file.fileno())


def _cut_torn_record(path: Path) -> None:
    """Cut the journal before its first line that is not whole; Optuna cannot write after such a line."""
    if not path.exists():
        return
    whole = 0
    with path.open("r+b") as journal:
        for line in journal:
            if not line.endswith(b"\n") or not _is_record(line):
                break
            whole += len(line)
        size = journal.seek(0, 2)
        if size > whole:
            _log.warning("cut %d bytes of a torn record off %s", size - whole, path)
            journal.truncate(whole)


def _is_record(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
