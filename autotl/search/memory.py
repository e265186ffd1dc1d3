"""Peak anonymous memory of this process while a trial runs.

Mapped files (feature caches) do not count: the kernel drops their pages when it needs them.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

_STATUS = Path("/proc/self/status")
_INTERVAL_SECONDS = 0.1


def anonymous_bytes() -> int:
    """Anonymous resident memory of this process in bytes.

    Where the kernel does not tell (other systems than Linux), the highest resident size so far; 0 where
    that is unknown as well.
    """
    if _STATUS.exists():
        for line in _STATUS.read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    if sys.platform == "win32":
        return 0
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


class PeakMemory:
    """Samples the memory of the process every tenth of a second, until `stop`.

    A sample after each epoch alone would miss the activations, which are freed by then.
    """

    def __init__(self) -> None:
        self.peak_bytes = anonymous_bytes()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="autotl-peak-memory", daemon=True)
        self._thread.start()

    def sample(self) -> int:
        """Look now; gives the peak so far in bytes."""
        self.peak_bytes = max(self.peak_bytes, anonymous_bytes())
        return self.peak_bytes

    def stop(self) -> int:
        """End the watch; gives the peak in bytes."""
        self._ended.set()
        self._thread.join()
        return self.sample()

    def _watch(self) -> None:
        while not self._ended.wait(_INTERVAL_SECONDS):
            self.sample()
