"""The search: asks for proposals, starts trials, follows their curves, ends them, records everything.

It owns the order of events and the decisions on time; sampling is `proposals`, pruning `pruning`, the
journal `storage`, execution a `SearchBackend`. It knows nothing of training.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from autotl.config import EpochResult, TrialConfig, TrialResult, TrialState
from autotl.search.backend import Ended, SearchBackend, Stepped
from autotl.search.budget import Budget
from autotl.search.costs import CostModel, next_step_seconds
from autotl.search.events import EpochDone, Listener, Note, TrialFinished, TrialStarted, silent
from autotl.search.interrupt import Interrupts
from autotl.search.local import LocalBackend
from autotl.search.outcomes import best_score, first_failures_alike, sound
from autotl.search.proposals import Proposal, Proposer, Space
from autotl.search.pruning import CurvePruner
from autotl.search.storage import INTERRUPTED, Recovered, StudyStorage
from autotl.trial.run_folder import RunFolder
from autotl.trial.trial import TrialFactory

_log = logging.getLogger(__name__)
_FITTING_CANDIDATES = 12


def run_search(
    space: Space,
    factory: TrialFactory,
    run_folder: RunFolder,
    *,
    budget: Budget,
    sampler_seed: int = 0,
    listener: Listener = silent,
    backend: SearchBackend | None = None,
    prior_results: Iterable[TrialResult] = (),
) -> list[TrialResult]:
    """Search until the budget is spent, the space exhausted, or the user interrupts.

    A run folder that holds an earlier search is continued; finished trials count against the budget of
    trials. Without a time budget the same seed and scores give the same sequence of configurations.
    After Ctrl-C the budget is cancelled, and what the trial under way has reached is kept.

    Args:
        space: What may be tried; its portfolio comes first.
        factory: Starts the trials.
        run_folder: Where journal, results and weights lie.
        budget: When to stop. The first trial is run whatever time is left.
        sampler_seed: Seed of the sampler.
        listener: Told of every start, epoch and end.
        backend: Where trials run; in this process unless given.
        prior_results: Finished trials that the run folder may lack, under their numbers.

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
            backend=backend or LocalBackend(factory, interruptible=interrupts.allowed),
            budget=budget,
            costs=CostModel(factory),
            listener=listener,
            interrupts=interrupts,
        )
        search.resume(storage.recover(prior_results))
        search.run()
        return [search.results[number] for number in sorted(search.results)]


@dataclass
class _Curve:
    """A trial under way, as the loop sees it."""

    config: TrialConfig
    epochs: list[EpochResult] = field(default_factory=list)
    stopping: bool = False


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
    pruner: CurvePruner = field(default_factory=CurvePruner)
    results: dict[int, TrialResult] = field(default_factory=dict)
    running: dict[int, _Curve] = field(default_factory=dict)
    fresh: list[TrialResult] = field(default_factory=list)
    cut_off: set[int] = field(default_factory=set)

    @property
    def best(self) -> float | None:
        """The best score so far."""
        return best_score(self.results.values())

    def resume(self, recovered: Recovered) -> None:
        """Continue from what an earlier process left; what failed is tried again if nothing worked."""
        retry = list(recovered.retry)
        self.results = {result.number: result for result in recovered.results}
        if self.best is None:
            retry = [result.config for result in recovered.results] + retry
        else:
            for result in recovered.results:
                self.proposer.learn(result)
        self.pruner.learn(recovered.results)
        self.proposer.retry(retry)
        if recovered.results or retry:
            self.listener(
                Note(f"continuing: {len(recovered.results)} trials finished, {len(retry)} to try again")
            )

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

    def _fill(self) -> bool:
        """Start trials while there is room; gives whether any was started."""
        started = False
        while len(self.running) < self.backend.slots and (proposal := self._next()) is not None:
            number = self.storage.begin(proposal)
            self.running[number] = _Curve(proposal.config)
            self.listener(TrialStarted(number, proposal.config))
            self.backend.start(number, proposal.config)
            started = True
        return started

    def _next(self) -> Proposal | None:
        """The next proposal that may start and fits the time left."""
        if not self.budget.admits(len(self.results) + len(self.running)):
            return None
        if not self.results and not self.running:
            return self.proposer.propose()  # without one trial a run is of no use
        if self.budget.exhausted:
            return None
        proposal = self.proposer.propose()
        if proposal is None:
            self.listener(Note("the search space is exhausted"))
            return None
        if self._fits(proposal.config):
            return proposal
        return self._cheapest_fitting(proposal)

    def _fits(self, config: TrialConfig) -> bool:
        if not self.budget.timed:
            return True
        predicted = self.costs.first_step_seconds(config)
        return predicted is None or predicted <= self.budget.remaining()

    def _cheapest_fitting(self, too_dear: Proposal) -> Proposal | None:
        """The cheapest of a few candidates that fit, None where none does."""
        self.proposer.drop(too_dear)
        fitting: list[tuple[float, int, Proposal]] = []
        for order in range(_FITTING_CANDIDATES):
            candidate = self.proposer.propose()
            if candidate is None:
                break
            if self._fits(candidate.config):
                predicted = self.costs.first_step_seconds(candidate.config)
                fitting.append((math.inf if predicted is None else predicted, order, candidate))
            else:
                self.proposer.drop(candidate)
        if not fitting:
            self.listener(Note("no further trial fits the time left"))
            return None
        fitting.sort(key=lambda entry: entry[:2])
        for _, _, candidate in reversed(fitting[1:]):
            self.proposer.put_back(candidate)
        return fitting[0][2]

    def _on(self, event: Stepped | Ended) -> None:
        if isinstance(event, Stepped):
            self._on_step(event)
        else:
            self._on_end(event.result)

    def _on_step(self, event: Stepped) -> None:
        curve = self.running[event.number]
        curve.epochs.append(event.epoch)
        if len(curve.epochs) == 1:
            self.costs.observe_first_step(curve.config, event.seconds)
        self.storage.report(event.number, event.epoch)
        self.listener(EpochDone(event.number, event.epoch))
        if event.done or curve.stopping:
            return
        too_late = next_step_seconds(event.seconds) > self.budget.remaining()
        if self.budget.timed and not event.keeps_deadline and too_late:
            self._stop(event.number, TrialState.COMPLETE)
        elif self.pruner.hopeless(curve.config, curve.epochs):
            self._stop(event.number, TrialState.PRUNED)

    def _stop(self, number: int, state: TrialState, error: str | None = None) -> None:
        self.running[number].stopping = True
        self.backend.stop(number, state, error)

    def _on_end(self, result: TrialResult) -> None:
        del self.running[result.number]
        if result.number in self.cut_off:
            self.storage.interrupt(result.number)
            return
        result = sound(result)
        self.storage.finish(result)
        self.results[result.number] = result
        self.fresh.append(result)
        self.proposer.tell(result)
        self.pruner.learn([result])
        self.listener(TrialFinished(result, self.best))
        if error := first_failures_alike(self.fresh, self.best):
            raise error

    def _wind_down(self) -> None:
        """End the trials under way, keeping what they have reached."""
        self.budget.cancel()
        self.listener(Note("interrupted: ending the search with the best so far", warning=True))
        for number, curve in self.running.items():
            if not curve.epochs:
                self.cut_off.add(number)
                self.backend.stop(number, TrialState.FAILED, INTERRUPTED)
            elif not curve.stopping:
                self._stop(number, TrialState.COMPLETE)
        while self.running:
            for event in self.backend.poll():
                self._on(event)
