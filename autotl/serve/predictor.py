"""`Predictor`: raw inputs to predictions with NumPy and ONNX Runtime; torch is never imported.

Decoding is the modality's, the same code that training used; all else is inside the ONNX graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from autotl.cores import usable_cores
from autotl.errors import BundleError, DataError
from autotl.modalities.modality import Decoder, Example, Feeds, Item
from autotl.serve.batches import batches
from autotl.serve.bundle import BundleInfo
from autotl.serve.inputs import items_of
from autotl.serve.opening import missing, open_bundle
from autotl.serve.session import failures, first_line, open_session
from autotl.task import Task, TaskKind

Array = NDArray[Any]

#: Decoded examples held at once: that many batches' rows, and that much memory.
_WINDOW_BATCHES = 64
_WINDOW_BYTES = 64 * 2**20
_DECODED_TOGETHER = 32
_DECODING_THREADS = 4


@runtime_checkable
class SupportsDecodingMany(Protocol):
    """A decoder that is faster for many items at a time and spreads them over the cores itself."""

    def decode_many(self, items: Sequence[Item]) -> list[Example]:
        """Like `Decoder.decode` for each item."""


class Predictor:
    """An exported model, ready to predict.

    Args:
        folder: The bundle's folder.
        threads: Threads of the runtime; None for all cores that the process may use.
        check: Compare every file's sha256 with the manifest first.
        device: "cpu" or "cuda".

    Raises:
        BundleError: The bundle is missing, incomplete, or was changed.
        MissingExtraError: A package that decoding needs, or what runs models on the device, is not installed.
    """

    def __init__(
        self, folder: str | Path, *, threads: int | None = None, check: bool = True, device: str = "cpu"
    ) -> None:
        opens = partial(open_session, threads=threads, device=device)
        self._bundle, self._decoder, self._session = open_bundle(Path(folder), opens, check=check)
        self._inputs = {value.name for value in self._session.get_inputs()}
        self._threads = min(_DECODING_THREADS, threads or usable_cores())

    @property
    def bundle(self) -> BundleInfo:
        """What the bundle says of itself."""
        return self._bundle

    @property
    def decoder(self) -> Decoder:
        """What makes examples of raw inputs; `decode` applies it to many side by side."""
        return self._decoder

    @property
    def graph_inputs(self) -> dict[str, tuple[str, list[Any]]]:
        """ONNX Runtime's type and shape of each input of the graph; open edges are named."""
        return {value.name: (value.type, list(value.shape)) for value in self._session.get_inputs()}

    @property
    def graph_outputs(self) -> dict[str, list[Any]]:
        """Shape of each output that is read, the batch axis first; open edges are named."""
        shapes = {value.name: list(value.shape) for value in self._session.get_outputs()}
        return {name: shapes[name] for name in self._bundle.outputs}

    @property
    def task(self) -> Task:
        """What is predicted."""
        return self._bundle.task

    @property
    def classes(self) -> tuple[str, ...]:
        """Class or label names in the order of the outputs; empty for regression."""
        return self.task.classes

    def predict_proba(self, items: Iterable[Item], batch_size: int = 32) -> Array:
        """Probabilities of classes or labels.

        Args:
            items: N raw inputs: what the model was trained on (files, bytes, arrays, Pillow images; texts or
                tuples of texts), or a data frame with the columns of the training data.
            batch_size: Most rows that run together.

        Returns:
            (N, K) float32; for regression the values, (N,) float32. Rows are in the order of `items`.

        Raises:
            DecodeError: An item is unreadable.
        """
        return self.outputs(items, batch_size)[0]

    def predict(
        self, items: Iterable[Item], batch_size: int = 32
    ) -> list[str] | list[list[str]] | list[float]:
        """A class name a row; for multilabel the names of labels from 0.5 on; for regression a value."""
        return self.decide(self.predict_proba(items, batch_size))

    def embed(self, items: Iterable[Item], batch_size: int = 32) -> Array:
        """Features (N, F) float32 that the head takes; near rows are alike to the model."""
        return self.outputs(items, batch_size)[1]

    def decide(self, outputs: Array) -> list[str] | list[list[str]] | list[float]:
        """Predictions from what `predict_proba` gave."""
        decided = self.task.decide(outputs) if len(outputs) else ()
        if self.task.kind is TaskKind.REGRESSION:
            return [float(value) for value in decided]
        if self.task.kind is TaskKind.MULTILABEL:
            return [[self.classes[k] for k in np.flatnonzero(row)] for row in decided]
        return [self.classes[k] for k in decided]

    def run(self, examples: Sequence[Example], batch_size: int = 32) -> tuple[Array, Array]:
        """Predict decoded examples.

        Args:
            examples: What the modality's decoder gave, in any order of sizes.
            batch_size: Most rows that run together.

        Returns:
            Probabilities (N, K) or values (N,), and features (N, F); float32, in the order of `examples`.
        """
        if not examples:
            return self._empty()
        done: list[int] = []
        parts: list[list[Array]] = []
        lengths = [self._decoder.length(example) for example in examples]
        for rows in batches(lengths, batch_size, ragged=self._decoder.ragged):
            parts.append(self.run_batch([examples[row] for row in rows]))
            done += rows
        order = np.argsort(done)
        primary, features = (np.concatenate([part[i] for part in parts])[order] for i in range(2))
        return primary, features

    def run_batch(self, examples: Sequence[Example]) -> list[Array]:
        """Predict decoded examples that can be collated, in one run of the graph; returns as `run` does.

        Raises:
            BundleError: The graph cannot run on them, or gives what is no prediction for each.
        """
        feeds = self.feeds(examples)
        try:
            outputs: list[Array] = self._session.run(list(self._bundle.outputs), feeds)
        except failures(ValueError) as error:  # ValueError: it takes another input, too
            raise BundleError(f"{self._bundle.model} cannot be run", found=first_line(error)) from error
        rows = len(examples)
        wanted = (rows,) if self.task.kind is TaskKind.REGRESSION else (rows, self.task.outputs)
        if outputs[0].shape != wanted or outputs[1].ndim != 2 or len(outputs[1]) != rows:
            raise BundleError(
                f"{self._bundle.model} gives no predictions",
                found=f"shapes {outputs[0].shape} and {outputs[1].shape}",
                expected=f"{wanted} and features of {rows} rows",
            )
        return outputs

    def feeds(self, examples: Sequence[Example]) -> Feeds:
        """The graph's inputs, by name, of decoded examples that can be collated."""
        collated = self._decoder.collate(examples)
        return {name: value for name, value in collated.items() if name in self._inputs}

    def decode(self, items: Sequence[Item]) -> list[Example]:
        """Decode raw inputs side by side; `run` takes the result.

        Raises:
            DecodeError: An item is unreadable.
            MissingExtraError: A package that decoding needs is not installed.
        """
        try:
            if isinstance(self._decoder, SupportsDecodingMany):
                return self._decoder.decode_many(items)
            with ThreadPoolExecutor(self._threads) as pool:
                return list(pool.map(self._decoder.decode, items))
        except ModuleNotFoundError as error:
            raise missing(error) from error

    def outputs(self, items: Iterable[Item], batch_size: int = 32) -> tuple[Array, Array]:
        """What `predict_proba` and `embed` give, from one pass."""
        if isinstance(items, (str, bytes, bytearray, Path)):
            raise DataError("one input was given bare", found=repr(items)[:60], expected="a list of inputs")
        if batch_size < 1:
            raise DataError("impossible batch size", found=batch_size, expected="at least 1")
        given = items_of(self._bundle, items)
        parts = [self.run(window, batch_size) for window in self._windows(given, batch_size)]
        if not parts:
            return self._empty()
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])

    def _windows(self, items: Sequence[Item], batch_size: int) -> Iterator[list[Example]]:
        """Decoded items in order, so many at a time that neither memory nor padding suffers."""
        window: list[Example] = []
        held, step = 0, _DECODED_TOGETHER
        for start in range(0, len(items), step):
            decoded = self.decode(items[start : start + step])
            window += decoded
            held += sum(_bytes(example) for example in decoded)
            if len(window) >= _WINDOW_BATCHES * batch_size or held >= _WINDOW_BYTES:
                yield window
                window, held = [], 0
        if window:
            yield window

    def _empty(self) -> tuple[Array, Array]:
        primary, features = (
            [edge if isinstance(edge, int) else 0 for edge in shape[1:]]
            for shape in self.graph_outputs.values()
        )
        return np.empty((0, *primary), np.float32), np.empty((0, *features), np.float32)


def _bytes(example: Example) -> int:
    return sum(value.nbytes for value in example.values())
