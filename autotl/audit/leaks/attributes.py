"""Attributes of inputs that tell a class: the format, size or colour mode of files, the length of texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.audit.leaks.leak import Leak, auc, auc_error

Array = NDArray[Any]
Attributes = Mapping[str, str | float]

#: How well an attribute must tell a class: by order (AUC, less its standard error), or by one value (share of
#: the class that has it, and share of those who have it that are of the class).
ALMOST_PERFECT, _ONE_VALUE = 0.97, 0.95
_LEAST_ROWS = 15
#: Values that are looked at one by one.
_MOST_VALUES = 20


def attribute_leaks(attributes: Sequence[Attributes], indicators: Array) -> list[Leak]:
    """Attributes that tell a class, the best one of each.

    Args:
        attributes: N mappings with the same names; values are words or numbers.
        indicators: (N, K) bool, classes or labels.
    """
    found: dict[int, Leak] = {}
    for name in attributes[0] if len(attributes) else ():
        values = [row.get(name) for row in attributes]
        for leak in (*_by_value(name, values, indicators), *_by_order(name, values, indicators)):
            if leak.column not in found or leak.strength > found[leak.column].strength:
                found[leak.column] = leak
    return [found[column] for column in sorted(found)]


def _classes(indicators: Array) -> Array:
    return np.flatnonzero(np.minimum(indicators.sum(axis=0), (~indicators).sum(axis=0)) >= _LEAST_ROWS)


def _by_value(name: str, values: Sequence[Any], indicators: Array) -> list[Leak]:
    """Values that nearly all rows of one class have, and hardly any other."""
    words = np.array([_word(value) for value in values])
    known, counts = np.unique(words, return_counts=True)
    frequent = known[np.argsort(-counts, kind="stable")][:_MOST_VALUES]
    if len(known) < 2:
        return []
    found = []
    for value in frequent:
        has = words == value
        for column in _classes(indicators):
            inside = indicators[:, column]
            both = int((has & inside).sum())
            of_class, of_value = both / max(int(inside.sum()), 1), both / max(int(has.sum()), 1)
            if min(of_class, of_value) >= _ONE_VALUE:
                measure = f"{of_class:.0%} of its rows, {1 - of_value:.0%} of them other rows"
                found.append(
                    _leak(int(column), f"the {name} {value}", min(of_class, of_value), measure, has & inside)
                )
    return found


def _by_order(name: str, values: Sequence[Any], indicators: Array) -> list[Leak]:
    """Numbers that are larger, or smaller, in one class than elsewhere."""
    if not all(isinstance(value, (int, float)) for value in values):
        return []
    numbers = np.array(values, np.float64)
    found = []
    classes = _classes(indicators)
    told = auc(np.repeat(numbers[:, None], len(classes), axis=1), indicators[:, classes])
    for column, value in zip(classes, told, strict=True):
        strength = max(float(value), 1 - float(value))
        inside = indicators[:, column]
        if strength - auc_error(strength, int(inside.sum()), int((~inside).sum())) >= ALMOST_PERFECT:
            extent = "large" if value > 0.5 else "small"
            found.append(_leak(int(column), f"a {extent} {name}", strength, f"AUC {strength:.2f}", inside))
    return found


def _leak(column: int, what: str, strength: float, measure: str, rows: Array) -> Leak:
    remedy = "bring all rows to the same form"
    return Leak("attribute", column, what, strength, measure, remedy, np.flatnonzero(rows))


def _word(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
