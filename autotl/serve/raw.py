"""The second graph of a bundle, where it has one: it takes what a client has, a file's bytes or a text.

It runs one input at a time, in ONNX Runtime with onnxruntime-extensions. `Predictor` does without it; here it
is only run to be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autotl.errors import BundleError, DecodeError
from autotl.modalities.modality import Example, Item, SupportsRawGraph
from autotl.modalities.registry import modality
from autotl.serve.bundle import BundleInfo
from autotl.serve.evidence import Answers
from autotl.serve.onnx_file import refuse_other_files
from autotl.serve.parity import Parity, prove
from autotl.serve.session import failures, first_line, open_session
from autotl.task import Task

if TYPE_CHECKING:
    from autotl.data.dataset import Dataset

Array = NDArray[Any]

RAW = "raw.onnx"
#: Where a manifest tells of it.
KEY = "raw"


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
        if RAW not in bundle.files or not isinstance(kind, SupportsRawGraph):
            raise BundleError(
                f"no {RAW} in {bundle.folder}", hint="Export it with one: autotl export RUN --raw"
            )
        self._kind, self._bundle = kind, bundle
        path = bundle.file(RAW)
        refuse_other_files(path)
        try:
            self._session = open_session(path, threads=threads, extensions=True)
        except failures(UnicodeDecodeError) as error:
            raise BundleError(f"ONNX Runtime cannot open {path}", found=first_line(error)) from error
        count = len(self._session.get_inputs())
        if count != 1:
            raise BundleError(f"{path} does not take one input", found=count)

    @property
    def task(self) -> Task:
        """What is predicted."""
        return self._bundle.task

    def decode(self, items: Sequence[Item]) -> list[Example]:
        """Raw inputs in the form that the graph takes.

        Raises:
            DecodeError: An item has no such form.
        """
        (taken,) = self._session.get_inputs()
        return [{taken.name: self._kind.raw_value(item)} for item in items]

    def run(self, examples: Sequence[Example], batch_size: int = 1) -> tuple[Array, Array]:
        """Predict one input or more, one by one whatever the batch size; returns as `Predictor.run` does.

        Raises:
            DecodeError: The graph cannot decode an input.
        """
        outputs = [self._one(example) for example in examples]
        primary, features = (np.concatenate(part) for part in zip(*outputs, strict=True))
        return primary, features

    def _one(self, example: Example) -> list[Array]:
        try:
            outputs: list[Array] = self._session.run(list(self._bundle.outputs), dict(example))
        except failures() as error:
            raise DecodeError(f"{RAW} cannot decode an input", found=first_line(error)) from error
        return outputs


def prove_raw(graph: RawGraph, expected: Answers, known: Dataset) -> Parity:
    """How near the second graph's answers are to those of the trained network, on rows one by one."""
    items, names = known.items, known.names
    return prove(graph, expected, items, names, known.targets, exact=False, together=1)
