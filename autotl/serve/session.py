"""Opens ONNX Runtime sessions, the same way everywhere: serving, feature extraction, timing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autotl.cores import usable_cores
from autotl.errors import MissingExtraError, SettingsError

if TYPE_CHECKING:
    import onnx

#: ONNX Runtime's idle threads spin for some milliseconds; on few cores that steals them from everyone else.
_FEW_THREADS = 4
#: ONNX Runtime's name of what runs a model on a device, and what takes over what that cannot run.
_PROVIDERS = {
    "cpu": ["CPUExecutionProvider"],
    "cuda": ["CUDAExecutionProvider", "CPUExecutionProvider"],
}


def open_session(
    model: bytes | str | Path | onnx.ModelProto,
    *,
    threads: int | None = None,
    arena: bool = True,
    device: str = "cpu",
    extensions: bool = False,
) -> Any:
    """Open a model with all graph optimisations.

    Args:
        model: A file, a serialised model, or a model in memory.
        threads: Threads within an operator; None for all cores that the process may use.
        arena: Whether the session keeps the memory of a run for the next one. Without, it goes back to the
            process: better where sessions take turns with training.
        device: "cpu", or "cuda" for an NVIDIA GPU, beside which the CPU runs what the GPU cannot.
        extensions: Whether it uses operators of onnxruntime-extensions.

    Returns:
        An `onnxruntime.InferenceSession`.

    Raises:
        MissingExtraError: ONNX Runtime is not installed, or without what the device or the operators need; or
            there is no such device.
        SettingsError: No such device is known.
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
    if extensions:
        options.register_custom_ops_library(_extensions())
    content = str(model) if isinstance(model, (str, Path)) else model
    if not isinstance(content, (str, bytes)):
        content = content.SerializeToString()
    wanted = _providers(device, ort.get_available_providers())
    # Its fallback prints, tries everything again on the CPU, and says nothing of it to the caller.
    session = ort.InferenceSession(content, options, providers=wanted, enable_fallback=0)
    if wanted[0] not in session.get_providers():  # it says so in a log that nobody reads, and goes on without
        raise _missing(device, session.get_providers())
    return session


def check_device(device: str) -> None:
    """Make sure that this ONNX Runtime is made for a device, before processes are started that need it.

    Raises:
        MissingExtraError: It is not.
        SettingsError: No such device is known.
    """
    import onnxruntime as ort

    _providers(device, ort.get_available_providers())


def failures(*others: type[Exception]) -> tuple[type[Exception], ...]:
    """What ONNX Runtime raises where it cannot open a graph, or run it on an input; and others.

    For `except` alone, which evaluates it only when something was raised.
    """
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return (
        *(state.NoSuchFile, state.NoModel, state.InvalidProtobuf, state.InvalidGraph, state.NotImplemented),
        *(state.Fail, state.EPFail, state.EngineError, state.RuntimeException, state.InvalidArgument),
        *others,
    )


def first_line(error: Exception) -> str:
    """The beginning of what it says."""
    return (str(error).splitlines() or [type(error).__name__])[0][:300]


def _extensions() -> str:
    """The library of onnxruntime-extensions.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        from onnxruntime_extensions import get_library_path
    except ImportError as error:
        raise MissingExtraError(
            "this graph decodes its input itself, by operators of onnxruntime-extensions",
            found=str(error),
            hint="Install it: pip install onnxruntime-extensions",
        ) from error
    return str(get_library_path())


def _providers(device: str, available: Sequence[str]) -> list[str]:
    """ONNX Runtime's execution providers for a device, the first choice first.

    Raises:
        MissingExtraError: This ONNX Runtime has none for it.
        SettingsError: No such device is known.
    """
    if device not in _PROVIDERS:
        raise SettingsError("unknown device", found=repr(device), expected=" or ".join(_PROVIDERS))
    if _PROVIDERS[device][0] not in available:
        raise _missing(device, available)
    return _PROVIDERS[device]


def _missing(device: str, found: Sequence[str]) -> MissingExtraError:
    return MissingExtraError(
        f"ONNX Runtime cannot run on {device} here",
        found=", ".join(found),
        expected=_PROVIDERS[device][0],
        hint="Where there is an NVIDIA GPU: pip uninstall onnxruntime; pip install onnxruntime-gpu",
    )
