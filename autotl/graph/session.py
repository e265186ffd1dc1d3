"""Runs and times ONNX graphs outside of serving."""

from __future__ import annotations

import time
from statistics import median
from typing import Any

from autotl.modalities.modality import Feeds
from autotl.serve.session import failures, open_session

__all__ = ["failures", "latency_ms", "open_session"]


def latency_ms(session: Any, feeds: Feeds, repeats: int = 10) -> float:
    """Median milliseconds of one run, after one to warm up.

    Args:
        session: What `open_session` returned.
        feeds: Inputs by name; names that the graph does not take are left out.
        repeats: Timed runs.
    """
    names = {value.name for value in session.get_inputs()}
    inputs = {name: value for name, value in feeds.items() if name in names}
    session.run(None, inputs)
    seconds = []
    for _ in range(max(1, repeats)):
        start = time.perf_counter()
        session.run(None, inputs)
        seconds.append(time.perf_counter() - start)
    return median(seconds) * 1e3
