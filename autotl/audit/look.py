"""`look`: everything that an audit by features looks for, one after the other, while there is time."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from autotl.audit.copies import Copies, picture_copies, text_copies
from autotl.audit.labels import Suspect, suspects
from autotl.audit.leaks.attributes import attribute_leaks
from autotl.audit.leaks.leak import Leak
from autotl.audit.leaks.regions import region_leaks
from autotl.audit.leaks.tokens import token_leaks
from autotl.audit.neighbours import directions, standardised
from autotl.audit.outliers import Outlier, outliers
from autotl.audit.rows import Found, Rows

Array = NDArray[Any]

#: What is looked for, in this order.
CHECKS = ("copies", "suspect labels", "outliers", "leaks")


def look(rows: Rows, until: float = math.inf) -> Found:
    """Look for copies, suspect labels, outliers and leaks.

    Copies come first, because rows that were copied must not vouch for one another's labels.

    Args:
        rows: What to look at.
        until: Time (`time.monotonic`) after which nothing more is begun.
    """
    from threadpoolctl import threadpool_limits

    unit, skipped = directions(rows.features), list[str]()

    def in_time(what: str) -> bool:
        if time.monotonic() >= until:
            skipped.append(what)
        return what not in skipped

    with threadpool_limits(1):  # many small products: threads would wait for one another
        copies = _copies(rows, unit) if in_time("copies") else None
    if copies is not None:
        rows = replace(rows, units=copies.united(rows.units))
    doubted = _suspects(rows, unit) if in_time("suspect labels") else []
    far = _outliers(rows, unit, doubted) if in_time("outliers") else []
    with threadpool_limits(1):
        leaks = _leaks(rows) if in_time("leaks") else []
    return Found(doubted, far, copies, leaks, tuple(skipped))


def _copies(rows: Rows, unit: Array) -> Copies | None:
    if rows.pixels is not None:
        return picture_copies(unit, rows.pixels, rows.units)
    return None if rows.texts is None else text_copies(unit, rows.texts, rows.units)


def _suspects(rows: Rows, unit: Array) -> list[Suspect]:
    judging = unit if rows.judging is None else directions(standardised(rows.judging))
    return suspects(judging, rows.targets, rows.task.kind, rows.units)


def _outliers(rows: Rows, unit: Array, doubted: list[Suspect]) -> list[Outlier]:
    """Outliers, but for those that are far from their class only because their label is doubted."""
    suspect = {one.row for one in doubted}
    found = outliers(unit, rows.units, rows.classes)
    return [one for one in found if not (one.in_class and one.row in suspect)]


def _leaks(rows: Rows) -> list[Leak]:
    indicators = rows.indicators
    found = attribute_leaks(rows.attributes, indicators)
    if rows.pixels is not None:
        found += region_leaks(rows.pixels, indicators, rows.units)
    if rows.texts is not None:
        found += token_leaks(rows.texts, indicators, rows.task.classes)
    return found
