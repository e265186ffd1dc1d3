"""`Limits`: what a deployed model may take."""

from __future__ import annotations

from dataclasses import dataclass

from autotl.graph.footprint import Footprint


@dataclass(frozen=True)
class Limits:
    """What a deployed model may take; None for no limit.

    Attributes:
        max_latency_ms: Median time of one batch, in ONNX Runtime on this machine's CPU.
        max_size_bytes: Bytes of the exported model.
        max_memory_bytes: Memory of a process that runs it.
        batch: Inputs of a batch, which are predicted together.
        threads: Threads that it is given; None for all cores.
    """

    max_latency_ms: float | None = None
    max_size_bytes: int | None = None
    max_memory_bytes: int | None = None
    batch: int = 1
    threads: int | None = None

    def __bool__(self) -> bool:
        return (self.max_latency_ms, self.max_size_bytes, self.max_memory_bytes) != (None, None, None)

    def exceeded_by(self, footprint: Footprint) -> str | None:
        """Which limit a measured model is over, in words; None where it meets them all."""
        latency_ms = footprint.latency_ms if self.batch == 1 else footprint.batch_latency_ms
        found = (
            (footprint.size_bytes, self.max_size_bytes, 1e6, "MB on disk"),
            (footprint.memory_bytes, self.max_memory_bytes, 1e6, "MB of memory"),
            (latency_ms, self.max_latency_ms, 1.0, f"ms a {self.unit}"),
        )
        for value, limit, unit, words in found:
            if value is not None and limit is not None and value > limit:
                return f"{value / unit:.3g} {words} is over the limit of {limit / unit:g}, measured"
        return None

    def words(self, footprint: Footprint) -> str:
        """What a measured model takes: "8.1 ms a prediction, 40 ms a batch of 8, 13.5 MB on disk"."""
        said = [f"{footprint.latency_ms:.3g} ms a prediction"]
        if footprint.batch_latency_ms is not None:
            said += [f"{footprint.batch_latency_ms:.3g} ms a {self.unit}"]
        said += [f"{footprint.size_bytes / 1e6:.3g} MB on disk"]
        if footprint.memory_bytes is not None:
            said += [f"{footprint.memory_bytes / 1e6:.3g} MB of memory"]
        return ", ".join(said)

    @property
    def unit(self) -> str:
        """What the limit of latency is for."""
        return "prediction" if self.batch == 1 else f"batch of {self.batch}"
