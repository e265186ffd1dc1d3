"""The search under Ray Tune on this machine: same trials, same run folder, ASHA as the scheduler.

First form: Ray decides who runs and who is stopped; journal, results and events are those of the loop.
Starting Ray takes several seconds and each trial about two, which is why it is not the default.
"""

from __future__ import annotations

import logging
import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from autotl.config import EpochResult, TrialConfig, TrialResult, TrialState
from autotl.errors import MissingExtraError
from autotl.search.budget import Budget
from autotl.search.events import EpochDone, Listener, Note, TrialFinished, TrialStarted, silent
from autotl.search.outcomes import best_score, first_failures_alike, sound
from autotl.search.proposals import Proposal, Proposer, Space
from autotl.search.storage import StudyStorage
from autotl.trial.run_folder import RunFolder

if TYPE_CHECKING:
    from autotl.search.ray_tune import DistinctSearch, FactoryBuilder, JournalCallback

_log = logging.getLogger(__name__)
_OBJECT_STORE_BYTES = 200 << 20
_OVERRUN = 1.1
_NEW_OUTPUT = "RAY_AIR_NEW_OUTPUT"


def run_ray(
    space: Space,
    factory_builder: FactoryBuilder,
    run_folder: RunFolder,
    *,
    budget: Budget,
    seed: int = 0,
    listener: Listener = silent,
    epochs: int = 10,
    resources: Mapping[str, float] | None = None,
) -> list[TrialResult]:
    """Search with Ray Tune: Optuna proposes, ASHA (Li et al. 2020) stops what lags behind.

    Args:
        space: What may be tried; its portfolio comes first.
        factory_builder: Called in each worker for the factory; Ray must be able to move it there.
        run_folder: Shared by all workers.
        budget: When to stop; trials end by themselves when their next epoch cannot fit.
        seed: Seed of the sampler. Concurrency makes the order of results, and so proposals, vary.
        listener: Told of every start, epoch and end.
        epochs: Most epochs of a trial.
        resources: What a trial takes, {"cpu": 1} unless given.

    Returns:
        All finished trials by number, earlier ones included.

    Raises:
        MissingExtraError: Ray is not installed.
        SearchError: The first three trials failed alike.
        RunError: Another process searches in this run folder.
    """
    try:
        import autotl.search.ray_tune  # noqa: F401  (fails here, before anything is begun)
    except ImportError as error:
        raise MissingExtraError(
            "the Ray engine is not installed", found=str(error), hint="pip install 'autotl[ray]'"
        ) from error
    per_trial = dict(resources or {"cpu": 1})
    with StudyStorage(run_folder) as storage:
        driver = _Driver(storage, run_folder, budget, listener)
        searcher = driver.searcher(space, seed)
        try:
            if not budget.exhausted:
                _tune(factory_builder, searcher, driver.callback(), budget, epochs, per_trial)
        finally:
            driver.close()
        driver.check()
        if not searcher.finished and not budget.exhausted:
            budget.cancel()
            listener(Note("interrupted: ending the search with the best so far", warning=True))
        return [driver.results[number] for number in sorted(driver.results)]


def _tune(
    builder: FactoryBuilder,
    searcher: DistinctSearch,
    callback: JournalCallback,
    budget: Budget,
    epochs: int,
    resources: dict[str, float],
) -> None:
    """Run Ray Tune to its end, on the Ray that is there or on one of our own."""
    import ray
    from ray import tune

    from autotl.search.ray_tune import SCORE, RayTrial

    trainable = tune.with_resources(tune.with_parameters(RayTrial, builder=builder), resources=resources)
    scheduler = tune.schedulers.ASHAScheduler(
        metric=SCORE, mode="max", max_t=epochs, grace_period=min(2, epochs)
    )
    with _ray_session(), tempfile.TemporaryDirectory(prefix="autotl-ray-") as scratch:
        cpus = ray.cluster_resources().get("CPU", 1)
        tune_config = tune.TuneConfig(
            search_alg=searcher,
            scheduler=scheduler,
            num_samples=-1,
            max_concurrent_trials=max(1, int(cpus // max(resources.get("cpu", 1), 1))),
            time_budget_s=budget.remaining() * _OVERRUN if budget.timed else None,
        )
        run_config = tune.RunConfig(
            storage_path=scratch,
            verbose=0,
            callbacks=[callback],
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
        )
        tune.Tuner(trainable, tune_config=tune_config, run_config=run_config).fit()


@contextmanager
def _ray_session() -> Iterator[None]:
    """Start Ray where none runs, and leave the process as it was."""
    import ray

    ours = not ray.is_initialized()
    main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT)
    new_output = os.environ.get(_NEW_OUTPUT)
    os.environ[_NEW_OUTPUT] = "0"  # the other reporter prints, however low its verbosity
    if ours:
        ray.init(include_dashboard=False, object_store_memory=_OBJECT_STORE_BYTES, logging_level="WARNING")
    try:
        yield
    finally:
        if ours:
            ray.shutdown()
        if main:
            signal.signal(signal.SIGINT, handler)  # Ray Tune installs its own and keeps it
        if new_output is None:
            del os.environ[_NEW_OUTPUT]
        else:
            os.environ[_NEW_OUTPUT] = new_output


class _Driver:
    """Keeps journal, results and listener up to date with what the workers do."""

    def __init__(self, storage: StudyStorage, folder: RunFolder, budget: Budget, listener: Listener) -> None:
        self._storage, self._folder, self._budget, self._listener = storage, folder, budget, listener
        self._deadline = time.time() + budget.remaining() if budget.timed else None
        recovered = storage.recover()
        self.results = {result.number: result for result in recovered.results}
        for paused in recovered.paused:  # left by another engine: Ray goes on from its own checkpoints only
            self.results[paused.number] = replace(paused, state=TrialState.PRUNED)
            storage.finish(self.results[paused.number])
        self._retry = list(recovered.retry)
        self._running: dict[int, TrialConfig] = {}
        self._fresh: list[TrialResult] = []

    def searcher(self, space: Space, seed: int) -> DistinctSearch:
        """The searcher, with what is known from earlier trials."""
        from autotl.search.ray_tune import DistinctSearch

        earlier = Proposer(space, seed)
        for result in self.results.values():
            earlier.learn(result)
        return DistinctSearch(
            space,
            first=list(_expressible(space, [*self._retry, *space.portfolio()])),
            known={result.config.key for result in self.results.values()},
            admit=self._admit,
            begin=self._begin,
            sampler=earlier.sampler,
            study=earlier.study,
        )

    def callback(self) -> JournalCallback:
        """The callback for Ray."""
        from autotl.search.ray_tune import JournalCallback

        return JournalCallback(self._on_start, self._on_epoch, self._on_death, self._collect)

    def check(self) -> None:
        """Say why, if the search ended because nothing works."""
        if error := first_failures_alike(self._fresh, best_score(self.results.values())):
            raise error

    def close(self) -> None:
        """Pick up the last results; a trial without one was broken off."""
        self._collect()
        for number in list(self._running):
            self._storage.interrupt(number)
            del self._running[number]
            self._listener(Note(f"trial {number} was broken off before its first epoch"))

    def _admit(self) -> bool:
        alike = first_failures_alike(self._fresh, best_score(self.results.values()))
        started = len(self.results) + len(self._running)
        return alike is None and not self._budget.exhausted and self._budget.admits(started)

    def _begin(self, proposal: Proposal) -> dict[str, Any]:
        number = self._storage.begin(proposal)
        self._running[number] = proposal.config
        return {
            "number": number,
            "config": proposal.config.to_json(),
            "run_folder": str(self._folder.path.absolute()),
            "deadline": self._deadline,
        }

    def _on_start(self, number: int) -> None:
        self._listener(TrialStarted(number, self._running[number]))

    def _on_epoch(self, number: int, epoch: EpochResult) -> None:
        if number in self._running:
            self._storage.report(number, epoch)
        self._listener(EpochDone(number, epoch))

    def _on_death(self, number: int, message: str) -> None:
        self._collect()
        if number in self._running:
            config = self._running[number]
            self._end(TrialResult(number, config, TrialState.FAILED, error=f"the worker died: {message}"))

    def _collect(self) -> None:
        for number in list(self._running):
            if (self._folder.trial(number) / "result.json").exists():
                content = self._folder.read_json(f"trials/{number:04d}/result.json")
                self._end(TrialResult.from_json(content))

    def _end(self, result: TrialResult) -> None:
        result = sound(result)
        del self._running[result.number]
        self._storage.finish(result)
        self.results[result.number] = result
        self._fresh.append(result)
        self._listener(TrialFinished(result, best_score(self.results.values())))


def _expressible(space: Space, configs: Iterable[TrialConfig]) -> Iterator[dict[str, Any]]:
    """Optuna parameters of those configurations that the space can suggest."""
    for config in configs:
        try:
            yield space.to_optuna(config)
        except (ValueError, KeyError) as error:
            _log.warning("not tried under Ray, as the space does not express it: %s (%s)", config, error)
