"""One prediction in words, the same on the command line and over HTTP."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from autotl.task import Task, TaskKind

Answer = dict[str, Any]
#: Digits of a probability after the point.
_DIGITS = 6


def describe(task: Task, output: NDArray[Any], *, probabilities: bool) -> Answer:
    """Say what an output means.

    Args:
        task: What is predicted.
        output: Probabilities (K,), or a value ().
        probabilities: Whether to list those of all classes.

    Returns:
        {"label", "confidence"} for classes, {"labels"} for labels, {"value"} for values, and "probabilities"
        by class where asked for and defined.
    """
    if task.kind is TaskKind.REGRESSION:
        return {"value": float(output)}
    answer: Answer
    if task.kind is TaskKind.MULTILABEL:
        answer = {"labels": [task.classes[k] for k in task.decide(output[None])[0].nonzero()[0]]}
    else:
        best = int(task.decide(output[None])[0])
        answer = {"label": task.classes[best], "confidence": round(float(output[best]), _DIGITS)}
    if probabilities:
        pairs = zip(task.classes, output, strict=True)
        answer["probabilities"] = {name: round(float(p), _DIGITS) for name, p in pairs}
    return answer
