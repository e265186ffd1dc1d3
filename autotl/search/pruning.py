"""Early stopping over epochs: end a trial whose curve is hopeless beside finished ones of its family.

Curves are compared at equal epochs, and only with trials of the same strategy whose schedule is not much
shorter: a schedule of three epochs is nearly annealed where one of ten is still at its highest rate, and
the from-scratch control is never judged by transfer.
"""

from __future__ import annotations

from collections.abc import Iterable

import optuna

from autotl.config import EpochResult, TrialConfig, TrialResult, TrialState


class CurvePruner:
    """Percentile rule of Optuna (Golovin et al. 2017, median stopping) within a family of trials.

    Args:
        percentile: The best score so far must lie in this top percentage of finished curves.
        startup_trials: Finished trials of the family before anything is pruned.
        warmup_epochs: Epochs that every trial is given.
    """

    def __init__(self, *, percentile: float = 60.0, startup_trials: int = 3, warmup_epochs: int = 2) -> None:
        self._startup = startup_trials
        self._pruner = optuna.pruners.PercentilePruner(
            percentile,
            n_startup_trials=startup_trials,
            n_warmup_steps=warmup_epochs,
            n_min_trials=startup_trials,
        )
        self._finished: list[TrialResult] = []

    def learn(self, results: Iterable[TrialResult]) -> None:
        """Take in finished trials; those that failed or were pruned are no yardstick."""
        self._finished += [r for r in results if r.state is TrialState.COMPLETE and r.curve]

    def hopeless(self, config: TrialConfig, curve: Iterable[EpochResult]) -> bool:
        """Whether a trial of `config` with this curve so far should be ended."""
        family = [r for r in self._finished if _comparable(r.config, config)]
        if len(family) < self._startup:
            return False
        study = optuna.create_study(direction="maximize")
        study.add_trials(
            optuna.trial.create_trial(
                value=max(e.score for e in r.curve),
                intermediate_values={e.epoch: e.score for e in r.curve},
            )
            for r in family
        )
        frozen = optuna.trial.create_trial(
            state=optuna.trial.TrialState.RUNNING,
            intermediate_values={e.epoch: e.score for e in curve},
        )
        return self._pruner.prune(study, frozen)


def _comparable(finished: TrialConfig, running: TrialConfig) -> bool:
    return finished.strategy == running.strategy and finished.epochs * 2 >= running.epochs
