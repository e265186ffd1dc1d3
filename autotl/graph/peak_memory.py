"""A process that loads an ONNX model, runs one batch and prints the most bytes of memory that it held.

python -m autotl.graph.peak_memory MODEL.onnx INPUTS.npz [THREADS]
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np

from autotl.graph.session import open_session

_STATUS = Path("/proc/self/status")


def peak_bytes() -> int:
    """The most resident memory of this process so far.

    `getrusage` alone would not do on Linux: a child starts with the figure of the process that made it.
    """
    if _STATUS.is_file() and (found := re.search(r"VmHWM:\s*(\d+) kB", _STATUS.read_text())):
        return int(found[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def main(model: str, inputs: str, threads: str | None = None) -> None:
    """Load, run, print."""
    session = open_session(model, threads=None if threads is None else int(threads))
    names = {value.name for value in session.get_inputs()}
    with np.load(inputs, allow_pickle=False) as feeds:
        session.run(None, {name: feeds[name] for name in feeds.files if name in names})
    sys.stdout.write(f"{peak_bytes()}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
