"""Early stopping over epochs: end a trial whose curve is hopeless beside finished ones of its family.

Curves are compared at equal epochs, and only with trials of the same strategy whose schedule is not much
shorter: a schedule of three epochs is nearly annealed where one of ten is still at its highest rate, and
the from-scratch control is never judged by transfer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from autotl.config import EpochResult, TrialConfig, TrialResult, TrialState

#: The best score so far must lie in this top percentage of finished curves (60: the worst 40 % end).
_PERCENTILE = 60.0
#: Finished trials of the family before anything is ended, and epochs that every trial is given.
_STARTUP_TRIALS, _WARMUP_EPOCHS = 3, 2


def hopeless(config: TrialConfig, curve: Iterable[EpochResult], finished: Sequence[TrialResult]) -> bool:
    """Whether a trial with this curve so far should be ended.

    The percentile rule of Optuna's pruner (Golovin et al. 2017, median stopping) within a family of trials:
    the best score so far beside those of the same epoch.

    Args:
        config: The trial's configuration.
        curve: Its epochs.
        finished: Results; those that failed or were pruned are no yardstick.
    """
    scores = {epoch.epoch: epoch.score for epoch in curve}
    last = max(scores, default=0)
    whole = [r for r in finished if r.state is TrialState.COMPLETE and r.curve]
    family = [r for r in whole if _comparable(r.config, config)]
    there = [epoch.score for r in family for epoch in r.curve if epoch.epoch == last]
    if last < _WARMUP_EPOCHS or len(there) < _STARTUP_TRIALS:
        return False
    return not max(scores.values()) >= float(np.nanpercentile(there, 100 - _PERCENTILE))


def _comparable(finished: TrialConfig, running: TrialConfig) -> bool:
    return finished.strategy == running.strategy and finished.epochs * 2 >= running.epochs
