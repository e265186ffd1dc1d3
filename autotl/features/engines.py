"""Runs the frozen part of a network by whichever engine is fastest on this machine.

Candidates are torch and ONNX Runtime on the CPU (torch alone on an accelerator). Each is timed on three
batches; the choice is recorded, because engines differ in the last bits and a repeated run must not.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from autotl.atomic import replacing
from autotl.backbones.backbone import Backbone, Batch
from autotl.graph.convert import to_onnx
from autotl.graph.session import open_session

logger = logging.getLogger(__name__)

Array = NDArray[Any]
#: A batch of network inputs to the frozen outputs, in the order of `FrozenPart.outputs`.
Engine = Callable[[Batch], list[Array]]
_TIMED_BATCHES = 3


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


def torch_engine(network: FrozenNetwork, device: torch.device) -> Engine:
    """Run in torch, channels last where there are images."""
    network = network.to(device).eval()

    def run(batch: Batch) -> list[Array]:
        with torch.inference_mode():
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


def fastest_engine(
    network: FrozenNetwork,
    batch: Batch,
    *,
    device: torch.device,
    threads: int | None,
    record: EngineRecord,
    key: str,
) -> Engine:
    """Time the candidates on a batch and give the winner, or the one recorded for `key`."""
    if device.type != "cpu":
        return torch_engine(network, device)
    chosen = record.get(key)
    if chosen == "torch":
        return torch_engine(network, device)
    try:
        candidates = {"onnxruntime": onnx_engine(network, batch, threads)}
    except (torch.onnx.errors.OnnxExporterError, RuntimeError, TypeError, ValueError) as error:
        logger.warning("the frozen part cannot be converted to ONNX, torch runs it: %s", error)
        record.put(key, "torch")
        return torch_engine(network, device)
    if chosen == "onnxruntime":
        return candidates["onnxruntime"]
    candidates["torch"] = torch_engine(network, device)
    seconds = {name: _time(engine, batch) for name, engine in candidates.items()}
    best = min(seconds, key=lambda name: seconds[name])
    logger.info("frozen part of %s: %s", key, {name: f"{s * 1e3:.0f} ms" for name, s in seconds.items()})
    record.put(key, best)
    return candidates[best]


def _time(engine: Engine, batch: Batch) -> float:
    """Median seconds of a batch, after one to warm up."""
    engine(batch)
    seconds = []
    for _ in range(_TIMED_BATCHES):
        start = time.perf_counter()
        engine(batch)
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))


class EngineRecord:
    """Which engine won on this machine, by network and number of threads, kept as JSON.

    Args:
        path: The file; made when first written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, key: str) -> str | None:
        """The engine recorded for `key`."""
        found = self._read().get(key)
        return found if isinstance(found, str) else None

    def put(self, key: str, engine: str) -> None:
        """Record the engine for `key`."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self._path) as path:
            path.write_text(json.dumps({**self._read(), key: engine}, indent=1, sort_keys=True))

    def _read(self) -> dict[str, Any]:
        try:
            value = json.loads(self._path.read_text())
        except (OSError, json.JSONDecodeError):
            return {}
        return value if isinstance(value, dict) else {}
