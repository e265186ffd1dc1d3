"""Which choices of a search moved the score: permutation importance on a forest fitted to its trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.config import TrialResult
from autotl.report.recorded import number, plain

Array = NDArray[Any]
#: Trials below which nothing is said, and the share of the variance that a forest must explain out of bag.
_FEWEST_TRIALS, _LEAST_EXPLAINED = 10, 0.1
_TREES, _SHUFFLES = 200, 10
#: A parameter whose values span more than this ratio is one of magnitudes.
_MAGNITUDES = 50.0
#: What stands for a parameter that a trial does not have.
_ABSENT = -1e3


@dataclass(frozen=True)
class Importance:
    """How much of the differences among trials each choice accounts for.

    Attributes:
        names: Choices, the most important first.
        shares: (P,) rise of the squared error when a choice is shuffled, as a share of the sum of all.
        explained: Share of the variance of scores that the forest explains on trials left out.
        trials: Trials that it was fitted to.
    """

    names: tuple[str, ...]
    shares: Array
    explained: float
    trials: int


def importance(results: Sequence[TrialResult]) -> Importance | None:
    """Permutation importance (Breiman 2001) of backbone, strategy and every parameter.

    A parameter that only some trials have counts as absent in the others, so that what it gives is told apart
    from what its strategy gives.

    Args:
        results: Trials; those without a score are left out.

    Returns:
        None where trials are too few, all alike, or a forest cannot tell which will be better.
    """
    scored = [result for result in results if number(result.score) is not None]
    scores = np.array([result.score for result in scored], dtype=np.float64)
    if len(scored) < _FEWEST_TRIALS or not np.ptp(scores) > 0:
        return None
    columns = _columns([_choices(result) for result in scored])
    if not columns:
        return None
    try:
        from sklearn.ensemble import RandomForestRegressor
    except ImportError:
        return None
    # Ranks: one trial that came to nothing should not be all that is explained.
    ranks = scores.argsort().argsort().astype(np.float64)
    table = np.concatenate(list(columns.values()), axis=1)
    forest = RandomForestRegressor(_TREES, min_samples_leaf=2, oob_score=True, random_state=0)
    explained = float(forest.fit(table, ranks).oob_score_)
    if not explained >= _LEAST_EXPLAINED:
        return None
    rises = _rises(forest, columns, ranks)
    order = np.argsort(-rises, kind="stable")
    shares = rises[order] / max(float(rises.sum()), np.finfo(float).tiny)
    names = list(columns)
    return Importance(tuple(names[i] for i in order.tolist()), shares, explained, len(scored))


def _choices(result: TrialResult) -> Mapping[str, Any]:
    """All that was chosen for a trial, by name."""
    return {
        "backbone": result.config.backbone,
        "strategy": result.config.strategy,
        **{plain(name): value for name, value in result.config.params.items()},
    }


def _columns(trials: Sequence[Mapping[str, Any]]) -> dict[str, Array]:
    """(N, W) columns of each choice that differs among N trials."""
    names = dict.fromkeys(name for trial in trials for name in trial)
    found = {name: _column([trial.get(name) for trial in trials]) for name in names}
    return {name: column for name, column in found.items() if np.ptp(column, axis=0).any()}


def _column(values: Sequence[Any]) -> Array:
    """A number a trial, its logarithm where magnitudes differ, or an indicator of each value."""
    numbers = [number(value) for value in values]
    known = [found for found in numbers if found is not None]
    if known and len(known) == sum(value is not None for value in values):
        positive = min(known) > 0 and max(known) / min(known) > _MAGNITUDES
        scaled = [_ABSENT if found is None else (np.log10(found) if positive else found) for found in numbers]
        return np.asarray(scaled, dtype=np.float64).reshape(-1, 1)
    said = np.array([plain(value) for value in values])
    return np.asarray(said[:, None] == np.unique(said)[None], dtype=np.float64)


def _rises(forest: Any, columns: Mapping[str, Array], scores: Array) -> Array:
    """(P,) mean rise of the squared error when the columns of one choice are shuffled among the trials."""
    generator = np.random.default_rng(0)
    tables = list(columns.values())
    before = float(((forest.predict(np.concatenate(tables, axis=1)) - scores) ** 2).mean())
    rises = np.zeros(len(tables))
    for place, table in enumerate(tables):
        orders = [generator.permutation(len(scores)) for _ in range(_SHUFFLES)]
        shuffled = np.concatenate([_with(tables, place, table[order]) for order in orders])
        errors = (forest.predict(shuffled) - np.tile(scores, _SHUFFLES)) ** 2
        rises[place] = max(float(errors.mean()) - before, 0.0)
    return rises


def _with(tables: Sequence[Array], place: int, other: Array) -> Array:
    return np.concatenate([*tables[:place], other, *tables[place + 1 :]], axis=1)
