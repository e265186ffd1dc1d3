"""The three places where Ray Tune calls us: the trial in a worker, the searcher and the callback here.

Imported only once Ray is known to be installed. Ray moves these classes between its processes by its own
means; nothing of ours is read back from what it stores.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import optuna
from ray import tune
from ray.tune.experiment import Trial as TuneTrial
from ray.tune.search import Searcher
from ray.tune.search.optuna import OptunaSearch

from autotl.config import EpochResult, TrialConfig, TrialResult, TrialState
from autotl.search.backend import Ended, Stepped
from autotl.search.costs import next_step_seconds
from autotl.search.local import LocalBackend
from autotl.search.proposals import Proposal, Space
from autotl.search.storage import INTERRUPTED
from autotl.trial.run_folder import RunFolder
from autotl.trial.trial import Trial, TrialFactory

OURS = "autotl"
SCORE = "score"
_ATTEMPTS = 30
FactoryBuilder = Callable[[], TrialFactory]


class _DeferredFactory:
    """Builds the factory inside a trial's boundary, so that a failure to build it is the trial's."""

    def __init__(self, builder: FactoryBuilder) -> None:
        self._builder = builder

    def start(self, number: int, config: TrialConfig) -> Trial:
        return self._builder().start(number, config)

    def resume(self, result: TrialResult) -> Trial:
        return self._builder().resume(result)

    def predict_seconds(self, config: TrialConfig) -> float | None:
        return None


class RayTrial(tune.Trainable):  # type: ignore[misc]  # Ray is untyped here
    """One trial in a Ray worker: the steps of the local backend, the result in the shared run folder."""

    def setup(self, config: dict[str, Any], builder: FactoryBuilder | None = None) -> None:
        """Take the trial on.

        Args:
            config: Under "autotl": `number`, `config`, `run_folder` and `deadline` (Unix time or None).
            builder: Gives the factory.
        """
        assert builder is not None
        ours = config[OURS]
        self._folder = RunFolder(ours["run_folder"])
        self._number, self._deadline = ours["number"], ours["deadline"]
        self._ended = False
        self._epochs = 0
        self._local = LocalBackend(_DeferredFactory(builder))
        self._local.start(self._number, TrialConfig.from_json(ours["config"]))

    def step(self) -> dict[str, Any]:
        """One epoch; NaN as the score of a trial that failed."""
        event = self._local.poll()[0]
        if isinstance(event, Ended):
            self._keep(event.result)
            return {SCORE: math.nan, "done": True}
        assert isinstance(event, Stepped)  # nothing here asks for a pause
        self._epochs += 1
        if event.done or self._too_late(event):
            self._finish(TrialState.COMPLETE)
        epoch = event.epoch
        return {
            SCORE: epoch.score,
            "epoch": epoch.epoch,
            "train_loss": epoch.train_loss,
            "epoch_seconds": epoch.seconds,
            "done": self._ended,
        }

    def cleanup(self) -> None:
        """Keep what a stopped trial has reached; one without an epoch leaves nothing."""
        if not self._ended and self._epochs:
            self._finish(TrialState.PRUNED)

    def _too_late(self, event: Stepped) -> bool:
        if self._deadline is None or event.keeps_deadline:
            return False
        return bool(time.time() + next_step_seconds(event.seconds) > self._deadline)

    def _finish(self, state: TrialState) -> None:
        self._local.stop(self._number, state)
        self._keep(cast(Ended, self._local.poll()[0]).result)

    def _keep(self, result: TrialResult) -> None:
        self._ended = True
        self._folder.write_result(result)


class DistinctSearch(OptunaSearch):  # type: ignore[misc]  # Ray is untyped here
    """Optuna's search under Ray, that starts no configuration twice and ends when told to.

    Attributes:
        finished: Whether it has said that there is nothing more to try.

    Args:
        space: The search space, asked define-by-run.
        first: Optuna parameters tried before all others.
        known: Keys of configurations that need no further trial.
        admit: Asked before each trial; False ends the search.
        begin: Records a trial that starts; gives what its worker must know.
        sampler: Optuna's sampler.
        study: Holds the trials that the sampler knows already.
    """

    def __init__(
        self,
        space: Space,
        *,
        first: list[dict[str, Any]],
        known: set[str],
        admit: Callable[[], bool],
        begin: Callable[[Proposal], dict[str, Any]],
        sampler: optuna.samplers.BaseSampler,
        study: optuna.Study,
    ) -> None:
        self._known, self._admit, self._begin = known, admit, begin
        self._names: dict[str, str] = {}
        self._proposal: Proposal | None = None
        self.finished = False

        def define_by_run(trial: optuna.trial.Trial) -> dict[str, Any]:
            config = space.suggest(trial)
            self._proposal = Proposal(config, "ray", dict(trial.params), dict(trial.distributions))
            return {}

        super().__init__(
            define_by_run,
            metric=SCORE,
            mode="max",
            points_to_evaluate=first,
            sampler=sampler,
            storage=study._storage,
            study_name=study.study_name,
        )

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next configuration that is new, or the sign that there is none."""
        for attempt in range(_ATTEMPTS if self._admit() else 0):
            name = f"{trial_id}-{attempt}"
            super().suggest(name)
            proposal = self._proposal
            assert proposal is not None
            if proposal.config.key not in self._known:
                self._known.add(proposal.config.key)
                self._names[trial_id] = name
                return {OURS: self._begin(proposal)}
            super().on_trial_complete(name, error=True)
        self.finished = True
        return cast(str, Searcher.FINISHED)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Report an epoch."""
        if math.isfinite(result[SCORE]):
            super().on_trial_result(self._names[trial_id], result)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Tell a trial; one without a finite score failed."""
        failed = error or result is None or not math.isfinite(result.get(SCORE, math.nan))
        super().on_trial_complete(self._names[trial_id], None if failed else result, error=failed)

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Ray stores its tuner at the start, and a run is resumed from the run folder instead."""
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Write a mark only: a search is resumed from the run folder, never from Ray's files."""
        Path(checkpoint_path).write_text("{}")


class JournalCallback(tune.Callback):  # type: ignore[misc]  # Ray is untyped here
    """Hands what happens in the workers to the process that owns journal and listener.

    Args:
        on_start: Called with a trial's number.
        on_epoch: Called with a number and an epoch.
        on_death: Called with a number and a message, where a worker died.
        collect: Called often, to pick up results from the run folder.
    """

    def __init__(
        self,
        on_start: Callable[[int], None],
        on_epoch: Callable[[int, EpochResult], None],
        on_death: Callable[[int, str], None],
        collect: Callable[[], None],
    ) -> None:
        self._start, self._epoch, self._death, self._collect = on_start, on_epoch, on_death, collect

    def __getstate__(self) -> dict[str, Any]:
        """Nothing, as in `DistinctSearch`."""
        return {}

    def on_trial_start(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        """A worker took a trial on."""
        self._start(_number(trial))

    def on_trial_result(
        self,
        iteration: int,
        trials: list[TuneTrial],
        trial: TuneTrial,
        result: dict[str, Any],
        **info: Any,
    ) -> None:
        """An epoch is done."""
        if "epoch" in result:
            epoch = EpochResult(result["epoch"], result[SCORE], result["train_loss"], result["epoch_seconds"])
            self._epoch(_number(trial), epoch)

    def on_trial_error(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        """A worker died, for instance killed for its memory."""
        error = trial.get_error()
        self._death(_number(trial), str(error).strip() if error else INTERRUPTED)

    def on_step_end(self, iteration: int, trials: list[TuneTrial], **info: Any) -> None:
        """Ray's loop went round once."""
        self._collect()


def _number(trial: TuneTrial) -> int:
    return int(trial.config[OURS]["number"])
