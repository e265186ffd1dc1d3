"""Proves that a bundle gives the trained model's answers, from raw input to label."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.data.dataset import Dataset
from autotl.errors import ParityError
from autotl.export.reference import torch_outputs
from autotl.modalities.registry import modality
from autotl.serve.predictor import Predictor
from autotl.task import THRESHOLD, Task, TaskKind
from autotl.training.model import TransferModel

Array = NDArray[Any]

#: Largest difference of a probability.
PROBABILITY_TOLERANCE = 1e-3
#: Largest difference of a value, relative to the larger of the value and the target's deviation.
RELATIVE_TOLERANCE = 1e-4
#: Probabilities this near (two best classes, or a label and its threshold) may fall either way.
TIE = 1e-6
_DECODING_THREADS = 4


@dataclass(frozen=True)
class Parity:
    """How near a bundle's outputs are to those of the trained model.

    Attributes:
        rows: Rows compared in batches.
        single_rows: Rows of them compared at batch 1 as well.
        largest_difference: Of a probability; for regression of a value, relative.
        tolerance: What was allowed.
        ties: Decisions that differ because two probabilities are equal to within `TIE`.
    """

    rows: int
    single_rows: int
    largest_difference: float
    tolerance: float
    ties: int

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return asdict(self)


def verify(
    model: TransferModel,
    folder: str | Path,
    dataset: Dataset,
    rows: Array,
    *,
    single_rows: int = 32,
    batch_size: int = 32,
    threads: int | None = None,
) -> Parity:
    """Compare a bundle with the model that it was exported from.

    The raw items go through each side's own way: training's decoder, the modality's graph and torch on the
    one, the bundle with its own files on the other.

    Args:
        model: The trained model, on the CPU.
        folder: The bundle.
        dataset: Where the rows come from.
        rows: Row numbers; at least 256 make good evidence.
        single_rows: How many of them are also compared one by one.
        batch_size: Rows that run together in the bundle.
        threads: Threads of the bundle's runtime.

    Returns:
        The figures.

    Raises:
        ParityError: A label or value differs, by how much and where.
    """
    items = [dataset.items[row] for row in rows]
    names = [dataset.names[row] for row in rows]
    if not items:
        raise ParityError("nothing to compare a bundle on", found="no rows", expected="at least one")
    decoder = modality(model.spec.modality).decoder(model.spec)
    with ThreadPoolExecutor(_DECODING_THREADS) as pool:
        expected = torch_outputs(model, list(pool.map(decoder.decode, items)))
    predictor = Predictor(folder, threads=threads)
    examples = predictor.decode(items)
    several = predictor.run(examples, batch_size)[0]
    single_rows = min(single_rows, len(items))
    single = predictor.run(examples[:single_rows], 1)[0]
    found = [compare(model.task, names, expected, several, scale=model.target_scale)]
    if single_rows:
        scale = model.target_scale
        found.append(compare(model.task, names[:single_rows], expected[:single_rows], single, scale=scale))
    return Parity(
        rows=len(items),
        single_rows=single_rows,
        largest_difference=max(largest for largest, _ in found),
        tolerance=_tolerance(model.task),
        ties=max(ties for _, ties in found),
    )


def compare(
    task: Task, names: list[str], expected: Array, found: Array, *, scale: float = 1.0
) -> tuple[float, int]:
    """Compare outputs row by row.

    Args:
        task: What is predicted.
        names: N row names for messages.
        expected: (N, K) probabilities or (N,) values of the trained model.
        found: The same of the bundle.
        scale: Deviation of a regression target; values nearer to 0 are judged by it.

    Returns:
        The largest difference, and the number of ties that fell the other way.

    Raises:
        ParityError: They differ by more than is allowed, or are not finite.
    """
    if expected.shape != found.shape:
        raise ParityError(
            "the bundle's outputs have another shape", found=found.shape, expected=expected.shape
        )
    for side, values in (("trained model", expected), ("bundle", found)):
        if not np.isfinite(values).all():
            name = names[int(np.argwhere(~np.isfinite(values))[0][0])]
            raise ParityError(f"the {side} gives outputs that are not finite", found=f"for {name}")
    difference = np.abs(expected.astype(np.float64) - found)
    if task.kind is TaskKind.REGRESSION:
        difference /= np.maximum(np.abs(expected), max(abs(scale), 1e-12))
    tolerance = _tolerance(task)
    largest = float(difference.max(initial=0.0))
    if largest > tolerance:
        name = names[int(np.argwhere(difference == largest)[0][0])]
        over = _rows_over(difference, tolerance)
        raise ParityError(
            "the bundle's outputs differ from the trained model's",
            found=f"{largest:.2g} for {name} ({over} of {len(names)} rows)",
            expected=f"at most {tolerance:g}",
        )
    return largest, _ties(task, names, expected, found)


def _rows_over(difference: Array, tolerance: float) -> int:
    return int((difference.reshape(len(difference), -1) > tolerance).any(axis=1).sum())


def _tolerance(task: Task) -> float:
    return RELATIVE_TOLERANCE if task.kind is TaskKind.REGRESSION else PROBABILITY_TOLERANCE


def _ties(task: Task, names: list[str], expected: Array, found: Array) -> int:
    """Count decisions that differ at a tie; others are errors."""
    if task.kind is TaskKind.REGRESSION:
        return 0
    if task.kind is TaskKind.MULTILABEL:
        differs = task.decide(expected) != task.decide(found)
        margins = np.where(differs, np.abs(expected - THRESHOLD), 0.0).max(axis=1)
        differing = differs.any(axis=1)
    else:
        rows = np.arange(len(expected))
        differing = expected.argmax(axis=1) != found.argmax(axis=1)
        margins = expected.max(axis=1) - expected[rows, found.argmax(axis=1)]
    wrong = np.flatnonzero(differing & (margins > TIE))
    if len(wrong):
        first, margin = names[wrong[0]], margins[wrong[0]]
        raise ParityError(
            "the bundle decides otherwise than the trained model",
            found=f"{len(wrong)} of {len(names)} rows, first {first} (margin {margin:.2g})",
            expected="the same labels on all rows",
        )
    return int(differing.sum())
