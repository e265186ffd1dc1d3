"""Which configuration to try next: what was asked for, then the portfolio, then TPE, then chance.

The sampler works on a study in memory; what really runs is written to the journal by `storage`. So the
journal's numbers have no gaps, and a proposal that nobody ran leaves no trace.
"""

from __future__ import annotations

import logging
import warnings
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import optuna
from optuna.distributions import BaseDistribution

from autotl.config import TrialConfig, TrialResult, TrialState
from autotl.errors import SearchError
from autotl.search.tpe import LazyGroupTpe

_log = logging.getLogger(__name__)
_TPE_ATTEMPTS = 10
_RANDOM_ATTEMPTS = 50


class Space(Protocol):
    """What the search needs of a search space."""

    def suggest(self, trial: optuna.trial.Trial) -> TrialConfig:
        """A configuration drawn through the `suggest_*` methods of an Optuna trial."""

    def portfolio(self) -> list[TrialConfig]:
        """Strong defaults, tried first and in this order."""

    def to_optuna(self, config: TrialConfig) -> dict[str, Any]:
        """Optuna parameters that make `suggest` return `config`."""


@dataclass(frozen=True)
class Proposal:
    """A configuration to try.

    Attributes:
        config: The configuration.
        source: "retry", "portfolio", "tpe" or "random".
        params: Its Optuna parameters; empty where the space cannot express it.
        distributions: Their distributions.
    """

    config: TrialConfig
    source: str
    params: Mapping[str, Any] = field(default_factory=dict)
    distributions: Mapping[str, BaseDistribution] = field(default_factory=dict)


class Proposer:
    """Proposes configurations, never one twice.

    A trial that failed counts as the worst one, so that the sampler leaves its neighbourhood.

    Args:
        space: The search space.
        seed: Of all samplers; the same seed and results give the same proposals.
        startup_trials: Finished trials, portfolio included, before TPE takes over from chance.
    """

    def __init__(self, space: Space, seed: int, *, startup_trials: int = 4) -> None:
        self._space = space
        self._tpe = LazyGroupTpe(seed, startup_trials)
        self._random = optuna.samplers.RandomSampler(seed=seed + 1)
        self._study = optuna.create_study(direction="maximize", sampler=self._tpe)
        self._queue: deque[tuple[TrialConfig, str]] = deque((c, "portfolio") for c in space.portfolio())
        self._known: set[str] = set()
        self._open: dict[str, optuna.trial.Trial] = {}
        self._exhausted = False

    @property
    def study(self) -> optuna.Study:
        """The sampler's study, in memory: what it knows of finished trials."""
        return self._study

    @property
    def sampler(self) -> optuna.samplers.BaseSampler:
        """The sampler that follows the portfolio."""
        return self._tpe

    @property
    def queued(self) -> TrialConfig | None:
        """What comes next for certain: of the portfolio, or to be tried again."""
        return next((config for config, _ in self._queue if config.key not in self._known), None)

    def retry(self, configs: Iterable[TrialConfig]) -> None:
        """Put configurations before all others, in the given order."""
        self._queue.extendleft((config, "retry") for config in reversed(list(configs)))

    def learn(self, result: TrialResult) -> None:
        """Take in a trial that finished before this proposer was made."""
        self.hold(result.config)
        self.tell(result)

    def hold(self, config: TrialConfig) -> None:
        """Take in a trial that was begun before this proposer was made, and is not over."""
        self._propose_exactly(config, "retry")

    def propose(self) -> Proposal | None:
        """The next configuration, or None once the space is exhausted.

        Raises:
            SearchError: The space changed while trials of the old one are in the study.
        """
        while self._queue:
            config, source = self._queue.popleft()
            if config.key not in self._known:
                return self._propose_exactly(config, source)
        if self._exhausted:
            return None
        for source, sampler, attempts in (
            ("tpe", self._tpe, _TPE_ATTEMPTS),
            ("random", self._random, _RANDOM_ATTEMPTS),
        ):
            self._study.sampler = sampler
            for _ in range(attempts):
                trial = self._study.ask()
                config = self._suggest(trial)
                if config.key not in self._known:
                    return self._register(trial, config, source)
                self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
        self._exhausted = True
        return None

    def tell(self, result: TrialResult) -> None:
        """Let the sampler learn from a finished trial."""
        trial = self._open.pop(result.config.key, None)
        if trial is None:
            return
        if result.state is TrialState.COMPLETE and result.score is not None:
            self._study.tell(trial, result.score)
            return
        if result.state is TrialState.PRUNED:
            for epoch in result.curve:
                trial.report(epoch.score, epoch.epoch)
        self._study.tell(trial, state=optuna.trial.TrialState.PRUNED)

    def put_back(self, proposal: Proposal) -> None:
        """Keep a proposal for later: it comes again before new ones."""
        self.drop(proposal)
        self._known.discard(proposal.config.key)
        self._queue.appendleft((proposal.config, proposal.source))

    def drop(self, proposal: Proposal) -> None:
        """Give a proposal up: it is not run, and not proposed again."""
        trial = self._open.pop(proposal.config.key, None)
        if trial is not None:
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)

    def _propose_exactly(self, config: TrialConfig, source: str) -> Proposal:
        self._known.add(config.key)
        self._study.sampler = self._random  # nothing is left to sample
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # a value out of range is told below
                self._study.enqueue_trial(self._space.to_optuna(config))
                trial = self._study.ask()
                suggested = self._space.suggest(trial)
        except (ValueError, KeyError) as error:  # a value that the space no longer offers
            return self._unexpressed(config, source, str(error))
        if suggested.key != config.key:
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
            return self._unexpressed(config, source, f"it gives {suggested}")
        return self._register(trial, config, source)

    def _unexpressed(self, config: TrialConfig, source: str, reason: str) -> Proposal:
        _log.warning("the sampler cannot learn from %s, which the space does not express: %s", config, reason)
        return Proposal(config, source)

    def _register(self, trial: optuna.trial.Trial, config: TrialConfig, source: str) -> Proposal:
        self._known.add(config.key)
        self._open[config.key] = trial
        return Proposal(config, source, dict(trial.params), dict(trial.distributions))

    def _suggest(self, trial: optuna.trial.Trial) -> TrialConfig:
        try:
            return self._space.suggest(trial)
        except ValueError as error:
            raise SearchError(
                "the search space cannot make a suggestion",
                found=str(error),
                hint="A resumed run needs the space that it began with; start another with --out.",
            ) from error
