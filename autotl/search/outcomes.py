"""Judgements on finished trials that every engine shares."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from autotl.config import TrialResult, TrialState
from autotl.errors import SearchError

_ALIKE = 3


def best_score(results: Iterable[TrialResult]) -> float | None:
    """The best score of all, None where no trial has one."""
    return max((r.score for r in results if r.score is not None), default=None)


def sound(result: TrialResult) -> TrialResult:
    """The result; turned into a failure where it claims success without a finite score."""
    if result.state is TrialState.FAILED:
        return replace(result, score=None) if result.score is not None else result
    if result.score is not None and math.isfinite(result.score):
        return result
    error = result.error or f"NonFiniteError: the trial ended with the score {result.score}"
    return replace(result, state=TrialState.FAILED, score=None, error=error)


def first_failures_alike(fresh: Sequence[TrialResult], best: float | None) -> SearchError | None:
    """The error that ends a search whose first three trials all failed with the same first line.

    Args:
        fresh: Results of this process in the order in which they came.
        best: The best score so far, earlier processes included.
    """
    first = fresh[:_ALIKE]
    if len(first) < _ALIKE or best is not None or any(r.state is not TrialState.FAILED for r in first):
        return None
    causes = {(r.error or "").partition("\n")[0] for r in first}
    if len(causes) > 1:
        return None
    return SearchError(
        f"the first {_ALIKE} trials failed alike",
        found=causes.pop(),
        hint="Remove the cause, then continue with --resume.",
    )
