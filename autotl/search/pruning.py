"""Early stopping over epochs: end a trial whose curve is hopeless beside finished ones of its family.

Curves are compared at equal epochs, and only with trials of the same strategy whose schedule is not much
shorter: a schedule of three epochs is nearly annealed where one of ten is still at its highest rate, and
the from-scratch control is never judged by transfer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import optuna

from autotl.config import EpochResult, TrialConfig, TrialResult, TrialState

#: The best score so far must lie in this top percentage of finished curves (60: the worst 40 % end).
_PERCENTILE = 60.0
#: Finished trials of the family before anything is ended, and epochs that every trial is given.
_STARTUP_TRIALS, _WARMUP_EPOCHS = 3, 2


def hopeless(config: TrialConfig, curve: Iterable[EpochResult], finished: Sequence[TrialResult]) -> bool:
    """Whether a trial with this curve so far should be ended.

    The percentile rule of Optuna (Golovin et al. 2017, median stopping) within a family of trials.

    Args:
        config: The trial's configuration.
        curve: Its epochs.
        finished: Results; those that failed or were pruned are no yardstick.
    """
    whole = [r for r in finished if r.state is TrialState.COMPLETE and r.curve]
    family = [r for r in whole if _comparable(r.config, config)]
    if len(family) < _STARTUP_TRIALS:
        return False
    pruner = optuna.pruners.PercentilePruner(
        _PERCENTILE,
        n_startup_trials=_STARTUP_TRIALS,
        n_warmup_steps=_WARMUP_EPOCHS,
        n_min_trials=_STARTUP_TRIALS,
    )
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
    return pruner.prune(study, frozen)


def _comparable(finished: TrialConfig, running: TrialConfig) -> bool:
    return finished.strategy == running.strategy and finished.epochs * 2 >= running.epochs
