"""`FeatureStore`: a folder of cached inputs and features that runs share, held to a size.

An entry is a folder of arrays (`autotl.features.arrays`), named by the facts that they depend on. Whoever
uses one holds a lock file in it, which the operating system frees when the process ends, however it ends.
Arrays are evicted one by one, least recently used first, never from an entry in use.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from autotl.atomic import replacing
from autotl.errors import StorageError
from autotl.features.arrays import DATA, MARKS
from autotl.features.keys import Facts, key

logger = logging.getLogger(__name__)

_LARGEST_DEFAULT_BYTES = 20 * 2**30
_DEFAULT_SHARE = 0.2


@dataclass(frozen=True)
class _Stored:
    """One array on disk: its files, their bytes, and when it was last opened or written."""

    files: tuple[Path, ...]
    size_bytes: int
    used: float


class FeatureStore:
    """Entries of cached arrays.

    Args:
        folder: Where they lie; made when first used.
        limit_bytes: What may stay there once nobody uses it; None for 20 GiB, or a fifth of the disk that
            is free without the store, whichever is less.
    """

    def __init__(self, folder: Path, limit_bytes: int | None = None) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._held: dict[str, FileLock] = {}

    def open(self, facts: Facts) -> Path:
        """The folder of an entry, safe from eviction until `close`.

        Raises:
            StorageError: The store cannot be written, or its disk knows no locks.
        """
        name = key(facts)
        entry = self._folder / name
        if name in self._held:
            return entry
        with self._alone():
            users = entry / "users"
            users.mkdir(parents=True, exist_ok=True)
            if not (entry / "entry.json").exists():
                with replacing(entry / "entry.json") as path:
                    path.write_text(json.dumps(facts, indent=1, sort_keys=True))
            lock = FileLock(users / f"{uuid.uuid4().hex}.lock", thread_local=False)
            lock.acquire(timeout=0)
            self._held[name] = lock
        return entry

    def close(self) -> None:
        """Stop using all entries, then evict what is beyond the limit."""
        for lock in self._held.values():
            lock.release()
        self._held.clear()
        if self._folder.is_dir():
            self.evict()

    def evict(self) -> None:
        """Delete arrays that nobody uses, least recently used first, until the limit is kept."""
        with self._alone():
            entries = [path for path in self._folder.iterdir() if path.is_dir()]
            stored = {entry: _arrays(entry) for entry in entries}
            total = sum(array.size_bytes for arrays in stored.values() for array in arrays)
            limit = self._limit(total)
            unused = [entry for entry in entries if not _in_use(entry)]
            idle = sorted((array for entry in unused for array in stored[entry]), key=lambda a: a.used)
            for array in idle:
                if total <= limit:
                    break
                if _delete(array):
                    total -= array.size_bytes
            for entry in unused:
                for torn in entry.glob(".*.tmp"):  # of a process that died making an array
                    torn.unlink(missing_ok=True)
                if not any(entry.glob(f"*{DATA}")):
                    shutil.rmtree(entry, ignore_errors=True)
        logger.debug("feature store: %.1f of %.1f GiB", total / 2**30, limit / 2**30)

    def _limit(self, used_bytes: int) -> int:
        if self._limit_bytes is not None:
            return self._limit_bytes
        free = shutil.disk_usage(self._folder).free + used_bytes
        return min(_LARGEST_DEFAULT_BYTES, int(_DEFAULT_SHARE * free))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let one process at a time open and evict, so that nothing is evicted while it is being opened."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self._folder / "store.lock"):
                yield
        except (OSError, NotImplementedError) as error:
            raise StorageError(
                "cannot use the folder of cached features",
                found=f"{self._folder} ({error})",
                hint="Choose another with --cache-dir.",
            ) from error


def _in_use(entry: Path) -> bool:
    """Whether a living process holds a lock in an entry; locks of dead ones are swept."""
    held = False
    for path in (entry / "users").glob("*.lock"):
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            held = True
            continue
        lock.release()
        path.unlink(missing_ok=True)
    return held


def _arrays(entry: Path) -> list[_Stored]:
    """The arrays of an entry; marks without data, or data without marks, count as one."""
    names = {
        re.sub(rf"({re.escape(MARKS)}|{re.escape(DATA)})$", "", path.name) for path in entry.glob(f"*{DATA}")
    }
    found = []
    for name in sorted(names):
        # Marks first: without them the data count as absent, whatever happens in between.
        files = tuple(path for end in (MARKS, DATA) if (path := entry / f"{name}{end}").exists())
        facts = [path.stat() for path in files]
        # Rows that were never written take no room on the disk.
        sizes = [getattr(fact, "st_blocks", -(-fact.st_size // 512)) * 512 for fact in facts]
        found.append(_Stored(files, sum(sizes), max(fact.st_mtime for fact in facts)))
    return found


def _delete(array: _Stored) -> bool:
    """Whether it could be deleted: Windows keeps files that this process has still mapped."""
    with suppress(PermissionError):
        for file in array.files:
            file.unlink(missing_ok=True)
        return True
    return False
