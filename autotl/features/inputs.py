"""`PreparedInputs`: network inputs of a data set, decoded and preprocessed once.

Images pass through the modality's own ONNX graph, the one that is exported later, and are kept on disk as
uint8; inputs without a graph (texts) are kept in memory as token ids. Two processes that prepare the same
rows write the same bytes, so nobody waits.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from autotl.backbones.backbone import Batch
from autotl.data.dataset import Dataset
from autotl.features.arrays import RowArray, check_room
from autotl.graph.session import open_session
from autotl.modalities.modality import Example, Modality
from autotl.modalities.preprocessing import PreprocessingSpec

Array = NDArray[Any]
_CHUNK_ROWS = 64


class PreparedInputs:
    """Prepared examples of the rows of a data set, made on demand.

    Args:
        dataset: Its raw items.
        modality: Their modality.
        spec: How they become network inputs.
        folder: Where prepared arrays are kept; its name must change with data and spec.
        threads: Decoding threads.
    """

    def __init__(
        self, dataset: Dataset, modality: Modality, spec: PreprocessingSpec, folder: Path, threads: int
    ) -> None:
        self.spec = spec
        self._dataset = dataset
        self._decoder = modality.decoder(spec)
        self._folder = folder
        self._threads = threads
        graph = modality.graph(spec)
        # One intra-op thread: rows are prepared side by side.
        self._session = None if graph is None else open_session(graph, threads=1)
        self._arrays: dict[str, RowArray] = {}
        self._examples: dict[int, Example] = {}

    @property
    def ragged(self) -> bool:
        """Whether rows have different lengths (texts)."""
        return self._session is None and self._decoder.ragged

    def lengths(self, rows: Array) -> Array:
        """(n,) length of each row in tokens; all 1 where rows are of one shape."""
        if not self.ragged:
            return np.ones(len(rows), np.int64)
        self.prepare(rows)
        return np.array([self._decoder.length(self._examples[int(row)])[0] for row in rows])

    def prepare(self, rows: Array) -> None:
        """Decode and preprocess what is missing of `rows`."""
        missing = self._missing(rows)
        if len(missing) == 0:
            return
        self._check_room(missing)
        with ThreadPoolExecutor(self._threads) as pool:
            for start in range(0, len(missing), _CHUNK_ROWS):
                chunk = missing[start : start + _CHUNK_ROWS]
                self._store(chunk, list(pool.map(self._prepare_row, chunk)))
        for array in self._arrays.values():
            array.commit()

    def cached(self, rows: Array) -> Array:
        """Those of the rows that need not be decoded; all where decoding costs next to nothing (texts)."""
        return rows if self._session is None else np.setdiff1d(rows, self._missing(rows))

    def batch(self, rows: Array) -> Batch:
        """Network inputs of prepared rows as tensors on the CPU."""
        self.prepare(rows)
        if self._session is not None:
            return {name: torch.from_numpy(array.read(rows)) for name, array in self._arrays.items()}
        feeds = self._decoder.collate([self._examples[int(row)] for row in rows])
        return {name: torch.from_numpy(value) for name, value in feeds.items()}

    def batches(self, rows: Array, size: int, visit: Callable[[Array, Batch], None]) -> None:
        """Visit all rows in batches of like length, decoding the next batch meanwhile."""
        self._check_room(self._missing(rows))
        chunks = [rows[start : start + size] for start in range(0, len(rows), size)]
        with ThreadPoolExecutor(1) as ahead:
            following = ahead.submit(self.batch, chunks[0]) if chunks else None
            for i, chunk in enumerate(chunks):
                assert following is not None
                batch = following.result()
                if i + 1 < len(chunks):
                    following = ahead.submit(self.batch, chunks[i + 1])
                visit(chunk, batch)

    def by_length(self, rows: Array) -> Array:
        """`rows` ordered so that neighbours have like lengths, longest first."""
        return rows if not self.ragged else rows[np.argsort(-self.lengths(rows), kind="stable")]

    def _missing(self, rows: Array) -> Array:
        if self._session is None:
            return np.array([row for row in rows if int(row) not in self._examples], np.int64)
        if not self._arrays:
            self._open_arrays(int(rows[0]) if len(rows) else 0)
        missing = [array.missing(rows) for array in self._arrays.values()]
        return np.unique(np.concatenate(missing))

    def _check_room(self, missing: Array) -> None:
        """Refuse rows that the disk cannot hold before the first is decoded."""
        check_room(self._folder, sum(array.bytes_of(missing) for array in self._arrays.values()))

    def _open_arrays(self, row: int) -> None:
        """Open the files; the shape of a row is that of the first one prepared."""
        for name, value in self._prepare_row(row).items():
            path = self._folder / f"inputs-{name}"
            self._arrays[name] = RowArray(path, len(self._dataset), value.shape, value.dtype)

    def _prepare_row(self, row: int) -> Example:
        example = self._decoder.decode(self._dataset.items[int(row)])
        if self._session is None:
            return example
        names = [output.name for output in self._session.get_outputs()]
        values = self._session.run(names, self._decoder.collate([example]))
        return {name: np.asarray(value)[0] for name, value in zip(names, values, strict=True)}

    def _store(self, rows: Array, examples: list[Example]) -> None:
        if self._session is None:
            self._examples.update(zip((int(row) for row in rows), examples, strict=True))
            return
        for name, array in self._arrays.items():
            array.write(rows, np.stack([example[name] for example in examples]))
