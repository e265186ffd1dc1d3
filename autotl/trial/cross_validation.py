"""Repeated cross-validation of trials on cached features, for data where one validation part says too little.

Only strategies that fit in one step on fixed features: the fits cost little, and stopping on the rows that
judge does not flatter them.
"""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.config import TrialConfig, TrialResult
from autotl.data.dataset import Splits
from autotl.data.folds import folds
from autotl.strategies.registry import strategy
from autotl.trial.runner import TrialRunner

Array = NDArray[Any]
#: Training and validation rows from which one validation part is enough.
FEW_ROWS = 1000
#: Folds of one repeat, and repeats with other folds (Kohavi 1995).
FOLDS, REPEATS = 5, 3


def cross_validation_splits(runner: TrialRunner, seed: int) -> tuple[tuple[Splits, ...], ...]:
    """Folds of the training and validation rows, a tuple a repeat; the same for all trials of a run."""
    rows = runner.splits.train_and_val
    repeats = range(seed, seed + REPEATS)
    return tuple(tuple(folds(runner.dataset, rows, count=FOLDS, seed=s)) for s in repeats)


def held_out_predictions(
    runner: TrialRunner, result: TrialResult, repeats: tuple[tuple[Splits, ...], ...], until: float
) -> Array | None:
    """Predictions of a trial's configuration for rows that it was not fitted on.

    Depths and penalty are those that the trial chose.

    Args:
        runner: Where the trial ran.
        result: A finished trial whose configuration fits in one step.
        repeats: What `cross_validation_splits` gave.
        until: Time (`time.monotonic`) after which no fit is begun.

    Returns:
        Probabilities (R * N, K) or values (R * N,) of the training and validation rows, ascending, once a
        repeat; None where the time was too short.
    """
    config = TrialConfig.from_json(result.facts["refit"])
    bench, parts = runner.bench(config), []
    for splits in repeats:
        outputs = []
        for part in splits:
            if time.monotonic() > until:
                return None
            fold = replace(bench, splits=part)
            run = strategy(config.strategy).start(fold, config)
            run.step()
            outputs.append(fold.predictions(run.validation_outputs()))
        order = np.argsort(np.concatenate([part.val for part in splits]))
        parts.append(np.concatenate(outputs)[order])
    return np.concatenate(parts)


def gain_of_rows(runner: TrialRunner, result: TrialResult, seed: int, until: float) -> float:
    """What a final fit on the validation rows too is expected to gain, as the training rows tell.

    The head is fitted on such a share of the training rows as they are of the rows of the final fit: a
    learning curve is about straight in the logarithm of the rows (Figueroa et al. 2012), so that the gain
    from there to all training rows is the one expected beyond them.

    Args:
        runner: Where the trial ran.
        result: A finished trial whose configuration fits in one step.
        seed: Which rows are left out.
        until: Time (`time.monotonic`) after which no fit is begun.

    Returns:
        In units of the score, the mean of a few fits; 0 where none had time, or more rows were no gain.
    """
    config = TrialConfig.from_json(result.facts["refit"])
    bench = runner.bench(config)
    train, val = bench.splits.train, bench.splits.val
    parts = round(len(bench.splits.train_and_val) / max(1, len(val)))
    if result.score is None or not 2 <= parts <= len(train):
        return 0.0
    scores: list[float] = []
    for fold in islice(folds(runner.dataset, train, count=parts, seed=seed), REPEATS):
        if time.monotonic() > until:
            break
        fewer = replace(bench, splits=Splits(fold.train, val, bench.splits.test))
        scores.append(strategy(config.strategy).start(fewer, config).step().score)
    return max(0.0, result.score - float(np.mean(scores))) if scores else 0.0
