"""`Fit`: one run from data to bundle, stage after stage; what each stage does is the stage's own business."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from autotl.automl.choice import choose
from autotl.automl.combine import Combinations
from autotl.automl.delivery import CALIBRATION_ROWS, JUDGED_ROWS, PARITY_ROWS, Delivery, SeenRows, some
from autotl.automl.distill import Distillation
from autotl.automl.experience import Experience
from autotl.automl.inspect import data_of, plan_space, read_data, student_of
from autotl.automl.predecessor import Predecessor
from autotl.automl.settings import Settings, hardware, pick_device
from autotl.automl.stages import Stages
from autotl.automl.time_plan import TimePlan
from autotl.config import TrialResult
from autotl.data.dataset import Dataset, Splits
from autotl.errors import RunError
from autotl.export.bundle import add_metrics
from autotl.features.allocator import keep_freed_memory
from autotl.leaderboard.leaderboard import Leaderboard
from autotl.leaderboard.selection import OVER_LIMIT, is_candidate
from autotl.modalities.registry import modality
from autotl.profile.build import dataset_fingerprint
from autotl.profile.profile import DatasetProfile
from autotl.report import mlflow
from autotl.report.html import write_report
from autotl.search.candidates import backbone_ranks, expectation, probe_lessons, suited_inputs
from autotl.search.events import (
    Advanced,
    DataRead,
    Event,
    Listener,
    Note,
    TrialFinished,
    silent,
)
from autotl.search.local import guarded
from autotl.search.loop import run_search
from autotl.search.ranking import rank_backbones
from autotl.search.schedulers.scheduler import scheduler
from autotl.serve.bundle import MODEL, read_bundle
from autotl.serve.predictor import Predictor
from autotl.space.ranked import ranked
from autotl.space.space import SearchSpace
from autotl.task import Task
from autotl.training.model import TransferModel
from autotl.trial.plan import RunnerPlan
from autotl.trial.probe import Prober
from autotl.trial.run_folder import RunFolder
from autotl.trial.runner import TrialRunner
from autotl.versions import versions

#: Training and validation rows that the first model is fitted on, and rows its bundle is verified on.
_FIRST_ROWS = (600, 200)
_FIRST_PARITY_ROWS = 32
#: Share of the best trial's cost at which one that is as good within the noise is delivered in its place.
_CHEAPER_SHARE = {"fast": 0.5, "balanced": 0.25, "best": 0.0}
#: Rows, beside those of the test part, that export and test still have to run through the network.
_FURTHER_ROWS = 2 * PARITY_ROWS
#: Passes that the test part is counted as: that of the winner, and what is looked at beside it.
_TEST_PASSES = 2
#: Seconds that making int8 graphs takes, beside calibration.
_QUANTIZE_SECONDS = 15.0

#: The strategy that transfer is compared with.
_CONTROL = "from_scratch"

Control = tuple[TrialResult, TransferModel]


@dataclass(frozen=True)
class Outcome:
    """What a run has left, for the estimator."""

    leaderboard: Leaderboard
    profile: DatasetProfile
    winner: TrialResult
    folder: RunFolder
    test: dict[str, Any]
    predictor: Predictor


class Fit:
    """One run.

    Args:
        settings: What the user asked for.
        listener: Told of everything.
        start: When the run began, on the monotonic clock.
    """

    def __init__(self, settings: Settings, listener: Listener | None, start: float) -> None:
        keep_freed_memory()
        self._settings = settings
        self._scheduler = scheduler(settings.scheduler)
        self._listener = listener or silent
        distills = settings.distill_to is not None
        self._time = TimePlan(settings.time_seconds, settings.trials, start, distills=distills)
        self._stages = Stages(self._tell)
        self._record: dict[str, Any] = {
            "command": sys.argv,
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "seed": settings.seed,
            "budget_seconds": settings.time_seconds,
            "settings": settings.to_json(),
            "versions": versions(),
            "notes": [],
        }
        self._first_export_seconds: float | None = None
        self._predecessor: Predecessor | None = None
        self._distillation: Distillation | None = None
        # Where only trials are counted a run must repeat itself, whatever was run before it.
        self._experience = Experience(settings.experience and self._time.budget.timed, self._tell)
        self._device = pick_device(settings.device, settings.threads)
        self._record["hardware"] = hardware(str(self._device))

    def run(self, data: Any, labels: Sequence[Any] | None) -> Outcome:
        """All stages."""
        folder = self._open_folder()
        if self._settings.mlflow is not None:
            mlflow.check(self._settings.mlflow)
        if self._predecessor is not None:
            self._settings = self._predecessor.inherited(self._settings)
            self._record["settings"] = self._settings.to_json()
        with folder.created():
            dataset, splits = self._read(folder, data, labels)
            if self._predecessor is not None:
                self._take_over(self._predecessor, folder, dataset)
            profile, space, runner = self._plan(folder, dataset, splits)
        delivery = Delivery(runner, self._settings.seed, self._settings.limits)
        self._first_model(delivery, space)
        space = self._probe(space, runner)
        results = self._search(profile, space, runner)
        results, combined = self._weigh(delivery, results)
        combined = [*combined, *self._distill(delivery, space, results, combined)]
        results, combined, (winner, refit) = self._choose(delivery, results, combined)
        self._deliver(delivery, winner, refit, results)
        control = self._train_control(space, runner)
        return self._account(delivery, profile, results, combined, winner, control)

    # --- stages --------------------------------------------------------------------------------------------

    def _open_folder(self) -> RunFolder:
        folder = RunFolder(self._settings.out)
        if folder.exists() and not self._settings.resume:
            raise RunError(
                "the run folder already holds a run",
                found=str(folder.path),
                hint="Go on with it: --resume. Or choose another with --out.",
            )
        if self._settings.resume:
            recorded = folder.record("settings", "data", "task")
            former = Settings.from_json(recorded["settings"])
            self._settings = replace(
                self._settings,
                metric=self._settings.metric or recorded["task"]["metric"],
                from_run=self._settings.from_run or former.from_run,
            )
        if self._settings.from_run is not None:
            self._predecessor = Predecessor(self._settings.from_run)
        return folder

    def _read(self, folder: RunFolder, data: Any, labels: Sequence[Any] | None) -> tuple[Dataset, Splits]:
        self._stages.begin("read", str(data_of(data)))
        dataset, splits = read_data(data, self._settings, labels=labels)
        for finding in dataset.findings:
            self._listener(Note(finding.message, warning=finding.severity != "info"))
        self._tell(DataRead(len(dataset), dataset.task))
        self._record["findings"] = [asdict(finding) for finding in dataset.findings]
        if folder.exists():
            self._check_same_data(folder, dataset)
            splits = folder.read_splits()
        return dataset, splits

    def _take_over(self, predecessor: Predecessor, folder: RunFolder, dataset: Dataset) -> None:
        """Begin with what an earlier run has found, as far as it can still be had."""
        predecessor.check(dataset)
        reason = predecessor.take_over(folder)
        if reason is not None:
            self._tell(Note(reason, warning=True))

    def _check_same_data(self, folder: RunFolder, dataset: Dataset) -> None:
        """Refuse to go on with a run on other data than it was begun on, or for another task."""
        record = folder.record("data", "task")
        expected = record["data"]["fingerprint"]
        found = dataset_fingerprint(dataset, modality(dataset.modality))
        if found != expected:
            raise RunError(
                "the run was begun on other data",
                found=f"fingerprint {found[:12]}",
                expected=expected[:12],
                hint="Choose another folder with --out.",
            )
        task = Task.from_json(record["task"])
        if (task.kind, task.metric) != (dataset.task.kind, dataset.task.metric):
            raise RunError(
                "the run was begun for another task",
                found=f"{dataset.task.kind.value}, judged by {dataset.task.metric}",
                expected=f"{task.kind.value}, judged by {task.metric}",
                hint="Leave out --task and --metric, or choose another folder with --out.",
            )

    def _plan(
        self, folder: RunFolder, dataset: Dataset, splits: Splits
    ) -> tuple[DatasetProfile, SearchSpace, TrialRunner]:
        self._stages.begin("profile")
        profile, space, choices, infos = plan_space(dataset, splits, self._settings, device=str(self._device))
        previous = folder.read_json("run.json") if folder.exists() else None
        if previous is not None:
            space = SearchSpace.from_json(folder.read_json("space.json"))
            self._record = {**previous, **self._record, "notes": [*previous["notes"], *self._record["notes"]]}
        else:
            space, self._record["recommended"] = self._experience.advise(profile, space)
            space = space if self._predecessor is None else self._predecessor.lead(space)
        self._record |= {
            "task": dataset.task.to_json(),
            "metric": dataset.task.metric,
            "data": {"source": dataset.source, "fingerprint": profile.fingerprint, "rows": profile.rows},
            "backbones": [asdict(choice) for choice in choices],
        }
        if len(infos) < len(choices):
            usable = f"{len(infos)} of {len(choices)} backbones take part; autotl space says why"
            self._tell(Note(usable))
        folder.write_splits(splits)
        folder.write_json("space.json", space.to_json())
        folder.write_json("profile.json", profile.to_json())
        self._write(folder)
        resources = self._settings.resources(self._device)
        runner = TrialRunner(
            RunnerPlan(dataset, splits, infos, profile.inputs, folder, resources),
            deadline=self._time.search_deadline,
            report=lambda done, total: self._tell(Advanced(done, total)),
        )
        runner.pace.expect(self._experience.rates())
        return profile, space, runner

    def _first_model(self, delivery: Delivery, space: SearchSpace) -> None:
        """Fit the baseline on a few hundred rows and export it: a usable model within seconds."""
        runner = delivery.runner
        if (runner.folder.bundle / "bundle.json").is_file():
            return
        self._stages.begin("first model")
        few = some(runner.splits, runner.dataset.targets, *_FIRST_ROWS, self._settings.seed)
        model = runner.quick_fit(space.portfolio()[0], few)
        self._record["first_predictor_seconds"] = self._time.elapsed
        begun = time.monotonic()
        delivery.export(
            model, {"provisional": True}, runner.folder.bundle, rows=few.val, parity_rows=_FIRST_PARITY_ROWS
        )
        self._record["first_model_seconds"] = self._time.elapsed
        self._tell(Note(f"a first model can be used after {self._time.elapsed:.0f} s"))
        self._first_export_seconds = time.monotonic() - begun
        self._plan_ending(runner)
        if self._time.budget.exhausted:
            short = (
                "what is left of the time is needed for export and test: only the ten-line baseline is run"
            )
            self._tell(Note(short, warning=True))

    def _plan_ending(self, runner: TrialRunner) -> None:
        """Keep back from the search what export and test are expected to take, once an export was timed."""
        if self._first_export_seconds is None:
            return
        row = runner.pace.row_seconds()
        self._time.measured(
            export_seconds=self._first_export_seconds
            + _FURTHER_ROWS * row
            + self._compress_seconds(runner, row),
            test_seconds=_TEST_PASSES * len(runner.splits.test) * row,
        )

    def _compress_seconds(self, runner: TrialRunner, row_seconds: float) -> float:
        """What smaller graphs are expected to take: to make two, and to run the rows that judge them."""
        if self._settings.compress == "none":
            return 0.0
        rows = CALIBRATION_ROWS + 3 * min(len(runner.splits.val), JUDGED_ROWS)
        return _QUANTIZE_SECONDS + rows * row_seconds

    def _probe(self, space: SearchSpace, runner: TrialRunner) -> SearchSpace:
        """Rank the backbones by their features of a few rows, and let the better ones go first."""
        if "ranking" in self._record:  # the space on disk is in this order already
            return space
        self._stages.begin("probe")
        prober = Prober(runner, self._settings.seed)
        ranking = rank_backbones(space, prober, runner.infos, self._time.budget, self._tell)
        if ranking:
            self._tell(Note(expectation(ranking, space.default_backbone)))
            space = ranked(space, suited_inputs(ranking, runner.infos))
            runner.folder.write_json("space.json", space.to_json())
        self._record["ranking"] = [candidate.to_json() for candidate in ranking]
        self._write(runner.folder)
        return space

    def _search(self, profile: DatasetProfile, space: SearchSpace, runner: TrialRunner) -> list[TrialResult]:
        self._stages.begin("search")
        self._earlier = {result.number for result in runner.folder.results()}

        def listen(event: Event) -> None:
            if isinstance(event, TrialFinished) and event.result.score is not None:
                self._plan_ending(runner)
                if event.result.score == event.best:
                    self._time.refit_takes(runner.refit_seconds(event.result))
            self._tell(event)

        if self._settings.engine == "ray":
            from autotl.automl.distributed import search_with_ray

            return search_with_ray(
                space,
                runner,
                self._time.budget,
                self._settings,
                self._time.search_deadline,
                listen,
            )
        lessons = self._experience.lessons(profile) + probe_lessons(self._record["ranking"])
        self._record["lessons"] = len(lessons)
        return run_search(
            space,
            runner,
            runner.folder,
            budget=self._time.budget,
            sampler_seed=self._settings.seed,
            judge=self._scheduler,
            validation_rows=len(runner.splits.val),
            lessons=lessons,
            listener=listen,
        )

    def _train_control(self, space: SearchSpace, runner: TrialRunner) -> Control | str:
        """Train from scratch, in the time that is left, what transfer is compared with; or say why not."""
        deadline = self._time.control_deadline()
        controls = [config for config in space.controls() if config.strategy == _CONTROL]
        if not controls:
            return "the search space has no such control"
        if deadline is None:
            return "the budget left no time for it"
        self._stages.begin("control", f"{controls[0].backbone} from scratch")
        config = self._time.bounded(controls[0], len(runner.splits.train))
        error, control = guarded(lambda: runner.control(config, deadline))
        if control is None:
            self._tell(Note(f"the control failed: {error}", warning=True))
            return f"it failed: {error}"
        self._record["control"] = control[0].to_json()
        return control

    def _weigh(
        self, delivery: Delivery, results: list[TrialResult]
    ) -> tuple[list[TrialResult], list[TrialResult]]:
        """What the choice needs to know beside the scores, and what can be combined of the trials."""
        self._stages.begin("choose")
        until = self._time.choice_deadline()
        results = delivery.evidence.cross_validate(results, until)
        if self._time.budget.timed:  # else a run repeats itself, and counts operations in place of seconds
            results = delivery.measure(results, until)
        return results, delivery.combinations.find(results, until)

    def _distill(
        self,
        delivery: Delivery,
        space: SearchSpace,
        results: list[TrialResult],
        combined: list[TrialResult],
    ) -> list[TrialResult]:
        """Let the backbone that was asked for learn from what would else be delivered."""
        if self._settings.distill_to is None:
            return []
        student = student_of(delivery.runner.infos.values(), self._settings.distill_to)
        teacher, _ = choose(results, lambda _: True, delivery.evidence.gain, combined=combined)
        number = 1 + max(result.number for result in [*results, *combined])
        self._stages.begin("distill", f"{student} learns from trial {teacher.number}")
        self._time.distill()
        left = self._time.search_deadline() - time.monotonic()
        distillation = self._distillation = Distillation(delivery, space, teacher, student, self._tell)
        error, found = guarded(lambda: distillation.run(number, left))
        if found is None:
            self._tell(Note(f"nothing could be distilled: {error}", warning=True))
        return found or []

    def _contest(
        self, results: list[TrialResult], combined: list[TrialResult]
    ) -> tuple[list[TrialResult], list[TrialResult]]:
        """The trials and the combinations that may win."""
        if self._distillation is not None:
            own = self._distillation.among([*results, *combined])
            if any(map(is_candidate, own)):
                return own, []
        return results, list(filter(is_candidate, combined))

    def _choose(
        self, delivery: Delivery, results: list[TrialResult], combined: list[TrialResult]
    ) -> tuple[list[TrialResult], list[TrialResult], tuple[TrialResult, bool]]:
        """The trials and combinations, marked where they are over a limit; the winner, and whether to refit.

        Only what would win is held to the limits: backbones were before, and heads add little.
        """
        combinations = delivery.combinations
        results = [result.without_fact(OVER_LIMIT) for result in results]  # a resumed run may allow more
        while True:
            candidates, combinable = self._contest(results, combined)
            winner, refit = choose(
                candidates,
                lambda result: self._time.allows_refit(combinations.refit_seconds(result)),
                delivery.evidence.gain,
                combined=combinable,
                cheaper_share=_CHEAPER_SHARE[self._settings.quality],
                gain_of_rows=lambda result: delivery.evidence.gain_of_rows(
                    result, self._time.choice_deadline()
                ),
            )
            over = delivery.over_limit(winner)
            if over is None:
                return results, combined, (winner, refit)
            self._tell(Note(f"trial {winner.number} is left out: {over}", warning=True))
            results = delivery.marked(results, winner, over)
            combined = delivery.marked(combined, winner, over)

    def _deliver(
        self, delivery: Delivery, winner: TrialResult, refit: bool, results: list[TrialResult]
    ) -> None:
        """Fit the winner again on training and validation rows where there is time, and export it."""
        runner, combinations = delivery.runner, delivery.combinations
        model, refit = self._final_model(combinations, winner, refit)
        self._record["temperature"] = delivery.calibrate(model, winner)
        score = delivery.evidence.metric.own(winner.score or 0.0)
        self._record["winner"] = {
            "trial": winner.number,
            "backbone": winner.config.backbone,
            "strategy": winner.config.strategy,
            "validation_score": score,
            "refitted": refit,
            "config": winner.config.to_json(),
        }
        self._stages.begin("export")
        facts = {"winner": self._record["winner"], "metrics": {"validation": {self._record["metric"]: score}}}
        delivery.export(model, facts, runner.folder.bundle)
        if self._settings.compress != "none":
            error, told = guarded(lambda: delivery.compress(runner.folder.bundle, self._settings.compress))
            if told is None:
                self._tell(Note(f"the graph could not be compressed: {error}", warning=True))
            else:
                self._record["compression"] = told.to_json()
                self._tell(
                    Note(f"{told.method} {'is shipped' if told.kept else 'is left out'}: {told.reason}")
                )
        self._record["parity"] = read_bundle(runner.folder.bundle, check=False).manifest["parity"][MODEL]
        self._record["model_seconds"] = self._time.elapsed
        row = runner.bench(combinations.members(winner)[0].config).frozen.seconds_a_row
        is_measured = all("latency_ms" in result.facts for result in results if result.score is not None)
        self._time.exported(_TEST_PASSES * len(runner.splits.test) * row, is_measured=is_measured)

    def _final_model(
        self, combinations: Combinations, winner: TrialResult, refit: bool
    ) -> tuple[TransferModel, bool]:
        """The model of the winner, and whether it was fitted again: a final fit that fails costs no more."""
        if refit:
            self._stages.begin("refit")
            error, model = guarded(lambda: combinations.model(winner, refit=True))
            if model is not None:
                return model, True
            self._tell(Note(f"the final fit failed; the winner stays as it was: {error}", warning=True))
        return combinations.model(winner, refit=False), False

    def _account(
        self,
        delivery: Delivery,
        profile: DatasetProfile,
        results: list[TrialResult],
        combined: list[TrialResult],
        winner: TrialResult,
        control: Control | str,
    ) -> Outcome:
        """Score the test part once, rank, report."""
        runner = delivery.runner
        self._stages.begin("test")
        profile = replace(profile, shifts=runner.benches.shifts())
        runner.folder.write_json("profile.json", profile.to_json())
        predictor = Predictor(runner.folder.bundle, threads=self._settings.threads)
        seen = delivery.run_test(predictor)
        test = delivery.score_test(seen.outputs, control)
        scores = {test["metric"]: test["score"], **test["metrics"]}
        keep_rows = self._settings.reference_rows
        error, reference = guarded(lambda: delivery.reference(seen, keep_rows=keep_rows))
        if error is not None:
            self._tell(Note(f"the bundle cannot tell what its inputs look like: {error}", warning=True))
        error, _ = guarded(lambda: add_metrics(runner.folder.bundle, "test", scores, reference=reference))
        if error is not None:
            self._tell(Note(f"the bundle does not tell its test scores: {error}", warning=True))
        searched = self._stages.seconds()["search"]
        rivals = self._contest(results, combined)
        test["verdict"] = (*test["verdict"], *delivery.on_search(winner, *rivals, searched))
        if self._distillation is not None:
            said = self._distillation.words(winner, [*results, *combined])
            test["verdict"] = (*test["verdict"], said)
        if self._predecessor is not None:
            test["verdict"] = (*test["verdict"], self._compare(self._predecessor, runner, seen))
        self._record["test"] = test
        self._record["verdict"] = test["verdict"]
        measured = delivery.measure([*results, *combined], self._time.measure_deadline())
        leaderboard = delivery.leaderboard(measured, winner, backbone_ranks(self._record["ranking"]))
        results = measured[: len(results)]
        for result in results:
            runner.folder.write_result(result)
        leaderboard.to_csv(runner.folder.path / "leaderboard.csv")
        leaderboard.to_json(runner.folder.path / "leaderboard.json")
        self._stages.begin("report")
        self._write(runner.folder)
        write_report(runner.folder, delivery.preview())
        runner.close()
        self._experience.record(profile, results, runner.pace.rates)
        self._record["seconds"] = self._time.elapsed
        self._record["stages"] = self._stages.seconds()
        self._record["overhead_seconds"] = self._seconds_beside_work(results)
        self._write(runner.folder)
        self._log(runner.folder)
        return Outcome(leaderboard, profile, winner, runner.folder, test, predictor)

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
        self._record["predecessor"] = found.to_json(path)
        return found.words(path, runner.dataset.task.metric)

    def _log(self, folder: RunFolder) -> None:
        """Log the run where that was asked for; it stays what it is where that fails."""
        uri = self._settings.mlflow
        if uri is not None:
            error, _ = guarded(lambda: mlflow.log_run(folder, uri))
            if error is not None:
                self._tell(Note(error, warning=True))
                self._write(folder)

    def _tell(self, event: Event) -> None:
        """Pass an event on; warnings also become part of the record."""
        if isinstance(event, Note) and event.warning:
            self._record["notes"].append(event.message)
        self._listener(event)

    # --- the record ----------------------------------------------------------------------------------------

    def _seconds_beside_work(self, results: list[TrialResult]) -> float:
        """Seconds of search and report that no trial accounts for."""
        seconds = self._stages.seconds()
        fresh = [r for r in results if r.number not in self._earlier]
        return seconds["search"] - sum(result.seconds for result in fresh) + seconds["report"]

    def _write(self, folder: RunFolder) -> None:
        self._record["seconds"] = self._time.elapsed
        folder.write_json("run.json", self._record)
