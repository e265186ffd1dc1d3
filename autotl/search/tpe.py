"""TPE that samples a group of conditional parameters only when one of them is asked for."""

from __future__ import annotations

import warnings
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial


class LazyGroupTpe(optuna.samplers.TPESampler):
    """Multivariate TPE over groups of parameters (Bergstra et al. 2011; Falkner et al. 2018).

    Optuna samples all groups for every trial. A configuration uses those of its own strategy alone, a few of
    a dozen, and each costs milliseconds after some hundred trials.

    Args:
        seed: Seed of the sampler.
        startup_trials: Finished trials before it takes over from chance.
    """

    def __init__(self, seed: int, startup_trials: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            super().__init__(
                seed=seed,
                n_startup_trials=startup_trials,
                multivariate=True,
                group=True,
                constant_liar=False,
            )
        self._warn_independent_sampling = False  # a parameter that no trial had is drawn by itself
        self._offered: dict[str, BaseDistribution] = {}
        self._drawn: dict[str, Any] = {}

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Nothing: what the groups offer is kept until it is asked for."""
        self._offered, self._drawn = super().infer_relative_search_space(study, trial), {}
        return {}

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A value drawn together with the others of its group; by itself where it belongs to none yet."""
        if self._offered.get(param_name) == param_distribution:
            if param_name not in self._drawn:
                self._drawn |= self.sample_relative(study, trial, self._group_of(param_name))
            if param_name in self._drawn:
                return self._drawn[param_name]
        return super().sample_independent(study, trial, param_name, param_distribution)

    def _group_of(self, name: str) -> dict[str, BaseDistribution]:
        assert self._search_space_group is not None
        group = next(space for space in self._search_space_group.search_spaces if name in space)
        return {other: self._offered[other] for other in group if other in self._offered}
