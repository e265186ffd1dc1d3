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

    The head is fitted without one fold of the training rows and without two, and both are judged on the rows
    that neither saw. A learning curve is about straight in the logarithm of the rows (Figueroa et al. 2012),
    so that what the fold brings is, by rows, what the validation rows will bring. The trial's own score takes
    no part: it was the best of many on the validation rows, and a fit on fewer rows would seem to lose what
    is only that choice's luck.

    Args:
        runner: Where the trial ran.
        result: A finished trial whose configuration fits in one step.
        seed: Draws the folds.
        until: Time (`time.monotonic`) after which no pair of fits is begun.

    Returns:
        In units of the score, the mean of a few pairs; 0 where none had time, or more rows were no gain.
    """
    config = TrialConfig.from_json(result.facts["refit"])
    bench = runner.bench(config)
    train, val = bench.splits.train, bench.splits.val
    final = np.log(len(bench.splits.train_and_val) / len(train))

    def score(rows: Array, judges: Array) -> float:
        part = replace(bench, splits=Splits(rows, judges, bench.splits.test))
        return strategy(config.strategy).start(part, config).step().score

    gains: list[float] = []
    parts = list(folds(runner.dataset, train, count=FOLDS, seed=seed))
    for fold, other in islice(zip(parts, parts[1:] + parts[:1], strict=True), REPEATS):
        fewest = np.setdiff1d(fold.train, other.val)
        if time.monotonic() > until or not 0 < len(fewest) < len(fold.train):
            break
        judges = np.union1d(val, fold.val)
        gained = score(fold.train, judges) - score(fewest, judges)
        gains.append(gained * final / np.log(len(fold.train) / len(fewest)))
    return max(0.0, float(np.mean(gains))) if gains else 0.0
