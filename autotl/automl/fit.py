"""`Fit`: one run from data to bundle, stage after stage; what each stage does is the stage's own business."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from autotl.automl.choice import choose
from autotl.automl.closing import TEST_PASSES, Closing, Control, Outcome
from autotl.automl.delivery import CALIBRATION_ROWS, JUDGED_ROWS, PARITY_ROWS, Delivery, some
from autotl.automl.distill import Distillation
from autotl.automl.experience import Experience
from autotl.automl.inspect import student_of
from autotl.automl.ledger import Ledger
from autotl.automl.opening import Opened, Opening
from autotl.automl.settings import Settings, hardware, pick_device
from autotl.config import TrialConfig, TrialResult
from autotl.data.rows import plural
from autotl.features.allocator import keep_freed_memory
from autotl.leaderboard.selection import OVER_LIMIT, is_candidate
from autotl.profile.profile import DatasetProfile
from autotl.search.candidates import expectation, probed, suited_inputs
from autotl.search.events import Event, Listener, Note, TrialFinished
from autotl.search.local import guarded
from autotl.search.loop import run_search
from autotl.search.progress import clock_time
from autotl.search.ranking import rank_backbones
from autotl.search.schedulers.scheduler import scheduler
from autotl.space.ranked import ranked
from autotl.space.space import SearchSpace
from autotl.trial.probe import Prober
from autotl.trial.runner import TrialRunner

#: Training and validation rows that the first model is fitted on, and rows its bundle is verified on.
_FIRST_ROWS = (480, 160)
_FIRST_PARITY_ROWS = 32
#: Share of the best trial's cost at which one that is as good within the noise is delivered in its place.
_CHEAPER_SHARE = {"fast": 0.5, "balanced": 0.25, "best": 0.0}
#: Rows, beside those of the test part, that export and test still have to run through the network.
_FURTHER_ROWS = 2 * PARITY_ROWS
#: Seconds that making int8 graphs takes, beside calibration.
_QUANTIZE_SECONDS = 15.0

#: A run that takes so many times the time that was asked for says so.
_OVERRUN = 1.1
#: The strategy that transfer is compared with.
_CONTROL = "from_scratch"
#: Share of the time that a search leaves which has nothing more to try.
_UNUSED_SHARE = 0.1


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
        self._ledger = Ledger(settings, listener, start)
        self._distillation: Distillation | None = None
        # Where only trials are counted a run must repeat itself, whatever was run before it.
        used = settings.experience and self._ledger.time.budget.timed
        self._experience = Experience(used, self._ledger.tell)
        self._device = pick_device(settings.device, settings.threads)
        self._ledger.record["hardware"] = hardware(str(self._device))

    def run(self, data: Any, labels: Sequence[Any] | None) -> Outcome:
        """All stages; of a run that is over and asked for nothing more, what it has left."""
        with self._ledger:
            opened = Opening(self._settings, self._ledger, self._experience, self._device).run(data, labels)
            if isinstance(opened, Outcome):
                return opened
            self._settings = opened.settings
            with closing(opened.runner):
                return self._run(opened)

    def _run(self, opened: Opened) -> Outcome:
        """The stages that follow opening."""
        profile, runner = opened.profile, opened.runner
        delivery = Delivery(runner, self._settings.seed, self._settings.limits)
        end = Closing(self._settings, self._ledger, delivery, opened.predecessor)
        self._first_model(delivery, opened.space)
        space = self._probe(opened.space, runner)
        results = self._search(profile, space, runner)
        again = self._as_much_again()
        results, combined = self._weigh(delivery, results)
        combined = [*combined, *self._distill(delivery, space, results, combined)]
        results, combined, (winner, refit) = self._choose(delivery, results, combined)
        end.deliver(winner, refit, results)
        control = self._train_control(space, runner)
        further = self._on_search(delivery, winner, results, combined, again)
        outcome = end.account(profile, results, combined, winner, control, further)
        self._finish(outcome, runner)
        end.log(runner.folder)
        return outcome

    # --- stages --------------------------------------------------------------------------------------------

    def _first_model(self, delivery: Delivery, space: SearchSpace) -> None:
        """Fit the baseline on a few hundred rows and export it: a usable model within seconds."""
        runner = delivery.runner
        if (runner.folder.bundle / "bundle.json").is_file():
            self._plan_ending(runner)
            return
        self._ledger.stages.begin("first model")
        few = some(runner.splits, runner.dataset.targets, *_FIRST_ROWS, self._settings.seed)
        model = runner.quick_fit(space.portfolio()[0], few)
        self._ledger.record["first_predictor_seconds"] = self._ledger.time.elapsed
        begun = time.monotonic()
        delivery.export(
            model, {"provisional": True}, runner.folder.bundle, rows=few.val, parity_rows=_FIRST_PARITY_ROWS
        )
        self._ledger.record["first_model_seconds"] = self._ledger.time.elapsed
        self._ledger.tell(Note(f"a first model can be used after {self._ledger.time.elapsed:.0f} s"))
        self._ledger.record["first_export_seconds"] = time.monotonic() - begun
        self._plan_ending(runner)
        self._tell_of_a_long_baseline(runner, space.portfolio()[0])

    def _tell_of_a_long_baseline(self, runner: TrialRunner, baseline: TrialConfig) -> None:
        """Say so before it begins if trial 0, which is always run to its end, takes all that is left."""
        rows, left = runner.splits.train_and_val, self._ledger.time.budget.remaining()
        seconds = runner.pace.pass_seconds(baseline, rows) or 0.0
        if seconds < left:
            return
        whole = f"the ten-line baseline takes about {clock_time(seconds)} over {plural(len(rows), 'row')}"
        there = f"{clock_time(left)} is left before export and test"
        self._ledger.tell(Note(f"{whole}, and {there}: it is run to its end, and nothing else", warning=True))

    def _plan_ending(self, runner: TrialRunner) -> None:
        """Keep back from the search what export and test are expected to take, once an export was timed."""
        seconds = self._ledger.record.get("first_export_seconds")
        if seconds is None:
            return
        row = runner.pace.row_seconds()
        self._ledger.time.measured(
            export_seconds=seconds + _FURTHER_ROWS * row + self._compress_seconds(runner, seconds, row),
            test_seconds=TEST_PASSES * len(runner.splits.test) * row,
            baseline_seconds=len(runner.splits.test) * row,
        )

    def _compress_seconds(self, runner: TrialRunner, export_seconds: float, row_seconds: float) -> float:
        """What smaller graphs are expected to take: to make two, and to run the rows that judge them.

        They are judged on the model before its final fit, so that one more bundle and graph are made.
        """
        if self._settings.compress == "none":
            return 0.0
        rows = 6 * CALIBRATION_ROWS + PARITY_ROWS + 3 * min(len(runner.splits.val), JUDGED_ROWS)
        return 1.5 * _QUANTIZE_SECONDS + export_seconds + rows * row_seconds

    def _probe(self, space: SearchSpace, runner: TrialRunner) -> SearchSpace:
        """Rank the backbones by their features of a few rows, and let the better ones go first."""
        if self._ledger.record.get("ranking"):  # the space on disk is in this order already
            return space
        self._ledger.stages.begin("probe")
        prober = Prober(runner, self._settings.seed)
        ranking = rank_backbones(space, prober, runner.infos, self._ledger.time.budget, self._ledger.tell)
        if ranking:
            self._ledger.tell(Note(expectation(ranking, space.default_backbone)))
            space = ranked(space, suited_inputs(ranking, runner.infos))
            runner.folder.write_json("space.json", space.to_json())
        self._ledger.record["ranking"] = [candidate.to_json() for candidate in ranking]
        self._ledger.write(runner.folder)
        return space

    def _search(self, profile: DatasetProfile, space: SearchSpace, runner: TrialRunner) -> list[TrialResult]:
        self._ledger.stages.begin("search")
        self._spent = {result.number: result.seconds for result in runner.folder.results()}

        def listen(event: Event) -> None:
            if isinstance(event, TrialFinished) and event.result.score is not None:
                self._plan_ending(runner)
                if event.result.score == event.best:
                    self._ledger.time.refit_takes(runner.refit_seconds(event.result))
            self._ledger.tell(event)

        if self._settings.engine == "ray":
            from autotl.automl.distributed import search_with_ray

            return search_with_ray(
                space,
                runner,
                self._ledger.time.budget,
                self._settings,
                self._ledger.time.search_deadline,
                listen,
            )
        lessons = self._experience.lessons(profile)
        self._ledger.record["lessons"] = len(lessons)
        return run_search(
            space,
            runner,
            runner.folder,
            budget=self._ledger.time.budget,
            sampler_seed=self._settings.seed,
            judge=self._scheduler,
            validation_rows=len(runner.splits.val),
            lessons=lessons,
            probes=probed(self._ledger.record["ranking"]),
            leading=space.leading,
            listener=listen,
        )

    def _as_much_again(self) -> float:
        """Seconds of the search, if more time were used at all: none where it left much of what it had."""
        budget = self._ledger.time.budget
        is_done = budget.time_seconds is not None and budget.remaining() > _UNUSED_SHARE * budget.time_seconds
        return 0.0 if is_done and budget.trials is None else self._ledger.stages.seconds()["search"]

    def _weigh(
        self, delivery: Delivery, results: list[TrialResult]
    ) -> tuple[list[TrialResult], list[TrialResult]]:
        """What the choice needs to know beside the scores, and what can be combined of the trials."""
        self._ledger.stages.begin("choose")
        until = self._ledger.time.choice_deadline()
        results = [result.without_fact(OVER_LIMIT) for result in results]  # a resumed run may allow more
        results = delivery.evidence.cross_validate(results, until)
        if (
            self._ledger.time.budget.timed
        ):  # else a run repeats itself, and counts operations in place of seconds
            results = delivery.graphs.measure(results, until)
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
        self._ledger.stages.begin("distill", f"{student} learns from trial {teacher.number}")
        left = self._ledger.time.distill()
        distillation = self._distillation = Distillation(delivery, space, teacher, student, self._ledger.tell)
        error, found = guarded(lambda: distillation.run(number, left))
        if found is None:
            self._ledger.tell(Note(f"nothing could be distilled: {error}", warning=True))
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
        while True:
            candidates, combinable = self._contest(results, combined)
            winner, refit = choose(
                candidates,
                lambda result: self._ledger.time.allows_refit(combinations.refit_seconds(result)),
                delivery.evidence.gain,
                combined=combinable,
                cheaper_share=_CHEAPER_SHARE[self._settings.quality],
                gain_of_rows=lambda result: delivery.evidence.gain_of_rows(
                    result, self._ledger.time.choice_deadline()
                ),
            )
            over = delivery.graphs.over_limit(winner)
            if over is None:
                return results, combined, (winner, refit)
            self._ledger.tell(Note(f"trial {winner.number} is left out: {over}", warning=True))
            results = delivery.graphs.marked(results, winner, over)
            combined = delivery.graphs.marked(combined, winner, over)

    def _train_control(self, space: SearchSpace, runner: TrialRunner) -> Control:
        """Train from scratch, in the time that is left, what transfer is compared with; or say why not."""
        deadline = self._ledger.time.control_deadline()
        controls = [config for config in space.controls() if config.strategy == _CONTROL]
        if not controls:
            return "the search space has no such control"
        if deadline is None:
            return "the budget left no time for it"
        self._ledger.stages.begin("control", f"{controls[0].backbone} from scratch")
        config = self._ledger.time.bounded(controls[0], len(runner.splits.train))
        error, control = guarded(lambda: runner.control(config, deadline))
        if control is None:
            self._ledger.tell(Note(f"the control failed: {error}", warning=True))
            return f"it failed: {error}"
        self._ledger.record["control"] = control[0].to_json()
        return control

    def _on_search(
        self,
        delivery: Delivery,
        winner: TrialResult,
        results: list[TrialResult],
        combined: list[TrialResult],
        again: float,
    ) -> tuple[str, ...]:
        """Sentences on what the search gave, what `again` seconds of it would, and what distillation did."""
        said = delivery.on_search(winner, *self._contest(results, combined), again)
        if self._distillation is None:
            return said
        return (*said, self._distillation.words(winner, [*results, *combined]))

    def _finish(self, outcome: Outcome, runner: TrialRunner) -> None:
        """Leave the run to later ones, and write how long everything took."""
        self._experience.record(outcome.profile, outcome.results, runner.pace.rates)
        self._ledger.record["stages"] = self._ledger.stages.seconds()
        self._ledger.record["interrupted"] = self._ledger.time.budget.cancelled
        if self._settings.engine == "local":  # elsewhere trials run side by side
            self._ledger.record["overhead_seconds"] = self._seconds_beside_work(outcome.results)
        self._ledger.write(runner.folder)
        asked, took = self._settings.time_seconds, self._ledger.time.elapsed
        if asked is not None and took > _OVERRUN * asked:
            late = f"the run took {clock_time(took)} in place of {clock_time(asked)}"
            self._ledger.show(Note(f"{late}: what every run must do takes longer here", warning=True))

    def _seconds_beside_work(self, results: list[TrialResult]) -> float:
        """Seconds of search and report that no trial accounts for, in this process."""
        seconds = self._ledger.stages.seconds()
        spent = sum(result.seconds - self._spent.get(result.number, 0.0) for result in results)
        return seconds["search"] - spent + seconds["report"]
