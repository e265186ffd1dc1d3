"""Where Ray Tune calls us in the process that searches: the searcher and the callback.

Imported only once Ray is known to be installed. Ray stores its own state by its own means; nothing of ours is
read back from it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import optuna
from ray import tune
from ray.tune.experiment import Trial as TuneTrial
from ray.tune.result import TRAINING_ITERATION
from ray.tune.search import Searcher
from ray.tune.search.optuna import OptunaSearch

from autotl.config import EpochResult, TrialResult
from autotl.search.proposals import Proposal, Space
from autotl.search.ray_trial import EPOCH, OURS, SCORE
from autotl.search.storage import INTERRUPTED

_ATTEMPTS = 30


class DistinctSearch(OptunaSearch):  # type: ignore[misc]  # Ray is untyped here
    """Optuna's search under Ray, that starts no configuration twice and ends when told to.

    Attributes:
        finished: Whether it has said that there is nothing more to try.

    Args:
        space: The search space, asked define-by-run.
        first: Optuna parameters tried before all others.
        known: Keys of configurations that need no further trial.
        go_on: Gives what the worker of a trial begun earlier must know, None where there is none.
        admit: Asked before each new trial; False ends the search.
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
        go_on: Callable[[], dict[str, Any] | None],
        admit: Callable[[], bool],
        begin: Callable[[Proposal], dict[str, Any]],
        sampler: optuna.samplers.BaseSampler,
        study: optuna.Study,
    ) -> None:
        self._known, self._go_on, self._admit, self._begin = known, go_on, admit, begin
        self._names: dict[str, str] = {}
        self._epochs: dict[str, int] = {}
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
        """A trial to go on with, the next configuration that is new, or the sign that there is none."""
        if earlier := self._go_on():
            return {OURS: earlier}
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
        """Report an epoch, once: a trial that lost its worker may repeat some."""
        epoch = result.get(EPOCH, 0)
        if trial_id in self._names and epoch > self._epochs.get(trial_id, 0):
            self._epochs[trial_id] = epoch
            super().on_trial_result(self._names[trial_id], {**result, TRAINING_ITERATION: epoch})

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Tell a trial's best score; one without failed. Trials begun earlier are not Optuna's."""
        if trial_id in self._names:
            row = result or {}
            last = row.get(SCORE, math.nan)
            failed = error or not math.isfinite(last)
            told = None if failed else {**row, SCORE: row.get(f"{OURS}/score", last)}
            super().on_trial_complete(self._names[trial_id], told, error=failed)

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Ray stores its tuner at the start, and a run is resumed from the run folder instead."""
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Write a mark only: a search is resumed from the run folder, never from Ray's files."""
        Path(checkpoint_path).write_text("{}")


class JournalCallback(tune.Callback):  # type: ignore[misc]  # Ray is untyped here
    """Hands what happens in the workers to the process that owns journal and listener.

    Args:
        on_start: Called with a trial's number, again where another worker takes it on.
        on_epoch: Called with a number and an epoch.
        on_result: Called with the result of a trial that ended by itself.
        on_stop: Called with the number of a trial that ended, by itself or not.
        on_loss: Called with a number, a message, and whether it is tried again, where a worker died.
        on_round: Called often.
    """

    def __init__(
        self,
        *,
        on_start: Callable[[int], None],
        on_epoch: Callable[[int, EpochResult], None],
        on_result: Callable[[TrialResult], None],
        on_stop: Callable[[int], None],
        on_loss: Callable[[int, str, bool], None],
        on_round: Callable[[], None],
    ) -> None:
        self._start, self._epoch, self._result = on_start, on_epoch, on_result
        self._stop, self._loss, self._round = on_stop, on_loss, on_round

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
        """An epoch is done, or a trial."""
        if EPOCH in result:
            epoch = EpochResult(result[EPOCH], result[SCORE], result["train_loss"], result["epoch_seconds"])
            self._epoch(_number(trial), epoch)
        if OURS in result:
            self._result(TrialResult.from_json(result[OURS]))

    def on_trial_complete(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any
    ) -> None:
        """A trial ended, or Ray told its worker to stop."""
        self._stop(_number(trial))

    def on_trial_recover(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any
    ) -> None:
        """A worker died, for instance with its node; Ray looks for another."""
        self._loss(_number(trial), _last_words(trial), True)

    def on_trial_error(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        """A worker died, once too often."""
        self._loss(_number(trial), _last_words(trial), False)

    def on_step_end(self, iteration: int, trials: list[TuneTrial], **info: Any) -> None:
        """Ray's loop went round once."""
        self._round()


def _number(trial: TuneTrial) -> int:
    return int(trial.config[OURS]["number"])


def _last_words(trial: TuneTrial) -> str:
    """The first line of what Ray says of a dead worker."""
    error = trial.get_error()
    return str(error).strip().partition("\n")[0] if error else INTERRUPTED
