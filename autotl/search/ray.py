"""The search under Ray Tune, here or on a cluster: same trials, same run folder, ASHA as the scheduler.

Ray decides who runs where and who is stopped, and looks for another worker where one dies; journal, results
and events are those of the loop. Starting Ray takes several seconds and a worker about two, which is why it
is not the default.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from autotl.config import EpochResult, TrialConfig, TrialResult, TrialState
from autotl.errors import MissingExtraError
from autotl.search.budget import Budget
from autotl.search.events import EpochDone, Listener, Note, TrialFinished, TrialStarted, silent
from autotl.search.outcomes import best_score, first_failures_alike, sound
from autotl.search.proposals import Proposal, Proposer, Space
from autotl.search.ray_session import RaySetup, ray_session
from autotl.search.storage import RETRIES, StudyStorage
from autotl.trial.run_folder import RunFolder
from autotl.versions import install_command

if TYPE_CHECKING:
    from autotl.search.ray_trial import FactoryBuilder
    from autotl.search.ray_tune import DistinctSearch, JournalCallback

_log = logging.getLogger(__name__)
_OVERRUN = 1.1


def run_ray(
    space: Space,
    factory_builder: FactoryBuilder,
    run_folder: RunFolder,
    *,
    budget: Budget,
    seed: int = 0,
    listener: Listener = silent,
    epochs: int = 10,
    setup: RaySetup | None = None,
) -> list[TrialResult]:
    """Search with Ray Tune: Optuna proposes, ASHA (Li et al. 2020) stops what lags behind.

    A trial that loses its worker is tried again, from its last checkpoint, on whatever node has room.

    Args:
        space: What may be tried; its portfolio comes first.
        factory_builder: Called in each worker for the factory; Ray must be able to move it there.
        run_folder: Seen by all workers under the same path.
        budget: When to stop; trials end by themselves when their next epoch cannot fit.
        seed: Seed of the sampler. Concurrency makes the order of results, and so proposals, vary.
        listener: Told of every start, epoch and end.
        epochs: Epochs of a usual trial, which ASHA's rungs divide.
        setup: Where trials run; on this machine with a CPU each unless given.

    Returns:
        All finished trials by number, earlier ones included.

    Raises:
        MissingExtraError: Ray is not installed.
        SearchError: The first three trials failed alike.
        RunError: Another process searches in this run folder, there is no cluster at the address, or no node
            of it has what a trial reserves.
    """
    try:
        import autotl.search.ray_tune  # noqa: F401  (fails here, before anything is begun)
    except ImportError as error:
        raise MissingExtraError(
            "the Ray engine is not installed", found=str(error), hint=f"Type: {install_command('ray')}"
        ) from error
    with StudyStorage(run_folder) as storage:
        driver = _Driver(storage, run_folder, budget, listener, Proposer(space, seed))
        searcher = driver.searcher(space)
        cut_short = False
        try:
            if not budget.exhausted:
                _tune(factory_builder, searcher, driver, epochs, setup or RaySetup())
                cut_short = not searcher.finished or driver.under_way
        finally:
            driver.close()
        driver.check()
        if cut_short and not budget.exhausted:  # Ray Tune answers Ctrl-C by returning
            budget.cancel()
            listener(Note("interrupted: ending the search with the best so far", warning=True))
        return [driver.results[number] for number in sorted(driver.results)]


def _tune(
    builder: FactoryBuilder, searcher: DistinctSearch, driver: _Driver, epochs: int, setup: RaySetup
) -> None:
    """Run Ray Tune to its end."""
    with (
        ray_session(setup.address, driver.folder.path / "ray.log"),
        tempfile.TemporaryDirectory(prefix="autotl-ray-") as scratch,
    ):
        import ray
        from ray import tune

        from autotl.search.ray_trial import EPOCH, SCORE, RayTrial

        trainable = tune.with_resources(
            tune.with_parameters(RayTrial, builder=builder),
            resources={"cpu": setup.trial_cpus, "gpu": setup.trial_gpus},
        )
        scheduler = tune.schedulers.ASHAScheduler(
            time_attr=EPOCH,
            metric=SCORE,
            mode="max",
            max_t=epochs,
            grace_period=min(2, epochs),
            stop_last_trials=False,
        )
        budget = driver.budget
        tune_config = tune.TuneConfig(
            search_alg=searcher,
            scheduler=scheduler,
            num_samples=-1,
            max_concurrent_trials=setup.slots(node["Resources"] for node in ray.nodes() if node["Alive"]),
            time_budget_s=budget.remaining() * _OVERRUN if budget.timed else None,
            reuse_actors=True,
        )
        run_config = tune.RunConfig(
            storage_path=scratch,  # of the process that searches only: checkpoints are in the run folder
            verbose=0,
            callbacks=[driver.callback()],
            failure_config=tune.FailureConfig(max_failures=RETRIES),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
        )
        tune.Tuner(trainable, tune_config=tune_config, run_config=run_config).fit()


class _Driver:
    """Keeps journal, results and listener up to date with what the workers do."""

    def __init__(
        self,
        storage: StudyStorage,
        folder: RunFolder,
        budget: Budget,
        listener: Listener,
        proposer: Proposer,
    ) -> None:
        self.folder, self.budget = folder, budget
        self._storage, self._listener, self._proposer = storage, listener, proposer
        self._deadline = time.time() + budget.remaining() if budget.timed else None
        recovered = storage.recover()
        self.results = {result.number: result for result in recovered.results}
        self._paused = list(recovered.paused)
        self._retry = list(recovered.retry)
        self._running: dict[int, TrialConfig] = {}
        self._epochs: dict[int, int] = {}
        self._stopped: set[int] = set()
        self._fresh: list[TrialResult] = []

    def searcher(self, space: Space) -> DistinctSearch:
        """The searcher, with what earlier trials taught."""
        from autotl.search.ray_tune import DistinctSearch

        for result in self.results.values():
            self._proposer.learn(result)
        for result in self._paused:
            self._proposer.hold(result.config)
        return DistinctSearch(
            space,
            first=list(_expressible(space, [*self._retry, *space.portfolio()])),
            known={result.config.key for result in (*self.results.values(), *self._paused)},
            go_on=self._go_on,
            admit=self._admit,
            begin=self._begin,
            sampler=self._proposer.sampler,
            study=self._proposer.study,
        )

    def callback(self) -> JournalCallback:
        """The callback for Ray."""
        from autotl.search.ray_tune import JournalCallback

        return JournalCallback(
            on_start=self._on_start,
            on_epoch=self._on_epoch,
            on_result=self._end,
            on_stop=self._on_stop,
            on_loss=self._on_loss,
            on_round=self._collect,
        )

    @property
    def under_way(self) -> bool:
        """Whether a trial neither ended nor was told to."""
        return bool(self._running.keys() - self._stopped)

    def check(self) -> None:
        """Say why, if the search ended because nothing works."""
        if error := first_failures_alike(self._fresh, best_score(self.results.values())):
            raise error

    def close(self) -> None:
        """Pick up the last results. What a trial broken off had saved counts; others are to be retried."""
        self._stopped.update(self._running)
        self._collect()
        for number in list(self._running):
            if reached := self.folder.result(number):
                self._end(replace(reached, state=TrialState.PRUNED))
            else:
                self._storage.interrupt(number)
                del self._running[number]
                self._listener(Note(f"trial {number} was broken off before its first epoch"))
        for reached in self._paused:
            self._running[reached.number] = reached.config
            self._end(replace(reached, state=TrialState.PRUNED))

    def _admit(self) -> bool:
        started = len(self.results) + len(self._running)
        return self._useful() and self.budget.admits(started)

    def _useful(self) -> bool:
        alike = first_failures_alike(self._fresh, best_score(self.results.values()))
        return alike is None and not self.budget.exhausted

    def _go_on(self) -> dict[str, Any] | None:
        if not self._paused or not self._useful():
            return None
        reached = self._paused.pop(0)
        return self._given(reached.number, reached.config)

    def _begin(self, proposal: Proposal) -> dict[str, Any]:
        return self._given(self._storage.begin(proposal), proposal.config)

    def _given(self, number: int, config: TrialConfig) -> dict[str, Any]:
        """What a worker must know to take the trial on."""
        self._running[number] = config
        return {
            "number": number,
            "config": config.to_json(),
            "run_folder": str(self.folder.path.absolute()),
            "deadline": self._deadline,
        }

    def _on_start(self, number: int) -> None:
        if number not in self._epochs:
            reached = self.folder.result(number)
            self._epochs[number] = len(reached.curve) if reached else 0
            self._listener(TrialStarted(number, self._running[number]))

    def _on_epoch(self, number: int, epoch: EpochResult) -> None:
        if number in self._running and epoch.epoch > self._epochs[number]:  # others are repetitions
            self._epochs[number] = epoch.epoch
            self._storage.report(number, epoch)
            self._listener(EpochDone(number, epoch))

    def _on_stop(self, number: int) -> None:
        self._stopped.add(number)

    def _on_loss(self, number: int, message: str, again: bool) -> None:
        if again:
            reached = self.folder.result(number)
            place = f"after epoch {len(reached.curve)}" if reached else "from the start"
            self._listener(Note(f"trial {number} lost its worker and goes on {place}", warning=True))
            _log.info("trial %d lost its worker: %s", number, message)
        elif number in self._running:
            error, reached = f"the worker died: {message}", self.folder.result(number)
            if reached is None or reached.score is None:
                self._end(TrialResult(number, self._running[number], TrialState.FAILED, error=error))
            else:  # its best weights are on disk
                self._end(replace(reached, state=TrialState.PRUNED, error=error))

    def _collect(self) -> None:
        """Take over results of stopped trials, which their workers write in their own time."""
        for number in self._stopped & self._running.keys():
            result = self.folder.result(number)
            if result is not None and result.state is not TrialState.PAUSED:
                self._end(result)

    def _end(self, result: TrialResult) -> None:
        if result.number not in self._running:
            return
        result = sound(result)
        del self._running[result.number]
        self._storage.finish(result)
        self.results[result.number] = result
        self._fresh.append(result)
        self._proposer.tell(result)
        self._listener(TrialFinished(result, best_score(self.results.values())))


def _expressible(space: Space, configs: Iterable[TrialConfig]) -> Iterator[dict[str, Any]]:
    """Optuna parameters of those configurations that the space can suggest."""
    for config in configs:
        try:
            yield space.to_optuna(config)
        except (ValueError, KeyError) as error:
            _log.warning("not tried under Ray, as the space does not express it: %s (%s)", config, error)
