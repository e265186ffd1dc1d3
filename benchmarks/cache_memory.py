"""Sends synthetic images through the feature cache and reports how much memory that takes.

    python -m benchmarks.cache_memory [--rows 100000] [--size 64] [--folder FOLDER]

A row a run in `results/cache_memory.jsonl`: the highest anonymous memory (RssAnon) of the process, in MiB,
before the first row, while activations and features of all rows are filled, while an epoch of activations is
read in batches, and while the features of all are read as the one matrix that a head is fitted on. Images are
drawn when asked for, so none of it is theirs.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np
import torch
from numpy.typing import NDArray

from autotl.backbones.catalogue import catalogue
from autotl.backbones.load import load
from autotl.data.dataset import Dataset
from autotl.features.allocator import keep_freed_memory
from autotl.features.engines import EngineRecord
from autotl.features.frozen import FrozenPart
from autotl.features.inputs import PreparedInputs
from autotl.modalities.registry import modality
from autotl.search.memory import PeakMemory, anonymous_bytes
from autotl.task import Task, TaskKind
from benchmarks.record import append

_BACKBONE = "efficientnet-lite0"
_CUT = 5
_EDGE = 64
_BATCH = 32
_PASS_ROWS = 4096


@dataclass(frozen=True)
class Drawn(Sequence[NDArray[np.uint8]]):
    """Random images (64, 64, 3) uint8, each drawn from its row number."""

    rows: int

    def __len__(self) -> int:
        return self.rows

    @overload
    def __getitem__(self, row: int) -> NDArray[np.uint8]: ...
    @overload
    def __getitem__(self, row: slice) -> list[NDArray[np.uint8]]: ...
    def __getitem__(self, row: int | slice) -> NDArray[np.uint8] | list[NDArray[np.uint8]]:
        if isinstance(row, slice):
            return [self[i] for i in range(*row.indices(self.rows))]
        return np.random.default_rng(row).integers(0, 256, (_EDGE, _EDGE, 3), np.uint8)


def main() -> None:
    """Run once and append the row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--size", type=int, default=64, help="edge of the network's input")
    parser.add_argument("--folder", type=Path, default=None, help="where a temporary folder is made")
    asked = parser.parse_args()
    keep_freed_memory()
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        append("cache_memory", measure(asked.rows, asked.size, Path(folder)))


def measure(rows: int, size: int, folder: Path) -> dict[str, object]:
    """Peaks in MiB, and seconds."""
    frozen = _frozen(rows, size, folder)
    base, start = anonymous_bytes(), time.perf_counter()
    every = np.arange(rows)
    filling = _peak(lambda: _fill(frozen, every))
    reading = _peak(lambda: _read(frozen, every))
    matrix = _peak(lambda: frozen.pooled(every, (frozen.backbone.depth,)))
    return {
        "rows": rows,
        "size": size,
        "backbone": _BACKBONE,
        "engines": list(json.loads((folder / "engines.json").read_text()).values()),
        "before_mib": base // 2**20,
        "filling_mib": filling // 2**20,
        "epoch_mib": reading // 2**20,
        "matrix_mib": matrix // 2**20,
        "peak_mib": max(filling, reading, matrix) // 2**20,
        "disk_mib": sum(path.stat().st_size for path in folder.iterdir()) // 2**20,
        "seconds": round(time.perf_counter() - start, 1),
    }


def _frozen(rows: int, size: int, folder: Path) -> FrozenPart:
    """The packaged network in front of the drawn images."""
    images, info = modality("image"), catalogue("image")[_BACKBONE]
    task = Task(TaskKind.BINARY, ("a", "b"), "accuracy")
    dataset = Dataset("image", task, Drawn(rows), np.arange(rows) % 2, range(rows))
    spec = images.preprocessing(info.input, {}, {"input_size": size})
    threads = torch.get_num_threads()
    return FrozenPart(
        load(info, offline=True),
        PreparedInputs(dataset, images, spec, folder, threads),
        images,
        rows,
        folder,
        device=torch.device("cpu"),
        threads=threads,
        record=EngineRecord(folder / "engines.json"),
        batch_size=_BATCH,
    )


def _fill(frozen: FrozenPart, rows: NDArray[np.int64]) -> None:
    """Features of all depths and activations, some thousand rows at a time."""
    for chunk in _chunks(rows, _PASS_ROWS):
        frozen.pooled(chunk, (frozen.backbone.depth,), capture=(_CUT,))


def _read(frozen: FrozenPart, rows: NDArray[np.int64]) -> None:
    """One epoch of activations."""
    for chunk in _chunks(rows, _BATCH):
        frozen.hidden(chunk, _CUT)


def _peak(work: Callable[[], object]) -> int:
    """Highest anonymous memory in bytes while `work` is done."""
    watch = PeakMemory()
    work()
    return watch.stop()


def _chunks(rows: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


if __name__ == "__main__":
    main()
