"""Runs the frozen part of a network by whichever engine is fastest on this machine.

Candidates are torch with either layout of images, ONNX Runtime on the CPU, and mixed precision on an
accelerator. Each must agree with plain torch on a batch, and is then timed on three; the choice is recorded,
because engines differ in the last bits and a repeated run must not.
"""

from __future__ import annotations

import copy
import logging
import math
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from autotl.backbones.backbone import Backbone, Batch
from autotl.features.memory import RowsAtOnce, parts
from autotl.features.precision import fastest_dtype
from autotl.features.record import MachineRecord
from autotl.graph.convert import to_onnx
from autotl.graph.session import failures, open_session

logger = logging.getLogger(__name__)

Array = NDArray[Any]
#: A batch of network inputs to the frozen outputs, in the order of `FrozenPart.outputs`.
Engine = Callable[[Batch], list[Array]]
_TIMED_BATCHES = 3
#: Rows of a timed batch on a CPU, where few already keep it busy: on a GPU as many as are run at once.
_TIMED_ROWS = 8
#: Largest difference from plain torch, as a share of the largest output: rounding of single precision summed
#: in another order, and of half precision through the depth of a network.
_TOLERANCE = 1e-3
_MIXED_TOLERANCE = 5e-2
PLAIN_TORCH = "torch"


class FrozenNetwork(nn.Module):
    """The blocks of a backbone up to `stop`, giving what is to be kept.

    Args:
        backbone: The network.
        stop: Blocks that run.
        captures: Depths whose hidden batch is given, ascending, at most `stop`.
        pooled: Whether pooled features of depths 1 to `stop` are given, concatenated, first of all.
    """

    def __init__(self, backbone: Backbone, stop: int, captures: tuple[int, ...], pooled: bool) -> None:
        super().__init__()
        self.module = backbone.module
        self._backbone = backbone
        self._stop = stop
        self._captures = captures
        self._pooled = pooled

    @property
    def outputs(self) -> list[str]:
        """Names of the outputs in order."""
        names = ["pooled"] if self._pooled else []
        return names + [f"hidden_{depth}" for depth in self._captures]

    def forward(self, batch: Batch) -> tuple[Tensor, ...]:
        """Pooled features (B, F) if asked for, then one hidden tensor a capture."""
        pooled, hidden = [], []
        for depth in range(1, self._stop + 1):
            batch = self._backbone.run(batch, depth - 1, depth)
            if self._pooled:
                pooled.append(self._backbone.pool(batch, depth))
            if depth in self._captures:
                hidden.append(batch["hidden"])
        return (*((torch.cat(pooled, dim=1),) if self._pooled else ()), *hidden)


def torch_engine(
    network: FrozenNetwork,
    device: torch.device,
    *,
    channels_last: bool = False,
    mixed: torch.dtype | None = None,
) -> Engine:
    """Run in torch; rows that do not fit into memory together are run in parts.

    Args:
        network: What runs; it is moved to `device`.
        device: Where.
        channels_last: Whether the weights of convolutions lie channels last, in a copy of the network.
        mixed: Lower precision of what tolerates it; None for single precision throughout.
    """
    network = network.to(device).eval()
    if channels_last:
        network = copy.deepcopy(network).to(memory_format=torch.channels_last)

    at_once = RowsAtOnce(sys.maxsize)

    def run(batch: Batch) -> list[Array]:
        network.to(device)  # others share its weights, and may have moved them
        rows = np.arange(len(next(iter(batch.values()))))
        return at_once.fit(partial(in_parts, batch, rows), len(rows))

    def in_parts(batch: Batch, rows: Array, most: int) -> list[Array]:
        spans = [slice(few[0], few[-1] + 1) for few in parts(rows, most)]
        found = [forward({name: value[span] for name, value in batch.items()}) for span in spans]
        return found[0] if len(found) == 1 else [np.concatenate(o) for o in zip(*found, strict=True)]

    def forward(batch: Batch) -> list[Array]:
        with torch.inference_mode(), torch.autocast(device.type, dtype=mixed, enabled=mixed is not None):
            moved = {name: value.to(device, non_blocking=True) for name, value in batch.items()}
            return [value.float().cpu().numpy() for value in network(moved)]

    return run


def onnx_engine(network: FrozenNetwork, batch: Batch, threads: int | None) -> Engine:
    """Run in ONNX Runtime on the CPU."""
    model = to_onnx(network, batch, network.outputs, dynamic=_dynamic_axes(network, batch))
    session = open_session(model, threads=threads, arena=False)
    names = {value.name for value in session.get_inputs()}

    def run(batch: Batch) -> list[Array]:
        feeds = {name: value.numpy() for name, value in batch.items() if name in names}
        return [np.asarray(value) for value in session.run(network.outputs, feeds)]

    return run


def _dynamic_axes(network: FrozenNetwork, batch: Batch) -> dict[str, dict[int, str]]:
    """Names of the axes that vary: the batch, and for token ids and their states the length."""
    ids = {v.shape[1] for v in batch.values() if v.ndim == 2 and not v.is_floating_point()}
    with torch.inference_mode():
        outputs = dict(zip(network.outputs, network(batch), strict=True))
    axes = {}
    for name, value in {**batch, **outputs}.items():
        ragged = value.ndim in (2, 3) and value.shape[1] in ids and name != "pooled"
        axes[name] = {0: "batch", **({1: "length"} if ragged else {})}
    return axes


@dataclass(frozen=True)
class Candidate:
    """One way to run a network.

    Attributes:
        build: Makes the engine.
        tolerance: Largest difference from plain torch, as a share of the largest output.
    """

    build: Callable[[], Engine]
    tolerance: float = _TOLERANCE


def candidates(
    network: FrozenNetwork, batch: Batch, device: torch.device, threads: int | None
) -> dict[str, Candidate]:
    """The ways to run a network here, by name, plain torch first.

    `torch.compile` is none of them: on a CPU, compiling EfficientNet-Lite0 took the time of more than 60
    batches of plain torch, to come out level with ONNX Runtime, which is there in the time of three.
    """
    images = any(value.ndim == 4 for value in batch.values())
    layouts = {"": False, " channels_last": True} if images else {"": False}
    found = {
        f"{PLAIN_TORCH}{name}": Candidate(partial(torch_engine, network, device, channels_last=last))
        for name, last in layouts.items()
    }
    if device.type == "cpu":
        return found | {"onnxruntime": Candidate(partial(onnx_engine, network, batch, threads))}
    mixed = fastest_dtype(device) if device.type == "cuda" else torch.float16
    for name, last in layouts.items() if mixed else ():
        build = partial(torch_engine, network, device, channels_last=last, mixed=mixed)
        found[f"{PLAIN_TORCH} mixed{name}"] = Candidate(build, _MIXED_TOLERANCE)
    return found


def fastest_engine(
    network: FrozenNetwork,
    batch: Batch,
    *,
    device: torch.device,
    threads: int | None,
    record: MachineRecord,
    key: str,
) -> Engine:
    """Time the candidates on a batch and give the winner, or the one recorded for `key`.

    The recorded one must agree again: weights and libraries may be others than when it was chosen.
    """
    ways = candidates(network, batch, device, threads)
    plain = ways[PLAIN_TORCH].build()
    chosen, few = record.get(key), {name: values[:2] for name, values in batch.items()}
    if chosen == PLAIN_TORCH:
        return plain
    if chosen in ways and (engine := _agreeing(chosen, ways[chosen], few, plain(few))):
        return engine
    if device.type == "cpu":
        batch = {name: values[:_TIMED_ROWS] for name, values in batch.items()}
    expected, engines = plain(batch), {PLAIN_TORCH: plain}
    for name, way in ways.items():
        if name != PLAIN_TORCH and (engine := _agreeing(name, way, batch, expected)):
            engines[name] = engine
    seconds = _times(engines, batch)
    best = min(seconds, key=lambda name: seconds[name])
    logger.info("frozen part of %s: %s", key, {name: f"{s * 1e3:.0f} ms" for name, s in seconds.items()})
    record.put(key, best)
    return engines[best]


def _agreeing(name: str, candidate: Candidate, batch: Batch, expected: list[Array]) -> Engine | None:
    """The engine of a candidate, None where it cannot run this network, or gives something else."""
    try:
        engine = candidate.build()
        outputs = engine(batch)
    except failures(torch.onnx.errors.OnnxExporterError, RuntimeError, TypeError, ValueError) as error:
        logger.warning("%s cannot run the frozen part, it is left out: %s", name, error)
        return None
    return engine if _agrees(name, outputs, expected, candidate.tolerance) else None


def _agrees(name: str, outputs: list[Array], expected: list[Array], tolerance: float) -> bool:
    """Whether outputs are those of plain torch but for rounding; what is not finite never is."""
    for output, wanted in zip(outputs, expected, strict=True):
        difference = float(np.abs(output - wanted).max()) / max(float(np.abs(wanted).max()), 1e-12)
        if not difference <= tolerance:
            logger.warning("%s is left out: it differs from torch by %.1e of the largest", name, difference)
            return False
    return True


def _times(engines: Mapping[str, Engine], batch: Batch) -> dict[str, float]:
    """Least seconds of a batch by engine: in turn and after one to warm up, as other work comes and goes."""
    seconds = dict.fromkeys(engines, math.inf)
    for turn in range(1 + _TIMED_BATCHES):
        for name, engine in engines.items():
            start = time.perf_counter()
            engine(batch)
            if turn:
                seconds[name] = min(seconds[name], time.perf_counter() - start)
    return seconds
