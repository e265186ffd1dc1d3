"""Which arrays describe held-out rows, and of which shapes: those that `reference` writes and reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from autotl.serve.monitoring.embedding import MOST_DIMENSIONS
from autotl.task import Task, TaskKind

Array = NDArray[Any]

#: Axes of each array, a letter each: F features, P coordinates, A principal axes, D distances, C certainties,
#: V values, K classes, M rows that are kept.
_AXES = {
    **{"mean": "F", "scale": "F", "axes": "PA", "variances": "A"},
    **{"distances": "D", "certainties": "C", "values": "V"},
    **{"predicted": "K", "true": "K", "confusion": "KK"},
    **{"rows": "MP", "row_classes": "M", "row_distances": "M"},
}
_WHOLE_NUMBERS = ("predicted", "true", "confusion", "row_classes")
_ALWAYS = ("mean", "scale", "axes", "variances", "distances")
_OF_ROWS = ("rows", "row_classes", "row_distances")


def fault(arrays: Mapping[str, Array], task: Task) -> str | None:
    """What is wrong with arrays that are said to describe rows of a task, in words; None where nothing is."""
    of_task = ("values",) if task.kind is TaskKind.REGRESSION else ("certainties", "predicted")
    of_rows = _OF_ROWS if "rows" in arrays else ()
    for name in (*_ALWAYS, *of_task, *of_rows):
        if name not in arrays:
            return f"no array {name!r}"
    edges = {"P": min(arrays["mean"].size, MOST_DIMENSIONS), "K": task.outputs}
    for name, array in arrays.items():
        axes = _AXES.get(name, "")
        kinds = "iu" if name in _WHOLE_NUMBERS else "f"
        fits = array.dtype.kind in kinds and array.ndim == len(axes) > 0 and array.size > 0
        pairs = zip(axes, array.shape, strict=False)
        if not fits or any(edges.setdefault(axis, length) != length for axis, length in pairs):
            return f"{name[:40]!r} of shape {array.shape} and type {array.dtype}"
    return None
