"""A server under test, on a core of its own, and its memory over time."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self
from urllib.error import URLError
from urllib.request import urlopen

SERVER_CORE, LOAD_CORE = 0, 1
_START_SECONDS = 120


def pinned(core: int, *words: object) -> list[str]:
    """A command that runs on one core."""
    return ["taskset", "-c", str(core), *map(str, words)]


class Server:
    """A running `autotl serve`, a context that ends it.

    Args:
        bundle: What it serves.
        options: Further options.
    """

    def __init__(self, bundle: Path, options: Sequence[object] = ()) -> None:
        words = ("-m", "autotl.cli", "serve", bundle, "--port", 0, "--threads", 1, *options)
        command = pinned(SERVER_CORE, sys.executable, *words)
        self.exit_code: int | None = None
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def __enter__(self) -> Self:
        assert self.process.stdout is not None
        found = re.search(r"(http://\S+);", self.process.stdout.readline())
        if found is None:
            raise RuntimeError("the server did not start")
        self.url = found[1]
        end = time.monotonic() + _START_SECONDS
        while True:
            try:
                urlopen(f"{self.url}/health", timeout=10).close()
                return self
            except URLError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.exit_code = self.process.wait(60)


@contextmanager
def memory_mib(pid: int, every_seconds: float = 0.5) -> Iterator[list[float]]:
    """Sample the anonymous memory of a process, in MiB, while the block runs."""
    samples: list[float] = [_anonymous_mib(pid)]
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(every_seconds):
            samples.append(_anonymous_mib(pid))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield samples
    finally:
        ended.set()
        thread.join()


def _anonymous_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("this system does not tell the memory of a process")
