"""What a deployed graph takes: bytes on disk, time of an input and of a batch, memory of what runs it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from autotl.errors import ExportError
from autotl.graph.convert import size_bytes
from autotl.graph.session import latency_ms, open_session

if TYPE_CHECKING:
    import onnx

    from autotl.modalities.modality import Feeds

_PATIENCE_SECONDS = 300.0


@dataclass(frozen=True)
class Footprint:
    """What running a graph takes on this machine.

    Attributes:
        size_bytes: Of the file.
        latency_ms: Median time of one input.
        memory_bytes: Most memory that a process held which loaded the graph and ran one batch, Python and
            ONNX Runtime included; None where it was not asked for.
        batch: Inputs of a batch.
        batch_latency_ms: Median time of one batch; None where that is one input.
    """

    size_bytes: int
    latency_ms: float
    memory_bytes: int | None = None
    batch: int = 1
    batch_latency_ms: float | None = None


def measure(
    graph: onnx.ModelProto,
    feeds: Feeds,
    *,
    many: tuple[int, Feeds] | None = None,
    threads: int | None = None,
    with_memory: bool = False,
) -> Footprint:
    """Run a graph in ONNX Runtime on the CPU, and tell what that takes.

    Args:
        graph: The exported model.
        feeds: One of its inputs.
        many: How many are a batch, and one; None where a batch is one input.
        threads: Threads of the runtime; None for all cores that the process may use.
        with_memory: Whether a process of its own is started to see how much memory that takes.

    Raises:
        ExportError: That process failed.
    """
    session = open_session(graph, threads=threads)
    batch, together = (1, feeds) if many is None else many
    return Footprint(
        size_bytes=size_bytes(graph),
        latency_ms=latency_ms(session, feeds),
        memory_bytes=_memory_bytes(graph, together, threads) if with_memory else None,
        batch=batch,
        batch_latency_ms=None if many is None else latency_ms(session, together),
    )


def _memory_bytes(graph: onnx.ModelProto, feeds: Feeds, threads: int | None) -> int:
    with tempfile.TemporaryDirectory() as folder:
        model, inputs = Path(folder) / "model.onnx", Path(folder) / "inputs.npz"
        model.write_bytes(graph.SerializeToString())
        np.savez(inputs, **feeds)  # type: ignore[arg-type]  # the names of inputs are no options
        command = [sys.executable, "-m", "autotl.graph.peak_memory", str(model), str(inputs)]
        command += [] if threads is None else [str(threads)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=False)
    if done.returncode or not done.stdout.strip().isdigit():
        raise ExportError(
            "the memory of the exported model could not be measured",
            found=done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit {done.returncode}",
        )
    return int(done.stdout)
