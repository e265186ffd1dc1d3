"""The second graph of a bundle, where it has one: it takes what a client has, a file's bytes or a text.

It runs one input at a time, in ONNX Runtime with onnxruntime-extensions. `Predictor` does without it; here it
is only run to be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.errors import BundleError
from autotl.modalities.modality import Example, Item, SupportsRawGraph
from autotl.modalities.registry import modality
from autotl.serve.bundle import BundleInfo
from autotl.serve.session import open_session
from autotl.task import Task

Array = NDArray[Any]

RAW = "raw.onnx"


class RawGraph:
    """Answers with the second graph of a bundle.

    Args:
        bundle: The bundle.
        threads: Threads of the runtime; None for all cores that the process may use.

    Raises:
        BundleError: It has none.
        MissingExtraError: onnxruntime-extensions is not installed.
    """

    def __init__(self, bundle: BundleInfo, *, threads: int | None = None) -> None:
        kind = modality(bundle.spec.modality)
        if RAW not in bundle.manifest["files"] or not isinstance(kind, SupportsRawGraph):
            raise BundleError(
                f"no {RAW} in {bundle.folder}", hint="Export it with one: autotl export RUN --raw"
            )
        self._kind, self._bundle = kind, bundle
        self._session = open_session(bundle.folder / RAW, threads=threads, extensions=True)

    @property
    def task(self) -> Task:
        """What is predicted."""
        return self._bundle.task

    def decode(self, items: Sequence[Item]) -> list[Example]:
        """Raw inputs in the form that the graph takes.

        Raises:
            DecodeError: An item has no such form.
        """
        return [{self._kind.raw_input: self._kind.raw_value(item)} for item in items]

    def run(self, examples: Sequence[Example], batch_size: int = 1) -> tuple[Array, Array]:
        """Predict inputs one by one, whatever the batch size; returns as `Predictor.run` does."""
        outputs = [self._session.run(list(self._bundle.outputs), dict(example)) for example in examples]
        primary, features = (np.concatenate(part) for part in zip(*outputs, strict=True))
        return primary, features
