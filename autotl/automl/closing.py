"""`Closing`: the end of a run: the winner's final fit and export, its test, the ranking, the report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from autotl.automl.combine import Combinations
from autotl.automl.delivery import Delivery, SeenRows
from autotl.automl.leavings import Leavings
from autotl.automl.ledger import Ledger
from autotl.automl.predecessor import Predecessor
from autotl.automl.settings import Settings
from autotl.automl.ten_lines import default_recipe, ten_lines, ten_lines_seconds
from autotl.backbones.cache_dir import cache_at
from autotl.backbones.provenance import provenance
from autotl.config import TrialResult
from autotl.export.bundle import add_metrics
from autotl.leaderboard.leaderboard import Leaderboard
from autotl.leaderboard.verdict import on_ten_lines
from autotl.profile.profile import DatasetProfile
from autotl.report import mlflow
from autotl.report.provenance import without_secrets
from autotl.search.candidates import backbone_ranks
from autotl.search.events import Note
from autotl.search.local import guarded
from autotl.serve.bundle import MODEL, read_bundle
from autotl.serve.predictor import Predictor
from autotl.training.model import TransferModel
from autotl.trial.run_folder import RunFolder
from autotl.trial.runner import TrialRunner

#: What was trained from scratch to compare transfer with, or why nothing was.
Control = tuple[TrialResult, TransferModel] | str
#: Passes that the test part is counted as: that of the winner, and what is looked at beside it.
TEST_PASSES = 2


@dataclass(frozen=True)
class Outcome:
    """What a run has left.

    Attributes:
        profile: The data, with how far they lie from what backbones were trained on.
        results: All trials, with what their graphs take.
        leaderboard: All trials and combinations, ranked.
        winner: What was delivered.
        folder: Where everything lies.
        test: The record of the test part.
        predictor: The exported winner.
    """

    profile: DatasetProfile
    results: list[TrialResult]
    leaderboard: Leaderboard
    winner: TrialResult
    folder: RunFolder
    test: dict[str, Any]
    predictor: Predictor


class Closing:
    """Closes one run.

    Args:
        settings: What the user asked for.
        ledger: Records and tells.
        delivery: Exports and measures.
        predecessor: The run that this one follows, where it follows one.
    """

    def __init__(
        self, settings: Settings, ledger: Ledger, delivery: Delivery, predecessor: Predecessor | None
    ) -> None:
        self._settings, self._ledger = settings, ledger
        self._delivery, self._predecessor = delivery, predecessor
        self._leavings = Leavings(settings, ledger, delivery)
        self._over: tuple[str, ...] = ()

    def deliver(self, winner: TrialResult, refit: bool, results: list[TrialResult]) -> None:
        """Fit the winner again on training and validation rows where there is time, and export it."""
        delivery, record = self._delivery, self._ledger.record
        runner, combinations = delivery.runner, delivery.combinations
        model, refit = self._final_model(combinations, winner, refit)
        record["temperature"] = delivery.calibrate(model, winner)
        score = delivery.evidence.metric.own(winner.score or 0.0)
        record["winner"] = {
            "trial": winner.number,
            "backbone": winner.config.backbone,
            "strategy": winner.config.strategy,
            "validation_score": score,
            "refitted": refit,
            "config": winner.config.to_json(),
        }
        record["weights"] = self._weights(winner.config.backbone)
        self._ledger.stages.begin("export")
        facts = {"winner": record["winner"], "metrics": {"validation": {record["metric"]: score}}}
        delivery.export(model, facts, runner.folder.bundle)
        if self._settings.compress != "none":
            self._compress(runner.folder, winner if refit else None)
        if self._settings.limits:
            self._hold_to_limits(runner.folder)
        record["parity"] = read_bundle(runner.folder.bundle, check=False).manifest["parity"][MODEL]
        record["model_seconds"] = self._ledger.seconds
        row = runner.bench(combinations.members(winner)[0].config).frozen.seconds_a_row
        is_measured = all("latency_ms" in result.facts for result in results if result.score is not None)
        default = default_recipe(results, winner)
        _, seconds = guarded(
            lambda: ten_lines_seconds(delivery, winner, default, refit=refit) if default else 0.0
        )
        self._ledger.time.exported(
            TEST_PASSES * len(runner.splits.test) * row,
            is_measured=is_measured,
            baseline_seconds=seconds or 0.0,
        )

    def account(
        self,
        profile: DatasetProfile,
        results: list[TrialResult],
        combined: list[TrialResult],
        winner: TrialResult,
        control: Control,
        further: Sequence[str],
    ) -> Outcome:
        """Score the test part once, rank, report.

        Args:
            profile: The data.
            results: All trials.
            combined: Ensembles and averages of trials, and what was distilled.
            winner: What was delivered.
            control: What transfer is compared with.
            further: Sentences of the verdict beside those on the scores.
        """
        delivery, runner = self._delivery, self._delivery.runner
        self._ledger.stages.begin("test")
        profile = replace(profile, shifts=runner.benches.shifts())
        runner.folder.write_json("profile.json", profile.to_json())
        predictor = Predictor(runner.folder.bundle, threads=self._settings.threads)
        seen = delivery.run_test(predictor)
        test = _defined(delivery.score_test(seen.outputs, control))
        self._ten_lines(test, predictor, seen, winner, results)
        self._complete(runner.folder, seen, test)
        self._leavings.remember(predictor, winner)
        test["verdict"] = (*test["verdict"], *further, *self._over)
        if self._predecessor is not None:
            test["verdict"] = (*test["verdict"], self._compare(self._predecessor, runner, seen))
        self._ledger.record["test"] = test
        self._ledger.record["verdict"] = test["verdict"]
        measured = delivery.graphs.measure([*results, *combined], self._ledger.time.measure_deadline())
        results = measured[: len(results)]
        leaderboard = delivery.leaderboard(measured, winner, backbone_ranks(self._ledger.record["ranking"]))
        for result in results:
            runner.folder.write_result(result)
        leaderboard.to_csv(runner.folder.path / "leaderboard.csv")
        leaderboard.to_json(runner.folder.path / "leaderboard.json")
        self._leavings.audit(winner)
        explained = self._leavings.explain(predictor, seen)
        self._ledger.stages.begin("report")
        self._ledger.record["stages"] = self._ledger.stages.seconds()
        self._ledger.write(runner.folder)
        self._leavings.report(explained)
        return Outcome(profile, results, leaderboard, winner, runner.folder, test, predictor)

    def _complete(self, folder: RunFolder, seen: SeenRows, test: Mapping[str, Any]) -> None:
        """Let the bundle tell its scores, and what the inputs of the test part look like."""
        scores = {test["metric"]: test["score"], **test["metrics"]}
        scores = {name: value for name, value in scores.items() if value is not None}
        keep_rows = self._settings.reference_rows
        error, reference = guarded(lambda: self._delivery.reference(seen, keep_rows=keep_rows))
        if error is not None:
            self._ledger.tell(
                Note(f"the bundle cannot tell what its inputs look like: {error}", warning=True)
            )
        error, _ = guarded(lambda: add_metrics(folder.bundle, "test", scores, reference=reference))
        if error is not None:
            self._ledger.tell(Note(f"the bundle does not tell its test scores: {error}", warning=True))

    def _ten_lines(
        self,
        test: dict[str, Any],
        predictor: Predictor,
        seen: SeenRows,
        winner: TrialResult,
        results: Sequence[TrialResult],
    ) -> None:
        """Add to the record of the test part what the ten lines reach there, where there is time to tell."""
        default = default_recipe(results, winner)
        if default is None or test["score"] is None:
            return
        until, refit = self._ledger.time.baseline_deadline(), self._ledger.record["winner"]["refitted"]
        error, found = guarded(
            lambda: ten_lines(self._delivery, predictor, seen, winner, default, refit=refit, until=until)
        )
        if found is None:
            reason = f"it failed: {error}" if error else self._ledger.time.lacking
            said = f"What the ten lines reach on the test part is not known: {reason}."
        else:
            said = on_ten_lines(self._delivery.evidence.metric, found.score, found.gain)
            test.update(found.to_json())
        test["verdict"] = (*test["verdict"][:1], said, *test["verdict"][1:])

    def _weights(self, name: str) -> dict[str, Any] | None:
        """What identifies the pretrained weights of the winner; None where that cannot be told."""
        runner = self._delivery.runner
        with cache_at(runner.plan.resources.cache_dir):
            error, found = guarded(lambda: provenance(runner.infos[name]))
        if error is not None:
            self._ledger.tell(Note(f"the weights of {name} could not be identified: {error}", warning=True))
        return found

    def _final_model(
        self, combinations: Combinations, winner: TrialResult, refit: bool
    ) -> tuple[TransferModel, bool]:
        """The model of the winner, and whether it was fitted again: a final fit that fails costs no more."""
        if refit:
            self._ledger.stages.begin("refit")
            error, model = guarded(lambda: combinations.model(winner, refit=True))
            if model is not None:
                return model, True
            self._ledger.tell(
                Note(f"the final fit failed; the winner stays as it was: {error}", warning=True)
            )
        return combinations.model(winner, refit=False), False

    def _hold_to_limits(self, folder: RunFolder) -> None:
        """Compare what ships with the limits: the choice was made by graphs of the models before that."""
        error, over = guarded(lambda: self._delivery.graphs.hold_to_limits(folder.bundle))
        if error is not None:
            told = f"Whether the delivered model meets the limits could not be measured: {error}"
        elif over is not None:
            told = f"The delivered model is over a limit: {over} on the graph that ships."
        else:
            return
        self._over = (told,)
        self._ledger.tell(Note(told, warning=True))

    def _compress(self, folder: RunFolder, refitted: TrialResult | None) -> None:
        """Ship a smaller graph where that pays; the bundle stays what it is where that fails."""
        form = self._settings.compress
        error, told = guarded(lambda: self._delivery.compress(folder.bundle, form, refitted=refitted))
        if told is None:
            self._ledger.tell(Note(f"the graph could not be compressed: {error}", warning=True))
            return
        self._ledger.record["compression"] = told.to_json()
        self._ledger.tell(Note(told.words))

    def _compare(self, predecessor: Predecessor, runner: TrialRunner, seen: SeenRows) -> str:
        """What the new model gains over that of the run that this one follows, in words."""
        path = self._settings.from_run
        assert path is not None
        error, found = guarded(
            lambda: predecessor.compare(runner.dataset, seen.rows, seen.outputs, seed=self._settings.seed)
        )
        if error is not None:
            return f"It could not be compared with the model of {path}: {error}"
        if found is None:
            return (
                f"It could not be compared with the model of {path}: too few test rows are new to that one."
            )
        judge = runner.dataset.task.metric
        if not math.isfinite(found.new):
            return f"It could not be compared with the model of {path}: {judge} is not defined on these rows."
        self._ledger.record["predecessor"] = found.to_json(path)
        return found.words(path, judge)

    def log(self, folder: RunFolder) -> None:
        """Log the run where that was asked for; it stays what it is where that fails."""
        uri = self._settings.mlflow
        if uri is not None:
            error, _ = guarded(lambda: mlflow.log_run(folder, uri))
            if error is not None:
                self._ledger.tell(Note(without_secrets(error), warning=True))
                self._ledger.write(folder)


def _defined(value: Any) -> Any:
    """A record with None where a metric is not defined on the rows: JSON has no other word for it."""
    if isinstance(value, dict):
        return {key: _defined(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
