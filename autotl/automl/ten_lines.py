"""The ten lines that anybody would write, on the test part: trial 0, which what wins has to beat.

Frozen features of the default backbone under a linear head. The head is there; features of the test rows are
those that the delivered model has just computed, where it stands on the same frozen network, or cost a pass.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from autotl.automl.delivery import Delivery, SeenRows
from autotl.config import TrialResult
from autotl.leaderboard.interval import Interval
from autotl.leaderboard.paired import paired_gain
from autotl.serve.predictor import Predictor
from autotl.task import metric

Array = NDArray[Any]

#: Rows whose features must be those of the bundle before others are taken over, and how near they must be.
_COMPARED, _LEAST_COSINE = 8, 0.999


@dataclass(frozen=True)
class TenLines:
    """The baseline on the test part.

    Attributes:
        score: In the metric's own direction.
        gain: What the winner gains over it on the same rows, positive is better, by paired bootstrap.
    """

    score: float
    gain: Interval

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary, for the record of the test part."""
        bounds = {"value": self.gain.value, "low": self.gain.low, "high": self.gain.high}
        return {"ten_lines": self.score, "gain_over_ten_lines": bounds}


def default_recipe(results: Sequence[TrialResult], winner: TrialResult) -> TrialResult | None:
    """Trial 0, where it has a head to compare with; None where it has none, or is the winner itself."""
    default = next((result for result in results if result.number == 0), None)
    if default is None or default.score is None or default.left_out is not None:
        return None
    if winner.number == default.number:
        return None
    return default if default.config.fits_in_one_step and "refit" in default.facts else None


def ten_lines_seconds(delivery: Delivery, winner: TrialResult, default: TrialResult, *, refit: bool) -> float:
    """Predicted seconds to score it: a pass over the test part, where one is needed, and its final fit."""
    if _stands_on_it(delivery, winner, default):
        return 0.0
    runner = delivery.runner
    seconds = runner.pace.pass_seconds(default.config, runner.splits.test)
    if seconds is None:
        seconds = len(runner.splits.test) * runner.pace.row_seconds()
    return seconds + refit * runner.refit_seconds(default)


def ten_lines(
    delivery: Delivery,
    predictor: Predictor,
    seen: SeenRows,
    winner: TrialResult,
    default: TrialResult,
    *,
    refit: bool,
    until: float,
) -> TenLines | None:
    """Score the baseline on the rows that the winner was scored on.

    Args:
        delivery: Holds data, splits and features.
        predictor: The delivered bundle.
        seen: The test part, as the bundle answered it.
        winner: What the bundle was made of.
        default: Trial 0.
        refit: Whether the winner was fitted again on validation rows too; then the baseline is as well.
        until: Time (`time.monotonic`) by which a pass over the test part must be expected to end.

    Returns:
        None where that would take longer.
    """
    runner, bench = delivery.runner, delivery.runner.bench(default.config)
    last = (bench.backbone.depth,)
    known = _known_features(delivery, predictor, seen, winner, default)
    if known is None:
        seconds = runner.pace.pass_seconds(default.config, seen.rows) or 0.0
        if time.monotonic() + seconds + refit * runner.refit_seconds(default) > until:
            return None
    model = delivery.combinations.model(default, refit=refit)
    features = known
    if features is None or model.depths != last:
        features = bench.frozen.pooled(seen.rows, model.depths)
    with torch.inference_mode():
        outputs = model.outputs(model.head(torch.from_numpy(features))).numpy()
    task, targets = runner.dataset.task, runner.dataset.targets[seen.rows]
    chosen = metric(task.metric, task.kind)
    gain = paired_gain(chosen, targets, seen.outputs, outputs, repeats=1000, seed=bench.seed)
    return TenLines(chosen(targets, outputs), gain)


def _known_features(
    delivery: Delivery, predictor: Predictor, seen: SeenRows, winner: TrialResult, default: TrialResult
) -> Array | None:
    """Features (N, F) of the test rows at the last depth, as the bundle gave them; None where it has others.

    Depths ascend, so those of the last one are the last columns.
    """
    if seen.all_features is None or not _stands_on_it(delivery, winner, default):
        return None
    bench, dataset = delivery.runner.bench(default.config), delivery.runner.dataset
    width = bench.backbone.feature_dim(bench.backbone.depth)
    rows = bench.frozen.cached(delivery.runner.splits.val)[:_COMPARED]
    if not len(rows) or seen.all_features.shape[1] < width:
        return None
    own = bench.frozen.pooled(rows, (bench.backbone.depth,))
    given = predictor.embed(dataset.take(rows).items)[:, -width:]
    lengths = np.linalg.norm(own, axis=1) * np.linalg.norm(given, axis=1)
    cosines = (own * given).sum(axis=1) / np.maximum(lengths, np.finfo(np.float32).tiny)
    return seen.all_features[:, -width:] if bool((cosines >= _LEAST_COSINE).all()) else None


def _stands_on_it(delivery: Delivery, winner: TrialResult, default: TrialResult) -> bool:
    """Whether the winner, or all that it was made of, is a head on the frozen network of trial 0."""
    runner, own = delivery.runner, delivery.runner.bench(default.config)
    members = delivery.combinations.members(winner)
    return all(
        member.config.fits_in_one_step
        and member.config.backbone == default.config.backbone
        and runner.bench(member.config).spec.key == own.spec.key
        for member in members
    )
