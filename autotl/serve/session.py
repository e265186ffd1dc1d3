"""Opens ONNX Runtime sessions, the same way everywhere: serving, feature extraction, timing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from autotl.cores import usable_cores
from autotl.errors import MissingExtraError

if TYPE_CHECKING:
    import onnx

#: ONNX Runtime's idle threads spin for some milliseconds; on few cores that steals them from everyone else.
_FEW_THREADS = 4


def open_session(
    model: bytes | str | Path | onnx.ModelProto, *, threads: int | None = None, arena: bool = True
) -> Any:
    """Open a model on the CPU with all graph optimisations.

    Args:
        model: A file, a serialised model, or a model in memory.
        threads: Threads within an operator; None for all cores that the process may use.
        arena: Whether the session keeps the memory of a run for the next one. Without, it goes back to the
            process: better where sessions take turns with training.

    Returns:
        An `onnxruntime.InferenceSession`.

    Raises:
        MissingExtraError: ONNX Runtime is not installed.
    """
    try:
        import onnxruntime as ort
    except ImportError as error:
        raise MissingExtraError(
            "cannot run an ONNX model", found=str(error), hint="Install it: pip install onnxruntime"
        ) from error
    count = usable_cores() if threads is None else max(1, threads)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.intra_op_num_threads = count
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = arena
    if count <= _FEW_THREADS:
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    content = str(model) if isinstance(model, (str, Path)) else model
    if not isinstance(content, (str, bytes)):
        content = content.SerializeToString()
    return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
