"""Rows that the winner was fitted on, as the delivered bundle sees them: `examples.npz` of a run folder.

`autotl explain` shows the nearest of them beside an input. They are made at the end, in time that is left.
"""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.automl.delivery import Delivery
from autotl.config import TrialConfig, TrialResult
from autotl.data.stratify import spread
from autotl.serve.explain.neighbours import FILE, Examples
from autotl.serve.predictor import Predictor

Array = NDArray[Any]

#: Rows at most, and how many run together between two looks at the clock.
MOST_ROWS = 1000
_TOGETHER = 32
#: Rows whose features must be those of the bundle before others are taken over, and how near they must be.
_COMPARED, _LEAST_COSINE = 8, 0.999


def write_examples(
    delivery: Delivery, predictor: Predictor, winner: TrialResult, *, seed: int, until: float
) -> int:
    """Write the rows of all classes alike, or as many of them as time allows; gives how many.

    What is there from an earlier end of the run is replaced, and removed where nothing can be written.

    Args:
        delivery: Holds data, splits and features.
        predictor: The delivered bundle.
        winner: What it was made of.
        seed: Of the choice of rows.
        until: Time (`time.monotonic`) after which no more rows are run.
    """
    runner = delivery.runner
    dataset, splits, folder = runner.dataset, runner.splits, runner.folder
    rows = spread(dataset.targets, splits.train_and_val, MOST_ROWS, seed)
    rows = np.random.default_rng(seed).permutation(rows)
    features = np.empty((0, 0), np.float32)
    if time.monotonic() < until:
        known = _known_features(delivery, predictor, winner, rows)
        features = _features(delivery, predictor, rows, until) if known is None else known
    rows = rows[: len(features)]
    if not len(rows):
        (folder.path / FILE).unlink(missing_ok=True)
        return 0
    parts = np.where(np.isin(rows, splits.val), "val", "train")
    names = np.array(dataset.take(rows).names)
    found = Examples.of(predictor.bundle, names, parts, dataset.targets[rows], features)
    folder.write_arrays(FILE, **found.arrays())
    return len(rows)


def _features(delivery: Delivery, predictor: Predictor, rows: Array, until: float) -> Array:
    """Features of the first rows (n, F), as many as the time lasts."""
    dataset, parts = delivery.runner.dataset, []
    began, done = time.monotonic(), 0
    while done < len(rows):
        now = time.monotonic()
        next_seconds = (now - began) / done * _TOGETHER if done else 0.0
        if now + next_seconds > until:
            break
        chunk = rows[done : done + _TOGETHER]
        parts.append(predictor.embed(dataset.take(chunk).items))
        done += len(chunk)
    return np.concatenate(parts) if parts else np.empty((0, 0), np.float32)


def _known_features(
    delivery: Delivery, predictor: Predictor, winner: TrialResult, rows: Array
) -> Array | None:
    """Features that a search over frozen ones has left, where they are those of the bundle; else None."""
    members = delivery.combinations.members(winner)
    if len(members) > 1 or not members[0].config.fits_in_one_step or "refit" not in members[0].facts:
        return None
    config = TrialConfig.from_json(members[0].facts["refit"])
    frozen = delivery.runner.bench(config).frozen
    depths = [int(depth) for depth in str(config.get("depths", "")).split(",") if depth.isdigit()]
    if not depths or frozen.missing(rows):
        return None
    known = frozen.pooled(rows, depths)
    few = predictor.embed(delivery.runner.dataset.take(rows[:_COMPARED]).items)
    if few.shape[1] != known.shape[1]:
        return None
    lengths = np.linalg.norm(few, axis=1) * np.linalg.norm(known[: len(few)], axis=1)
    cosines = (few * known[: len(few)]).sum(axis=1) / np.maximum(lengths, math.ulp(0.0))
    return known if bool((cosines >= _LEAST_COSINE).all()) else None
