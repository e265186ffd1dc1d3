"""What can be made of several trials together: ensembles of heads over one backbone, and averaged weights.

How they are chosen and built is the business of `leaderboard.ensemble`, `training.ensemble` and
`training.soup`.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.automl.evidence import Evidence
from autotl.config import TrialConfig, TrialResult, TrialState
from autotl.errors import RunError
from autotl.leaderboard.calibration import raw_outputs
from autotl.leaderboard.ensemble import SCORINGS_A_CANDIDATE, cross_fitted, greedy_weights, mixed
from autotl.leaderboard.selection import is_candidate
from autotl.training.ensemble import ensemble
from autotl.training.model import TransferModel
from autotl.training.soup import can_average, soup
from autotl.trial.run_folder import RunFolder
from autotl.trial.runner import TrialRunner

Array = NDArray[Any]
Join = Callable[[Sequence[TransferModel], Sequence[float]], TransferModel]
#: How members are joined, by the name that stands in the place of a strategy.
_JOINS: Mapping[str, Join] = {"ensemble": ensemble, "soup": soup}
#: Most heads that an ensemble is chosen from, and most trainings that a soup is.
_HEADS, _TRAININGS = 20, 5
#: Choosing an ensemble may take so long in any case.
_ENSEMBLE_LEAST_SECONDS = 2.0
_FILE = "combinations.json"


@dataclass(frozen=True)
class _Found:
    """A combination: its kind, members and weights, and predictions (V, ...) on the validation rows."""

    kind: str
    weights: Mapping[int, int]
    validation: Array
    crossed: Array | None = None


class Combinations:
    """Combinations of the trials of a run, made from their members again whenever they are needed.

    An ensemble is judged by its selection rule on rows that had no part in the selection: in cross-validation
    where its members were, else on the validation part. A soup is judged by the score of the averaged
    weights, of which only a few are tried.

    Args:
        runner: Where the trials ran.
        evidence: Takes in the predictions of what is found.
        seed: Of the rows that judge a selection.
    """

    def __init__(self, runner: TrialRunner, evidence: Evidence, seed: int) -> None:
        self._runner, self._evidence, self._seed = runner, evidence, seed
        self._trials: dict[int, TrialResult] = {}

    def find(self, results: Sequence[TrialResult], until: float) -> list[TrialResult]:
        """The best ensemble and the best soup, as results numbered after the trials.

        Args:
            results: All trials.
            until: Time (`time.monotonic`) after which no network is run and no metric computed.
        """
        self.know(results)
        found: list[TrialResult] = []
        begun = time.perf_counter()
        for combination in (self._ensemble(results, until), self._soup(results, until)):
            if combination is not None:
                number = max(self._trials) + 1 + len(found)
                found.append(self._record(number, combination, time.perf_counter() - begun))
        self._runner.folder.write_json(_FILE, [result.to_json() for result in found])
        return found

    def know(self, results: Sequence[TrialResult]) -> None:
        """Take the trials of a run that was opened again as what combinations may be made of."""
        self._trials = {result.number: result for result in results}

    def keep(self, results: Sequence[TrialResult]) -> None:
        """Record further results that no trial of the search has left, such as those of distillation."""
        folder = self._runner.folder
        known = recall(folder, list(self._trials.values()))
        folder.write_json(_FILE, [result.to_json() for result in [*known, *results]])

    def winner(self, recorded: Mapping[str, Any]) -> TrialResult:
        """The trial or combination, of trials that are known, that a run records as its winner.

        Raises:
            RunError: There is none.
        """
        trials = list(self._trials.values())
        folder = self._runner.folder
        return recorded_winner(folder, recorded, [*trials, *recall(folder, trials)])

    def members(self, result: TrialResult) -> list[TrialResult]:
        """The trials that a result is made of: of a trial, itself."""
        weights = result.facts.get("members", {result.number: 1})
        return [self._trials.get(int(number), result) for number in weights]

    def model(self, result: TrialResult, *, refit: bool = False) -> TransferModel:
        """The model of a result, as it was trained or `refit` on training and validation rows."""
        make = self._runner.refit if refit else lambda member: self._runner.restore(member).model()
        models = [make(member) for member in self.members(result)]
        if "members" not in result.facts:
            return models[0]
        return _JOINS[result.config.strategy](models, list(result.facts["members"].values()))

    def refit_seconds(self, result: TrialResult) -> float:
        """Predicted seconds to refit all members."""
        return sum(self._runner.refit_seconds(member) for member in self.members(result))

    # --- looking for them ----------------------------------------------------------------------------------

    def _ensemble(self, results: Sequence[TrialResult], until: float) -> _Found | None:
        """Of each group of heads over the same features an ensemble; the best of them."""
        heads = [r for r in results if is_candidate(r) and r.config.fits_in_one_step]
        crossed = [r for r in heads if "cross_validated" in r.facts]
        groups: dict[tuple[str, str], list[TrialResult]] = {}
        for head in sorted(crossed or heads, key=lambda r: -(r.score or 0.0)):
            bench = self._runner.bench(head.config)
            if self._runner.restore(head).model().backbone is bench.backbone:
                groups.setdefault((head.config.backbone, bench.spec.key), []).append(head)
        found = [self._ensemble_of(group, until) for group in groups.values() if len(group) > 1]
        return max(filter(None, found), key=self._judged, default=None)

    def _ensemble_of(self, heads: Sequence[TrialResult], until: float) -> _Found | None:
        evidence = self._evidence
        targets, rows, copies = evidence.shared(heads[:_HEADS])
        heads = heads[: self._affordable(targets, rows[0], until)]
        if len(heads) < 2:
            return None
        predictions = np.stack(rows[: len(heads)])
        weights = greedy_weights(evidence.metric, targets, predictions)
        if np.count_nonzero(weights) < 2:
            return None
        chosen = {head.number: int(w) for head, w in zip(heads, weights, strict=True) if w}
        honest = cross_fitted(evidence.metric, targets, predictions, copies=copies, seed=self._seed)
        if copies == 1:
            return _Found("ensemble", chosen, honest)
        validation = mixed(weights, np.stack([evidence.validation(head) for head in heads]))
        return _Found("ensemble", chosen, validation, honest)

    def _affordable(self, targets: Array, predictions: Array, until: float) -> int:
        """How many heads there is time to choose from, as the metric takes it."""
        if math.isinf(until):
            return _HEADS
        times = []
        for _ in range(2):  # the first may import something
            begun = time.monotonic()
            self._evidence.metric.score(targets, predictions)
            times.append(time.monotonic() - begun)
        seconds = max(_ENSEMBLE_LEAST_SECONDS, until - time.monotonic())
        return int(min(_HEADS, seconds / (SCORINGS_A_CANDIDATE * min(times) + 1e-9)))

    def _soup(self, results: Sequence[TrialResult], until: float) -> _Found | None:
        """The greedy soup of the best trainings: each in turn is kept where the mean is no worse for it."""
        trained = [r for r in results if is_candidate(r) and not r.config.fits_in_one_step]
        if len(trained) < 2:
            return None
        best, *others = sorted(trained, key=lambda r: -(r.score or 0.0))[:_TRAININGS]
        runner, rows = self._runner, self._runner.splits.val
        kept, models = [best.number], [runner.restore(best).model()]
        score, validation = best.score or 0.0, np.empty(0)
        for result in others:
            if time.monotonic() + len(rows) * runner.pace.row_seconds() > until:
                break
            model = runner.restore(result).model()
            if not can_average(models[0], model):
                continue
            predictions = runner.predict(soup([*models, model], [1.0] * (len(models) + 1)), rows)
            mean_score = self._evidence.metric.score(runner.dataset.targets[rows], predictions)
            if mean_score >= score:
                kept, models = [*kept, result.number], [*models, model]
                score, validation = mean_score, predictions
        return _Found("soup", dict.fromkeys(kept, 1), validation) if len(kept) > 1 else None

    def _score(self, found: _Found) -> float:
        runner = self._runner
        return self._evidence.metric.score(runner.dataset.targets[runner.splits.val], found.validation)

    def _judged(self, found: _Found) -> float:
        """The score that ensembles are told apart by."""
        return self._score(found) if found.crossed is None else self._evidence.crossed_score(found.crossed)

    def _record(self, number: int, found: _Found, seconds: float) -> TrialResult:
        """Keep what was found as if it were a trial of that number."""
        first = self._trials[next(iter(found.weights))]
        members = ", ".join(f"{trial} x{weight}" for trial, weight in found.weights.items())
        result = replace(
            first,
            number=number,
            config=TrialConfig(first.config.backbone, found.kind, {"members": members}),
            state=TrialState.COMPLETE,
            score=self._score(found),
            curve=(),
            seconds=seconds,
            error=None,
            facts={
                **{name: first.facts[name] for name in ("macs", "licence")},
                "parameters": max(self._trials[number].facts["parameters"] for number in found.weights),
                "members": {str(trial): weight for trial, weight in found.weights.items()},
            },
        )
        if found.crossed is not None:
            result = result.with_facts(cross_validated=self._evidence.crossed_score(found.crossed))
        self._evidence.add(result, found.validation, found.crossed)
        raw = raw_outputs(found.validation, self._runner.dataset.task.kind)
        self._runner.folder.write_outputs(number, raw)
        return result


def recorded_winner(
    folder: RunFolder, recorded: Mapping[str, Any], results: Sequence[TrialResult]
) -> TrialResult:
    """The result that a run records as its winner.

    Args:
        folder: Of the run.
        recorded: "winner" of its `run.json`.
        results: Its trials and combinations.

    Raises:
        RunError: It is none of them: the run went on, a trial took the number of a combination that had won,
            and the run has not ended since.
    """
    config = TrialConfig.from_json(recorded["config"])
    for result in results:
        if result.number == recorded["trial"] and result.config == config:
            return result
    raise RunError(
        f"the winner of {folder.path} is none of its trials",
        found=f"{recorded['trial']} of another configuration, or none, among {len(results)} trials",
        hint="The run went on and was broken off: --resume ends it. Until then model/ is the former winner.",
    )


def recall(folder: RunFolder, results: Sequence[TrialResult]) -> list[TrialResult]:
    """What `Combinations.find` left in a run folder, but for what a trial has since taken the number of."""
    path = folder.path / _FILE
    saved = json.loads(path.read_text()) if path.is_file() else []
    taken = {result.number for result in results}
    return [result for result in map(TrialResult.from_json, saved) if result.number not in taken]
