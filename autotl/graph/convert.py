"""Turns torch modules into ONNX graphs: one file, opset 20, dynamic batch, nothing written to disk.

TorchScript's exporter is used: it takes about a second where the dynamo one takes 10 to 18, with equal
outputs. What TorchScript cannot export (antialiased resizing) is the modality's own graph, see `compose`.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from autotl.errors import ExportError
from autotl.graph.fold import fold_shapes

if TYPE_CHECKING:
    import onnx
    from torch import Tensor, nn

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

    Returns:
        The checked model, in memory.

    Raises:
        ExportError: The weights exceed the 2 GiB of an ONNX file.
    """
    import onnx
    import torch

    size = sum(value.numel() * value.element_size() for value in module.state_dict().values())
    if size > _PROTOBUF_LIMIT_BYTES:
        raise ExportError(
            "the network is too large for one ONNX file",
            found=f"{size / 2**30:.1f} GiB of weights",
            expected="less than 2 GiB",
            hint="Choose smaller backbones: autotl backbones",
        )
    axes = _default_axes(batch, outputs) if dynamic is None else dynamic
    names = list(batch)
    wrapper = _positional(module, names)
    with tempfile.TemporaryDirectory() as folder, evaluating(wrapper), torch.no_grad(), _silent():
        path = Path(folder) / "model.onnx"
        torch.onnx.export(
            wrapper,
            tuple(batch[name] for name in names),
            path,
            input_names=names,
            output_names=list(outputs),
            dynamic_axes={name: dict(value) for name, value in axes.items()},
            opset_version=OPSET,
            do_constant_folding=True,
            dynamo=False,
        )
        model = fold_shapes(onnx.load(path))
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model)
    return model


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
        yield
