"""What Prometheus reads at /metrics: requests, latencies, the queue, batches, refusals.

With several workers the figures of all are added up, whichever is asked: prometheus-client keeps them in
files of a folder that the parent process makes (`PROMETHEUS_MULTIPROC_DIR`).
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

#: Set before prometheus_client is imported, it makes the metrics of all workers one.
SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """The metrics of one app, in a registry of their own."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for every one
        self._registry = registry = CollectorRegistry()
        self.requests = Counter(
            "autotl_requests", "Answered requests.", ("route", "status"), registry=registry
        )
        self.seconds = Histogram(
            "autotl_request_seconds",
            "Time from the head of a request to the end of its answer.",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.items = Counter("autotl_items", "Predicted inputs.", registry=registry)
        self.rejected = Counter(
            "autotl_rejected", "Refused requests, by status.", ("status",), registry=registry
        )
        self.queue_items = Gauge(
            "autotl_queue_items",
            "Inputs that are accepted and not yet answered.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.queue_bytes = Gauge(
            "autotl_queue_bytes",
            "Bytes of bodies that are held.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.batch_items = Histogram(
            "autotl_batch_items", "Inputs that ran together.", buckets=_SIZES, registry=registry
        )
        self.run_seconds = Histogram(
            "autotl_run_seconds", "Time of one run of the model.", buckets=_SECONDS, registry=registry
        )

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        self.requests.labels(route, str(status)).inc()
        self.seconds.labels(route).observe(seconds)
        if status in (413, 429, 503, 504):
            self.rejected.labels(str(status)).inc()

    def batch(self, items: int, seconds: float) -> None:
        """Count a run of the model."""
        self.batch_items.observe(items)
        self.run_seconds.observe(seconds)
        self.items.inc(items)

    def text(self) -> bytes:
        """All metrics in Prometheus' text format; of all workers where they share a folder."""
        if SHARED_FOLDER not in os.environ:
            return generate_latest(self._registry)
        shared = CollectorRegistry()
        MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
        return generate_latest(shared)


def forget_dead_workers() -> None:
    """Drop what workers that are no more held in their queues; a worker does so when it starts."""
    folder = os.environ.get(SHARED_FOLDER)
    for path in Path(folder).glob("gauge_live*.db") if folder else ():
        number = re.search(r"_(\d+)\.db$", path.name)
        if number and not _lives(int(number[1])):
            mark_process_dead(int(number[1]))  # type: ignore[no-untyped-call]


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
