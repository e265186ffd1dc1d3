"""The search: asks for proposals, starts trials, follows their curves, ends them, records everything.

It owns the order of events and the limits of time; sampling is `proposals`, who gets the next epoch a
`Scheduler`, the journal `storage`, execution a `SearchBackend`. It knows nothing of training.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from autotl.config import TrialConfig, TrialResult, TrialState
from autotl.data.rows import plural
from autotl.search.backend import BackendEvent, Paused, SearchBackend, Stepped
from autotl.search.board import Board, Prospect, Standing
from autotl.search.budget import Budget
from autotl.search.candidates import Probed
from autotl.search.costs import CostModel, next_step_seconds
from autotl.search.events import (
    EpochDone,
    Listener,
    Note,
    TrialFinished,
    TrialPaused,
    TrialResumed,
    TrialStarted,
    silent,
)
from autotl.search.interrupt import Interrupts
from autotl.search.lessons import Lesson
from autotl.search.local import LocalBackend
from autotl.search.outcomes import best_score, first_failures_alike, sound
from autotl.search.proposals import Proposal, Proposer, Space
from autotl.search.schedulers.scheduler import Chooser, Scheduler, Verdict, scheduler
from autotl.search.storage import INTERRUPTED, Recovered, StudyStorage
from autotl.trial.run_folder import RunFolder
from autotl.trial.trial import TrialFactory

_FITTING_CANDIDATES = 12


def run_search(
    space: Space,
    factory: TrialFactory | None,
    run_folder: RunFolder,
    *,
    budget: Budget,
    sampler_seed: int = 0,
    listener: Listener = silent,
    backend: SearchBackend | None = None,
    judge: Scheduler | None = None,
    validation_rows: int = 0,
    lessons: Sequence[Lesson] = (),
    probes: Sequence[Probed] = (),
    leading: frozenset[str] = frozenset(),
) -> list[TrialResult]:
    """Search until the budget is spent, the space exhausted, or the user interrupts.

    A run folder that holds an earlier search is continued; finished trials count against the budget of
    trials. Without a time budget the same seed and scores give the same sequence of configurations.
    After Ctrl-C the budget is cancelled, and what the trial under way has reached is kept.

    Args:
        space: What may be tried; its portfolio comes first.
        factory: Starts the trials; needed unless `backend` is given.
        run_folder: Where journal, results and weights lie.
        budget: When to stop. The first trial is run whatever time is left.
        sampler_seed: Seed of the sampler.
        listener: Told of every start, epoch and end.
        backend: Where trials run; in this process unless given.
        judge: Who gets the next epoch; one trial after the other unless given.
        validation_rows: How many rows a score rests on, from which its noise follows; 0 for unknown.
        lessons: What other data sets teach.
        probes: What probes of backbones have found on this one.
        leading: Keys of configurations that are begun first, whatever the judge would choose.

    Returns:
        All finished trials by number, earlier ones included.

    Raises:
        SearchError: The first three trials failed alike.
        RunError: Another process searches in this run folder.
        KeyboardInterrupt: On a second Ctrl-C.
    """
    with StudyStorage(run_folder) as storage, Interrupts() as interrupts:
        search = _Search(
            storage=storage,
            proposer=Proposer(space, sampler_seed),
            backend=backend or _in_this_process(factory, interrupts),
            budget=budget,
            costs=CostModel(factory),
            listener=listener,
            interrupts=interrupts,
            scheduler=judge or scheduler("fifo"),
            validation_rows=validation_rows,
            board=Board(lessons=lessons, probes=probes),
            leading=leading,
        )
        search.resume(storage.recover())
        search.run()
        return search.results


def _in_this_process(factory: TrialFactory | None, interrupts: Interrupts) -> SearchBackend:
    if factory is None:
        raise ValueError("a search needs a factory of trials, or a backend that has its own")
    return LocalBackend(factory, interruptible=interrupts.allowed)


@dataclass
class _Search:
    """The state of one search."""

    storage: StudyStorage
    proposer: Proposer
    backend: SearchBackend
    budget: Budget
    costs: CostModel
    listener: Listener
    interrupts: Interrupts
    scheduler: Scheduler
    validation_rows: int = 0
    board: Board = field(default_factory=Board)
    paused: dict[int, TrialResult] = field(default_factory=dict)
    fresh: list[TrialResult] = field(default_factory=list)
    ending: set[int] = field(default_factory=set)
    cut_off: set[int] = field(default_factory=set)
    offers: list[Proposal] = field(default_factory=list)
    leading: frozenset[str] = frozenset()

    @property
    def results(self) -> list[TrialResult]:
        """Finished trials by number."""
        return sorted([*self.board.finished, *self.board.left_out], key=lambda result: result.number)

    @property
    def running(self) -> dict[int, Standing]:
        """Trials that the backend holds."""
        return {number: trial for number, trial in self.board.open.items() if not trial.paused}

    def resume(self, recovered: Recovered) -> None:
        """Continue from what an earlier process left."""
        self.board.finished = [result for result in recovered.results if result.left_out is None]
        self.board.left_out = [result for result in recovered.results if result.left_out is not None]
        for result in recovered.paused:
            if result.left_out is not None:
                self.board.left_out.append(replace(result, state=TrialState.PRUNED))
                self.storage.finish(self.board.left_out[-1])
                continue
            self.proposer.hold(result.config)
            self._put_aside(result, Standing(result.number, result.config))
        for result in self.board.finished:
            self.proposer.learn(result)
        self.proposer.retry(recovered.retry)
        if recovered.results or recovered.paused or recovered.retry:
            told = [
                f"{plural(len(recovered.results), 'trial')} finished",
                f"{len(recovered.retry)} to try again",
            ]
            told += [f"{len(recovered.paused)} paused"] if recovered.paused else []
            self.listener(Note(f"continuing: {', '.join(told)}"))

    def run(self) -> None:
        """Run trials until there is nothing left to do."""
        try:
            while self._fill() or self.running:
                for event in self.backend.poll():
                    self._on(event)
                if self.interrupts.requested:
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            self._wind_down()
        self._end_paused()

    def _fill(self) -> bool:
        """Begin or resume trials while there is room; gives whether any was."""
        filled = False
        while len(self.running) < self.backend.slots and self._take_on():
            filled = True
        return filled

    def _take_on(self) -> bool:
        """Give a free slot to a paused trial or a new one; False where neither is worth it."""
        self._look_ahead()
        board = self._board()
        may_begin = bool(self.offers) and self.budget.admits(self.board.started)
        if not (may_begin or self.paused):
            return False
        if reason := self.scheduler.enough(board):
            self.listener(Note(f"the search ends early: {reason}"))
            return False
        if not self.budget.exhausted:
            number = self.scheduler.pick(board, fresh=may_begin)
            if number is not None:
                self.board.open[number].paused = False
                self.listener(TrialResumed(number))
                self.backend.resume(self.paused.pop(number))
                return True
        if not may_begin:
            return False
        proposal = self.offers.pop(self._choose(board))
        number = self.storage.begin(proposal)
        self.board.open[number] = Standing(number, proposal.config)
        self.listener(TrialStarted(number, proposal.config))
        self.backend.start(number, proposal.config)
        return True

    def _choose(self, board: Board) -> int:
        """Which offer is begun next."""
        for place, offer in enumerate(self.offers):
            if offer.config.key in self.leading:
                return place
        return self.scheduler.choose(board) if isinstance(self.scheduler, Chooser) else 0

    def _look_ahead(self) -> None:
        """Have as many proposals ready as the scheduler chooses among, and keep them while they still fit."""
        late = [p for p in self.offers if self.budget.exhausted or not self._fits(p.config)]
        for proposal in late:
            self.proposer.drop(proposal)
            self.offers.remove(proposal)
        wanted = self.scheduler.choice if isinstance(self.scheduler, Chooser) else 1
        while len(self.offers) < wanted and (offer := self._next()) is not None:
            self.offers.append(offer)

    def _board(self) -> Board:
        """The board as it stands, with the time that is left and the noise of scores."""
        price = self.costs.price if self.budget.timed else lambda config: None
        return replace(
            self.board,
            seconds_left=self.budget.remaining(),
            may_begin=self.budget.admits(self.board.started) and not self.budget.exhausted,
            offers=[Prospect(config, price(config)) for config in self._offered()],
            noise=score_noise(self.board.best, self.validation_rows),
        )

    def _offered(self) -> list[TrialConfig]:
        """What may be begun next, as far as it is known without asking the sampler."""
        queued = self.proposer.queued
        return [offer.config for offer in self.offers] or ([] if queued is None else [queued])

    def _next(self) -> Proposal | None:
        """The next proposal that may start and fits the time left."""
        if not self.budget.admits(self.board.started):
            return None
        if not self.board.started and not self.offers:
            return self.proposer.propose()  # without one trial a run is of no use
        if self.budget.exhausted:
            return None
        proposal = self.proposer.propose()
        if proposal is None:
            self._tell_end("the search space is exhausted")
            return None
        if self._fits(proposal.config):
            return proposal
        return self._cheapest_fitting(proposal)

    def _fits(self, config: TrialConfig) -> bool:
        return not self.budget.timed or self.costs.fits(config, self.budget.remaining())

    def _cheapest_fitting(self, too_dear: Proposal) -> Proposal | None:
        """The cheapest of a few candidates that fit, None where none does."""
        self.proposer.drop(too_dear)
        fitting: list[tuple[float, int, Proposal]] = []
        for order in range(_FITTING_CANDIDATES):
            candidate = self.proposer.propose()
            if candidate is None:
                break
            if self._fits(candidate.config):
                price = self.costs.price(candidate.config)
                fitting.append((math.inf if price is None else price.first, order, candidate))
            else:
                self.proposer.drop(candidate)
        if not fitting:
            self._tell_end("no further trial fits the time left")
            return None
        fitting.sort(key=lambda entry: entry[:2])
        for _, _, candidate in reversed(fitting[1:]):
            self.proposer.put_back(candidate)
        return fitting[0][2]

    def _tell_end(self, reason: str) -> None:
        """Say that no new trial will be begun, unless some are still on offer."""
        if not self.offers:
            self.listener(Note(reason))

    def _on(self, event: BackendEvent) -> None:
        if isinstance(event, Stepped):
            self._on_step(event)
        elif isinstance(event, Paused):
            self._put_aside(event.result, self.board.open[event.result.number])
            self.storage.pause(event.result)
            self.listener(TrialPaused(event.result.number))
        else:
            self._on_end(event.result)

    def _on_step(self, event: Stepped) -> None:
        trial = self.board.open[event.number]
        trial.curve.append(event.epoch)
        trial.step_seconds.append(event.seconds)
        if len(trial.curve) == 1:
            self.costs.observe_first_step(trial.config, event.seconds)
        self.storage.report(event.number, event.epoch)
        self.listener(EpochDone(event.number, event.epoch))
        if event.done or event.number in self.ending:
            return
        too_late = next_step_seconds(event.seconds) > self.budget.remaining()
        if self.budget.timed and not event.keeps_deadline and too_late:
            self._stop(event.number, TrialState.COMPLETE)
            return
        verdict = self.scheduler.judge(trial, self._board())
        if verdict is Verdict.STOP:
            self._stop(event.number, TrialState.PRUNED)
        elif verdict is Verdict.PAUSE:
            self.backend.pause(event.number)

    def _put_aside(self, result: TrialResult, trial: Standing) -> None:
        """Note that a trial waits on disk."""
        trial.curve = list(result.curve)
        trial.step_seconds = trial.step_seconds or [epoch.seconds for epoch in result.curve]
        trial.paused = True
        self.board.open[result.number] = trial
        self.paused[result.number] = result

    def _stop(self, number: int, state: TrialState) -> None:
        self.ending.add(number)
        self.backend.stop(number, state)

    def _on_end(self, result: TrialResult) -> None:
        del self.board.open[result.number]
        if result.number in self.cut_off:
            self.storage.interrupt(result.number)
            return
        result = sound(result)
        self.storage.finish(result)
        self.board.finished.append(result)
        self.fresh.append(result)
        self.proposer.tell(result)
        best = best_score(self.board.finished)
        self.listener(TrialFinished(result, best))
        if error := first_failures_alike(self.fresh, best):
            raise error

    def _end_paused(self) -> None:
        """End what still waits: its best weights are on disk, and count."""
        for number in sorted(self.paused):
            self._on_end(replace(self.paused.pop(number), state=TrialState.PRUNED))

    def _wind_down(self) -> None:
        """End the trials under way, keeping what they have reached."""
        self.budget.cancel()
        self.listener(Note("interrupted: ending the search with the best so far", warning=True))
        for number, trial in self.running.items():
            if not trial.curve:
                self.cut_off.add(number)
                self.backend.stop(number, TrialState.FAILED, INTERRUPTED)
            elif number not in self.ending:
                self._stop(number, TrialState.PRUNED)  # its curve is no whole course
        while self.running:
            for event in self.backend.poll():
                self._on(event)


def score_noise(score: float, rows: int) -> float:
    """Standard error of a score over so many rows; 0 where it is unknown.

    That of a share for scores in [0, 1]; for losses, which are negative, that of a root mean square.
    """
    if rows < 1:
        return 0.0
    if score < 0 and math.isfinite(score):
        return -score / math.sqrt(2 * rows)
    share = min(max(score, 0.05), 0.95) if math.isfinite(score) else 0.5
    return math.sqrt(share * (1 - share) / rows)
