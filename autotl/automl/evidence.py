"""`Evidence`: what the validation rows say of the trials of a run, and of what was combined from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from autotl.config import TrialResult
from autotl.leaderboard.interval import Interval, bootstrap_interval
from autotl.leaderboard.paired import paired_gain
from autotl.leaderboard.selection import is_candidate
from autotl.task import metric
from autotl.trial.cross_validation import (
    FEW_ROWS,
    REPEATS,
    cross_validation_splits,
    gain_of_rows,
    held_out_predictions,
)
from autotl.trial.runner import TrialRunner

Array = NDArray[Any]
#: Trials, the best ones, that are cross-validated beside the default recipe.
_CROSS_VALIDATED = 8


class Evidence:
    """Predictions of trials on rows that they were not fitted on, and comparisons of them.

    Two trials that were both cross-validated are compared on all training and validation rows, any others on
    the validation part: always on the same rows, and each by a model that had not seen them.

    Args:
        runner: Where the trials ran.
        seed: Seed of folds and of the bootstrap.
    """

    def __init__(self, runner: TrialRunner, seed: int) -> None:
        self._runner, self._seed = runner, seed
        task = runner.dataset.task
        self.metric = metric(task.metric, task.kind)
        self._validation: dict[int, Array] = {}
        self._crossed: dict[int, Array] = {}

    def raw_outputs(self, result: TrialResult) -> Array:
        """Raw outputs (V, K) that a trial left for the validation rows."""
        path = self._runner.folder.trial(result.number) / "validation.npy"
        return np.asarray(np.load(path, allow_pickle=False))

    def add(self, result: TrialResult, validation: Array, crossed: Array | None) -> None:
        """Take in predictions of what no trial left: on validation rows, and cross-validated if there are."""
        self._validation[result.number] = validation
        if crossed is not None:
            self._crossed[result.number] = crossed

    def cross_validate(self, results: Sequence[TrialResult], until: float) -> list[TrialResult]:
        """Where rows are few, cross-validate the best trials that fit in one step, and the default recipe.

        Args:
            results: All trials.
            until: Time (`time.monotonic`) after which no fit is begun.

        Returns:
            The trials; those that were cross-validated have the fact "cross_validated", a score.
        """
        results = [result.without_fact("cross_validated") for result in results]
        if len(self._runner.splits.train_and_val) >= FEW_ROWS:
            return results
        heads = [r for r in results if is_candidate(r) and r.config.fits_in_one_step]
        heads.sort(key=lambda r: (-(r.score or 0.0), r.number))
        default = [r for r in heads[1:] if r.number == 0]  # early, since all gains are over it
        others = [r for r in heads[1:] if r.number != 0]
        heads = [*heads[:1], *default, *others[: _CROSS_VALIDATED - 1]]
        repeats = cross_validation_splits(self._runner, self._seed)
        if not all(repeats):  # all rows must stay together
            return results
        found: dict[int, float] = {}
        for result in heads:
            predictions = held_out_predictions(self._runner, result, repeats, until)
            if predictions is None:
                break
            self._crossed[result.number] = predictions
            found[result.number] = self.crossed_score(predictions)
        return [r.with_facts(cross_validated=found[r.number]) if r.number in found else r for r in results]

    def crossed_score(self, predictions: Array) -> float:
        """The score of predictions in cross-validation."""
        return self.metric.score(self._targets(crossed=True), predictions)

    def shared(self, results: Sequence[TrialResult]) -> tuple[Array, list[Array], int]:
        """Rows that all of some trials can be compared on.

        Returns:
            Targets (N, ...), for each trial its predictions (N, ...), and how often the rows are repeated.
        """
        crossed = self.are_crossed(results)
        predictions = [self._crossed[r.number] if crossed else self.validation(r) for r in results]
        return self._targets(crossed=crossed), predictions, REPEATS if crossed else 1

    def are_crossed(self, results: Sequence[TrialResult]) -> bool:
        """Whether all of some trials were cross-validated."""
        return all(result.number in self._crossed for result in results)

    def validation(self, result: TrialResult) -> Array:
        """Predictions on the validation rows."""
        if result.number not in self._validation:
            bench = self._runner.benches.any_of(result.config)
            raw = torch.from_numpy(self.raw_outputs(result))
            self._validation[result.number] = bench.predictions(raw)
        return self._validation[result.number]

    def interval(self, result: TrialResult) -> Interval:
        """The score of a trial on the validation part."""
        targets = self._targets(crossed=False)
        return bootstrap_interval(self.metric, targets, self.validation(result), seed=self._seed)

    def gain(self, result: TrialResult, reference: TrialResult) -> Interval:
        """How much a trial gains over another, positive where it is better."""
        targets, (own, other), copies = self.shared([result, reference])
        return paired_gain(self.metric, targets, own, other, copies=copies, seed=self._seed)

    def gain_of_rows(self, result: TrialResult, until: float) -> float:
        """What a trial is expected to gain by a final fit on the validation rows too; 0 where unknown."""
        if not (result.config.fits_in_one_step and "refit" in result.facts):
            return 0.0
        return gain_of_rows(self._runner, result, self._seed, until)

    def _targets(self, *, crossed: bool) -> Array:
        targets, splits = self._runner.dataset.targets, self._runner.splits
        if not crossed:
            return targets[splits.val]
        rows = targets[splits.train_and_val]
        return np.tile(rows, (REPEATS, *[1] * (rows.ndim - 1)))
