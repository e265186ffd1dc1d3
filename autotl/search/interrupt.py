"""Ctrl-C: the first ends the search at a safe place, the second raises wherever it strikes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self


class Interrupts:
    """While entered, turns the first SIGINT into `requested`, and into `KeyboardInterrupt` where allowed.

    Training may be broken off anywhere; writing weights, results and the journal may not. Outside the
    main thread, or where the application has its own handler, nothing is changed.
    """

    def __init__(self) -> None:
        self.requested = False
        self._allowed = False
        self._installed = False

    def __enter__(self) -> Self:
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._handle)
            self._installed = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._installed:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self._installed = False

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """A stretch that the first Ctrl-C may break off."""
        self._allowed = True
        try:
            if self.requested:
                raise KeyboardInterrupt
            yield
        finally:
            self._allowed = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        second, self.requested = self.requested, True
        if second or self._allowed:
            raise KeyboardInterrupt
