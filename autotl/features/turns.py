"""Who fills: one process at a time computes the rows of an entry, the others wait and find them there.

The lock is the operating system's, so a process that dies gives its turn back.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.5
#: A process that holds the turn and has brought no row for so long is taken for stopped.
_STALL_SECONDS = 60.0


@contextmanager
def turn(path: Path, missing: Callable[[], int]) -> Iterator[None]:
    """Wait until nobody else fills, or until nothing is missing any more.

    Whoever holds the turn and gets nowhere is waited for no longer: two processes that write the same rows
    write the same values, so that costs work only.

    Args:
        path: Lock file.
        missing: How many of the wanted rows are still missing; asked while waiting.
    """
    lock = FileLock(path, thread_local=False)
    left, since = missing(), time.monotonic()
    while left and time.monotonic() - since < _STALL_SECONDS:
        try:
            lock.acquire(timeout=_POLL_SECONDS)
            break
        except Timeout:
            if (now := missing()) < left:
                left, since = now, time.monotonic()
    else:
        if left:
            logger.warning("another process holds %s and gets nowhere; its rows are computed here", path)
    try:
        yield
    finally:
        lock.release()
