"""`Stages`: which stage a run is in, and how long each one took."""

from __future__ import annotations

import time

from autotl.search.events import Listener, StageStarted


class Stages:
    """The stages of one run, one after the other.

    Args:
        tell: Told of each that begins.
    """

    def __init__(self, tell: Listener) -> None:
        self._tell = tell
        self._begun: list[tuple[str, float]] = []

    def begin(self, name: str, detail: str = "") -> None:
        """End the stage before, and say that this one begins."""
        self._begun.append((name, time.monotonic()))
        self._tell(StageStarted(name, detail))

    def seconds(self) -> dict[str, float]:
        """Seconds of each stage; of the last one, until now."""
        ends = [*(start for _, start in self._begun[1:]), time.monotonic()]
        return {name: end - start for (name, start), end in zip(self._begun, ends, strict=True)}
