"""Suspect labels: rows whose label hardly ever goes with what their features say.

As in confident learning (Northcutt et al. 2021), labels are judged by outputs of heads that were not fitted
on the row, and the share of wrong labels is read off the outputs that are surest. What an output is worth is
measured: among all pairs of a row and a class, those of like output tell how often the class is the label.
Where outputs are lowest only wrong labels are left, which gives the floor; a label is doubted where the floor
makes up at least half of its rate. Hard rows of clean data, whose labels are not that rare, stay out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.audit.held_out import kernel_outputs, probabilities
from autotl.task import TaskKind

Array = NDArray[Any]

#: Rows are suspects from this probability of being mislabelled on.
SURE = 0.5
#: Share of the pairs of row and wrong class that the floor is read off: of many classes, less for each fewer.
_FLOOR_SHARE, _LESS = 0.5, 0.6
#: Pairs that a floor needs at least, and wrong labels among them: one or two may be anything.
_LEAST_PAIRS, _LEAST_WRONG = 50, 2
#: A class or label needs so many rows to be told from the others.
_LEAST_ROWS = 5
#: A value is a suspect where it is off by so many times the usual error.
_FAR_ERRORS = 5.0
#: Share of the variance that held-out values must explain before errors say anything of the labels.
_LEAST_EXPLAINED = 0.2


@dataclass(frozen=True)
class Suspect:
    """A row whose label is doubted.

    Attributes:
        row: Its number.
        column: The class that it looks like; of several labels, the one in question; 0 of values.
        sureness: Probability that the label is wrong; of values, how many usual errors it is off.
        value: The value that was expected, where targets are values.
    """

    row: int
    column: int
    sureness: float
    value: float = 0.0


def suspects(unit: Array, targets: Array, kind: TaskKind, units: Array) -> list[Suspect]:
    """Rows with doubtful labels, the surest first.

    Args:
        unit: (N, F) features of length 1, as of `directions`.
        targets: As `Dataset.targets`.
        kind: Kind of task.
        units: (N,) int64; copies of a row share its unit.
    """
    if len(unit) < 4 * _LEAST_ROWS:
        return []
    if kind is TaskKind.REGRESSION:
        found = _of_values(unit, targets, units)
    elif kind is TaskKind.MULTILABEL:
        found = _of_labels(unit, targets, units)
    else:
        found = _of_classes(unit, targets, units)
    return sorted(found, key=lambda suspect: (-suspect.sureness, suspect.row))


def mislabelled(outputs: Array, given: Array, floor_pairs: int) -> Array:
    """Probability that what is given is wrong, for every pair of a row and a class.

    Args:
        outputs: (P,) what was said of each pair, in any unit.
        given: (P,) bool, whether the class is the label of the row.
        floor_pairs: How many pairs, those of the lowest outputs, are all wrong.

    Returns:
        (P,) float64: the rate of labels among those pairs, as a share of the rate among pairs of like output.
    """
    from sklearn.isotonic import isotonic_regression

    order = np.argsort(outputs, kind="stable")
    labels = given[order].astype(np.float64)
    wrong = int(labels[:floor_pairs].sum())
    if floor_pairs < _LEAST_PAIRS or wrong < _LEAST_WRONG:
        return np.zeros(len(outputs))
    found = np.empty(len(outputs))
    found[order] = (wrong / floor_pairs / _smooth(isotonic_regression(labels)).clip(1e-12)).clip(0.0, 1.0)
    return found


def _smooth(steps: Array) -> Array:
    """A monotone step function (N,) with straight lines between the middles of its steps."""
    starts = np.concatenate([[0], np.flatnonzero(np.diff(steps)) + 1])
    ends = np.concatenate([starts[1:], [len(steps)]])
    return np.asarray(np.interp(np.arange(len(steps)), (starts + ends - 1) / 2, steps[starts]))


def _of_classes(unit: Array, targets: Array, units: Array) -> list[Suspect]:
    classes, codes, counts = np.unique(targets, return_inverse=True, return_counts=True)
    if len(classes) < 2:
        return []
    given = codes[:, None] == np.arange(len(classes))
    columns = given.astype(np.float64)
    said = probabilities(kernel_outputs(unit, columns, units), columns)
    share = (_FLOOR_SHARE - _LESS / len(classes)) * (1.0 - 1.0 / len(classes))
    sure = mislabelled(said.ravel(), given.ravel(), int(share * said.size)).reshape(said.shape)[given]
    predicted = said.argmax(axis=1)
    doubted = (predicted != codes) & (sure >= SURE) & (counts[predicted] >= _LEAST_ROWS)
    return [Suspect(int(i), int(classes[predicted[i]]), float(sure[i])) for i in np.flatnonzero(doubted)]


def _of_labels(unit: Array, targets: Array, units: Array) -> list[Suspect]:
    """Labels that rows lack but seem to bear, and the other way round; all labels judged together."""
    bears = targets > 0
    known = np.flatnonzero(np.minimum(bears.sum(axis=0), (~bears).sum(axis=0)) >= _LEAST_ROWS)
    if not len(known):
        return []
    given = bears[:, known]
    outputs = kernel_outputs(unit, given.astype(np.float64), units)
    found = []
    for side in (True, False):
        said, is_side = (outputs, given) if side else (1.0 - outputs, ~given)
        wrong_side = int((said < 0.5).sum())
        share = (_FLOOR_SHARE - _LESS / 2) * wrong_side
        sure = mislabelled(said.ravel(), is_side.ravel(), int(share)).reshape(said.shape)
        for row, place in np.argwhere(is_side & (said < 0.5) & (sure >= SURE)):
            found.append(Suspect(int(row), int(known[place]), float(sure[row, place])))
    return found


def _of_values(unit: Array, targets: Array, units: Array) -> list[Suspect]:
    """Values far from what the other rows let expect, in usual errors (1.48 times their median)."""
    values = np.asarray(targets, np.float64)
    scale = float(values.std()) or 1.0
    expected = kernel_outputs(unit, values[:, None] / scale, units)[:, 0] * scale
    errors = np.abs(values - expected)
    usual = 1.4826 * float(np.median(errors))
    explained = 1.0 - float(np.square(errors).mean()) / max(float(values.var()), 1e-12)
    if usual <= 0 or explained < _LEAST_EXPLAINED:
        return []
    off = errors / usual
    return [Suspect(int(i), 0, float(off[i]), float(expected[i])) for i in np.flatnonzero(off >= _FAR_ERRORS)]
