"""Whether a bundle gives the trained network's answers, from raw input to label; torch is never imported.

Whoever holds the rows whose answers a bundle has, see `evidence`, can compare again, on another machine and
with other versions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from autotl.errors import ParityError
from autotl.modalities.modality import Example, Item
from autotl.serve.evidence import Answers, Certificate
from autotl.task import THRESHOLD, Task, TaskKind, metric

Array = NDArray[Any]

#: Largest difference of a probability, in single precision and from the same decoded pixels.
PROBABILITY_TOLERANCE = 1e-4
#: Largest difference of a value, relative to the larger of the value and the target's deviation.
RELATIVE_TOLERANCE = 1e-4
#: Probabilities this near (two best classes, or a label and its threshold) may fall either way.
TIE = 1e-6
_BATCH_SIZE, _SINGLE_ROWS = 32, 32
#: Share of the rows that a graph of lower precision may decide otherwise beyond those of its certificate; and
#: of all that one with another decoding may.
MORE_FLIPS = 0.02
#: Largest difference of a value, relative to the larger of the value and the target's deviation, that a graph
#: with another decoding may have; and, later, any that is not exact and had half of it or less at its export.
MOST_OFF = 0.1


@dataclass(frozen=True)
class Parity:
    """How near a graph's answers are to those of the trained network: a certificate.

    Attributes:
        rows: Rows compared in batches.
        single_rows: Rows of them compared at batch 1 as well.
        batch_size: Rows that ran together.
        label_flips: Decisions that differ; those at a tie left out.
        ties: Decisions that differ because two probabilities are equal to within `TIE`.
        largest_difference: Of a probability; for regression of a value, relative.
        tolerance: What was allowed; None for a graph of lower precision, which was judged by its score, or
            with another decoding, which was judged by its decisions.
        metric: The metric that judges both.
        score_trained: Of the trained network on these rows; None where they do not define it.
        score_exported: Of the graph on the same rows.
    """

    rows: int
    single_rows: int
    batch_size: int
    label_flips: int
    ties: int
    largest_difference: float
    tolerance: float | None
    metric: str
    score_trained: float | None = None
    score_exported: float | None = None

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return asdict(self)


class Answering(Protocol):
    """What can be compared: the graph of a bundle, or another one."""

    @property
    def task(self) -> Task:
        """What is predicted."""

    def decode(self, items: Sequence[Item]) -> list[Example]:
        """Raw inputs as `run` takes them."""

    def run(self, examples: Sequence[Example], batch_size: int) -> tuple[Array, Array]:
        """Probabilities (N, K) or values (N,), and features (N, F)."""


def prove(
    predictor: Answering,
    answers: Answers,
    items: Sequence[Item],
    names: Sequence[str],
    targets: Array | None = None,
    *,
    exact: bool = True,
    together: int = _BATCH_SIZE,
) -> Parity:
    """Compare a bundle with the network that it was exported from, from raw input to label.

    Args:
        predictor: The opened graph of a bundle.
        answers: The network's answers to the items, in their order.
        items: N raw inputs, at least one.
        names: Their names, for messages.
        targets: True labels or values as `Task` has them, for the scores; None for no scores.
        exact: Whether the answers must be the same; where not, differences are only told.
        together: Rows that run together.

    Returns:
        The figures.

    Raises:
        ParityError: A label or value differs, by how much and where; outputs are not finite.
        DecodeError: An item is unreadable.
    """
    task, expected = predictor.task, answers.outputs
    examples = predictor.decode(items)
    several = predictor.run(examples, together)[0]
    single = several if together == 1 else predictor.run(examples[:_SINGLE_ROWS], 1)[0]
    found = [
        compare(
            task,
            names[: len(outputs)],
            expected[: len(outputs)],
            outputs,
            scale=answers.scale,
            exact=exact,
        )
        for outputs in (several, single)
    ]
    return Parity(
        rows=len(items),
        single_rows=len(single),
        batch_size=together,
        label_flips=max(each.flips for each in found),
        ties=max(each.ties for each in found),
        largest_difference=max(each.largest for each in found),
        tolerance=_tolerance(task) if exact else None,
        metric=task.metric,
        score_trained=_score(task, targets, expected),
        score_exported=_score(task, targets, several),
    )


def check_certified(task: Task, found: Parity, certificate: Certificate, name: str = "the bundle") -> None:
    """Hold a graph that is not exact to its certificate: other processors round otherwise, but not much.

    Args:
        task: What is predicted.
        found: What it does here.
        certificate: What it did at its export, on all rows whose answers are known.
        name: Of the graph, for the message.

    Raises:
        ParityError: Clearly more decisions differ, or more than half of them; values are clearly farther off.
    """
    if task.kind is TaskKind.REGRESSION:
        _check_values(found, certificate, name)
        return
    expected = certificate.label_flips * found.rows / (certificate.rows or found.rows)
    more = max(2, math.ceil(MORE_FLIPS * found.rows))
    allowed = min(math.ceil(expected) + more, max(found.rows // 2, math.floor(expected)))
    if found.label_flips > allowed:
        raise ParityError(
            f"{name} decides otherwise than when it was exported",
            found=f"{found.label_flips} of {found.rows} decisions differ from the trained network's",
            expected=f"at most {allowed}; at the export {certificate.label_flips} "
            + (f"of {certificate.rows} did" if certificate.rows else "did"),
        )


def _check_values(found: Parity, certificate: Certificate, name: str) -> None:
    """At most twice as far off as at the export, or `MOST_OFF`."""
    certified = certificate.largest_difference
    if certified is None:
        return
    allowed = max(2 * certified, MOST_OFF)
    if found.largest_difference > allowed:
        raise ParityError(
            f"{name} gives other values than when it was exported",
            found=f"one is {found.largest_difference:.2g} off those of the trained network",
            expected=f"at most {allowed:.2g}; at the export {certified:.2g}",
        )


@dataclass(frozen=True)
class Difference:
    """How far two sets of outputs lie apart.

    Attributes:
        largest: Largest difference of a probability; for regression of a value, relative.
        flips: Rows that are decided otherwise.
        ties: Further rows that are, because two probabilities are equal to within `TIE`.
    """

    largest: float
    flips: int = 0
    ties: int = 0


def compare(
    task: Task,
    names: Sequence[str],
    expected: Array,
    found: Array,
    *,
    scale: float = 1.0,
    exact: bool = True,
) -> Difference:
    """Compare outputs row by row.

    Args:
        task: What is predicted.
        names: N row names for messages.
        expected: (N, K) probabilities or (N,) values of the trained network.
        found: The same of the bundle.
        scale: Deviation of a regression target; values nearer to 0 are judged by it.
        exact: Whether they must be the same.

    Returns:
        What differs.

    Raises:
        ParityError: They must be the same and differ by more than is allowed; they are not finite.
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
    if exact and largest > tolerance:
        name = names[int(np.argwhere(difference == largest)[0][0])]
        over = _rows_over(difference, tolerance)
        raise ParityError(
            "the bundle's outputs differ from the trained model's",
            found=f"{largest:.2g} for {name} ({over} of {len(names)} rows)",
            expected=f"at most {tolerance:g}",
        )
    wrong, ties, margins = _decided_otherwise(task, expected, found)
    if exact and len(wrong):
        first, margin = names[wrong[0]], margins[wrong[0]]
        raise ParityError(
            "the bundle decides otherwise than the trained model",
            found=f"{len(wrong)} of {len(names)} rows, first {first} (margin {margin:.2g})",
            expected="the same labels on all rows",
        )
    return Difference(largest, len(wrong), ties)


def _score(task: Task, targets: Array | None, outputs: Array) -> float | None:
    """The task's metric; None where the rows do not define it, or its package is not installed."""
    if targets is None:
        return None
    try:
        value = metric(task.metric, task.kind)(targets, outputs)
    except ModuleNotFoundError:
        return None
    return value if math.isfinite(value) else None


def _rows_over(difference: Array, tolerance: float) -> int:
    return int((difference.reshape(len(difference), -1) > tolerance).any(axis=1).sum())


def _tolerance(task: Task) -> float:
    return RELATIVE_TOLERANCE if task.kind is TaskKind.REGRESSION else PROBABILITY_TOLERANCE


def _decided_otherwise(task: Task, expected: Array, found: Array) -> tuple[Array, int, Array]:
    """Rows that are decided otherwise, how many more are at a tie, and by what margin each row is decided."""
    if task.kind is TaskKind.REGRESSION:
        return np.empty(0, np.int64), 0, np.zeros(len(expected))
    if task.kind is TaskKind.MULTILABEL:
        differs = task.decide(expected) != task.decide(found)
        margins = np.where(differs, np.abs(expected - THRESHOLD), 0.0).max(axis=1)
        differing = differs.any(axis=1)
    else:
        rows = np.arange(len(expected))
        differing = expected.argmax(axis=1) != found.argmax(axis=1)
        margins = expected.max(axis=1) - expected[rows, found.argmax(axis=1)]
    wrong = np.flatnonzero(differing & (margins > TIE))
    return wrong, int(differing.sum()) - len(wrong), margins
