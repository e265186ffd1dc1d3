"""Turns torch modules into ONNX graphs: one file, opset 20, dynamic batch, nothing written to disk.

TorchScript's exporter goes first: it takes about a second where the dynamo one takes 10 to 18, with equal
outputs. Networks that it cannot trace go through the dynamo one. What neither exports as it should
(antialiased resizing) is the modality's own graph, see `compose`.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from autotl.errors import ExportError
from autotl.graph.fold import fold_shapes

if TYPE_CHECKING:
    import onnx
    from torch import Tensor, nn

Exporter = Literal["torchscript", "dynamo"]
#: Key of a model's metadata under which its exporter stands.
EXPORTER = "exporter"
OPSET = 20
#: The IR version that came with opset 20; every ONNX Runtime that knows the opset reads it.
IR_VERSION = 9
_PROTOBUF_LIMIT_BYTES = 2**31 - 2**24


def to_onnx(
    module: nn.Module,
    batch: Mapping[str, Tensor],
    outputs: Sequence[str],
    *,
    dynamic: Mapping[str, Mapping[int, str]] | None = None,
    exporter: Exporter | None = None,
) -> onnx.ModelProto:
    """Convert a module that takes a batch.

    Args:
        module: Maps a dictionary of tensors to one tensor or a tuple of them. Converted in eval mode, and
            left in the modes that its parts had.
        batch: An example of its input, on the module's device; the graph's inputs are named after its keys.
        outputs: Names of the outputs in order.
        dynamic: Names of dynamic axes by input or output name. By default axis 0 of every input and output
            is "batch", and where the batch holds token ids (integers (B, T)), axis 1 of everything that
            runs along T is "length".
        exporter: Which exporter; None for TorchScript's, and the dynamo one where that fails.

    Returns:
        The checked model, in memory; its metadata name the exporter.

    Raises:
        ExportError: The weights exceed the 2 GiB of an ONNX file, or no exporter takes the network.
    """
    import onnx

    size = sum(value.numel() * value.element_size() for value in module.state_dict().values())
    if size > _PROTOBUF_LIMIT_BYTES:
        raise ExportError(
            "the network is too large for one ONNX file",
            found=f"{size / 2**30:.1f} GiB of weights",
            expected="less than 2 GiB",
            hint="Choose smaller backbones: autotl backbones",
        )
    axes = _default_axes(batch, outputs) if dynamic is None else dynamic
    wrapper = _positional(module, list(batch))
    with evaluating(wrapper), _silent():
        model = fold_shapes(_exported(wrapper, batch, outputs, axes, exporter))
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model)
    return model


def _exported(
    wrapper: nn.Module,
    batch: Mapping[str, Tensor],
    outputs: Sequence[str],
    axes: Mapping[str, Mapping[int, str]],
    exporter: Exporter | None,
) -> onnx.ModelProto:
    """What the first exporter gives that takes the network."""
    wanted: tuple[Exporter, ...] = ("torchscript", "dynamo") if exporter is None else (exporter,)
    reasons = []
    for name in wanted:
        try:
            model = _EXPORTERS[name](wrapper, batch, outputs, axes)
        except (RuntimeError, ImportError) as error:  # those of both exporters are RuntimeErrors
            reasons.append(f"{name}: {str(error).strip().partition(chr(10))[0] or type(error).__name__}")
        else:
            set_metadata(model, {EXPORTER: name})
            return model
    raise ExportError(
        "the network cannot be exported to ONNX",
        found="; ".join(reasons),
        hint="Leave its backbone out: --backbones names those to use.",
    )


def _torchscript(
    wrapper: nn.Module,
    batch: Mapping[str, Tensor],
    outputs: Sequence[str],
    axes: Mapping[str, Mapping[int, str]],
) -> onnx.ModelProto:
    """By tracing."""
    import onnx
    import torch

    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        path = Path(folder) / "model.onnx"
        torch.onnx.export(
            wrapper,
            tuple(batch.values()),
            path,
            input_names=list(batch),
            output_names=list(outputs),
            dynamic_axes={name: dict(value) for name, value in axes.items()},
            opset_version=OPSET,
            do_constant_folding=True,
            dynamo=False,
        )
        return onnx.load(path)


def _dynamo(
    wrapper: nn.Module,
    batch: Mapping[str, Tensor],
    outputs: Sequence[str],
    axes: Mapping[str, Mapping[int, str]],
) -> onnx.ModelProto:
    """By `torch.export`; axes of one name have the same length."""
    import torch

    edges = {name: torch.export.Dim(name) for named in axes.values() for name in named.values()}
    shapes = tuple({axis: edges[edge] for axis, edge in axes.get(name, {}).items()} for name in batch)
    with torch.no_grad():
        program = torch.onnx.export(
            wrapper,
            tuple(batch.values()),
            input_names=list(batch),
            output_names=list(outputs),
            dynamic_shapes=(shapes,),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    assert program is not None, "the dynamo exporter gives a program where no file is named"
    return program.model_proto


_EXPORTERS: dict[Exporter, Callable[..., onnx.ModelProto]] = {"torchscript": _torchscript, "dynamo": _dynamo}


def made_with(model: onnx.ModelProto) -> dict[str, Any]:
    """Opset, IR version and exporter of a model, for the record."""
    opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    return {"opset": opset, "ir_version": model.ir_version, "exporter": metadata(model).get(EXPORTER)}


def size_bytes(model: onnx.ModelProto) -> int:
    """Bytes of the serialised model."""
    return int(model.ByteSize())


def set_metadata(model: onnx.ModelProto, values: Mapping[str, str]) -> None:
    """Write key and value pairs into a model's metadata, replacing those of equal key."""
    kept = {entry.key: entry.value for entry in model.metadata_props}
    del model.metadata_props[:]
    for key, value in {**kept, **values}.items():
        model.metadata_props.add(key=key, value=value)


def metadata(model: onnx.ModelProto) -> dict[str, str]:
    """The metadata of a model."""
    return {entry.key: entry.value for entry in model.metadata_props}


def _default_axes(batch: Mapping[str, Tensor], outputs: Sequence[str]) -> dict[str, dict[int, str]]:
    axes: dict[str, dict[int, str]] = {name: {0: "batch"} for name in [*batch, *outputs]}
    lengths = {v.shape[1] for v in batch.values() if v.ndim == 2 and not v.is_floating_point()}
    if len(lengths) == 1:
        length = next(iter(lengths))
        for name, value in batch.items():
            if value.ndim in (2, 3) and value.shape[1] == length:
                axes[name][1] = "length"
    return axes


def _positional(module: nn.Module, names: Sequence[str]) -> nn.Module:
    """The module with one positional argument an input, which is all that the exporter understands."""
    from torch import nn

    class Positional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = module

        def forward(self, *values: Tensor) -> Tensor | tuple[Tensor, ...]:
            result: Tensor | tuple[Tensor, ...] = self.inner(dict(zip(names, values, strict=True)))
            return result

    return Positional()


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Eval mode inside the block; afterwards every part is in the mode that it had."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


@contextmanager
def _silent() -> Iterator[None]:
    """Without the warnings that the exporter gives on every network: tracing, and its own deprecation."""
    from torch.jit import TracerWarning  # type: ignore[attr-defined]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TracerWarning)
        warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"torch(\.|$)")
        warnings.filterwarnings("ignore", category=DeprecationWarning, message=".*TorchScript.*")
        warnings.filterwarnings("ignore", category=UserWarning, module=r"torch\.onnx(\.|$)")
        warnings.filterwarnings("ignore", category=FutureWarning, module=r"(torch|onnxscript)(\.|$)")
        yield
