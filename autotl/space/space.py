"""`SearchSpace`: which configurations may be tried, and the portfolio that is tried first.

Immutable, plain data, JSON in and out. It is made from TOML by `autotl.space.resolve`, and narrowed to a
data set by `autotl.space.builder`; it knows neither files nor data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autotl.config import Domain, TrialConfig, Value
from autotl.errors import SpaceError
from autotl.space import domains
from autotl.space.conditions import Test, hold

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

    from autotl.strategies.strategy import Strategy


@dataclass(frozen=True)
class Parameter:
    """One parameter of one strategy.

    Attributes:
        name: Its name in `TrialConfig.params`.
        optuna_name: Its name in the study: `name`, or "STRATEGY.NAME" where this strategy's domain differs
            from that of most others, because Optuna keeps one distribution a name.
        domain: Its values.
        when: Conditions on earlier parameters and on "backbone"; it exists only where all hold.
    """

    name: str
    optuna_name: str
    domain: Domain
    when: Mapping[str, Test] = field(default_factory=dict)


@dataclass(frozen=True)
class StrategySpace:
    """What may be chosen once a strategy is.

    Attributes:
        name: The strategy.
        backbones: Names of the backbones that it may carry, best first.
        parameters: Its parameters, each after those that its conditions name.
        searched: False for a control, which is never suggested.
    """

    name: str
    backbones: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    searched: bool = True

    def active(self, backbone: str, params: dict[str, Value]) -> Iterator[Parameter]:
        """The parameters that exist, in order.

        Args:
            backbone: Name of the backbone.
            params: Values so far; the caller adds each parameter's value before it asks for the next.
        """
        for parameter in self.parameters:
            if hold(parameter.when, {**params, "backbone": backbone}):
                yield parameter


@dataclass(frozen=True)
class SearchSpace:
    """All configurations that may be tried.

    Attributes:
        backbones: Names of the admitted backbones, best first.
        default_backbone: The backbone of the ten-line baseline.
        strategies: What each strategy may choose.
        entries: The portfolio, complete configurations in the order of trial.
        free: Keys of the entries that ask for a good backbone, not for a certain one.
        leading: Keys of the entries that are tried, in their order, before anything is chosen among the rest.
    """

    backbones: tuple[str, ...]
    default_backbone: str
    strategies: tuple[StrategySpace, ...]
    entries: tuple[TrialConfig, ...] = ()
    free: frozenset[str] = frozenset()
    leading: frozenset[str] = frozenset()

    @classmethod
    def from_toml(
        cls,
        source: str | Path,
        *,
        strategies: Mapping[str, Strategy] | None = None,
        profile: Mapping[str, Any] | None = None,
    ) -> SearchSpace:
        """The whole space that one TOML file describes, narrowed by nothing but the profile.

        Args:
            source: A path, or TOML text.
            strategies: Strategies by name; all that are installed unless given.
            profile: `DatasetProfile.to_json()`; a neutral one unless given.

        Raises:
            SpaceError: The file has a mistake; the message names its line.
        """
        from autotl.space.resolve import from_documents

        return from_documents(source, strategies=strategies, profile=profile)

    def suggest(self, trial: BaseTrial) -> TrialConfig:
        """Ask an Optuna trial for a configuration, define-by-run.

        Only parameters of the chosen strategy whose conditions hold are suggested.
        """
        names = tuple(strategy.name for strategy in self.strategies if strategy.searched)
        chosen = names[0] if len(names) == 1 else trial.suggest_categorical("strategy", names)
        strategy = self.strategy(chosen)
        name = self._backbone_name(strategy)
        backbone = (
            strategy.backbones[0] if name is None else trial.suggest_categorical(name, strategy.backbones)
        )
        params: dict[str, Value] = {}
        for parameter in strategy.active(backbone, params):
            params[parameter.name] = domains.suggest(trial, parameter.optuna_name, parameter.domain)
        return TrialConfig(backbone, strategy.name, params)

    def to_optuna(self, config: TrialConfig) -> dict[str, Value]:
        """Parameters for `study.enqueue_trial` that make `suggest` return this very configuration.

        Raises:
            SpaceError: The configuration is not in the space, or belongs to a control.
        """
        reason = self.objection(config)
        strategy = None if reason else self.strategy(config.strategy)
        if strategy is None or not strategy.searched:
            raise SpaceError(
                "a configuration cannot be enqueued",
                found=reason or f"strategy {config.strategy!r}, a control",
                expected="a configuration that the search space may suggest",
            )
        values: dict[str, Value] = {}
        if sum(other.searched for other in self.strategies) > 1:
            values["strategy"] = config.strategy
        name = self._backbone_name(strategy)
        if name is not None:
            values[name] = config.backbone
        for parameter in strategy.parameters:
            if parameter.name in config.params and not domains.is_fixed(parameter.domain):
                values[parameter.optuna_name] = config.params[parameter.name]
        return values

    def strategy(self, name: str) -> StrategySpace:
        """What may be chosen for a strategy.

        Raises:
            SpaceError: It is unknown here.
        """
        for strategy in self.strategies:
            if strategy.name == name:
                return strategy
        known = ", ".join(strategy.name for strategy in self.strategies)
        raise SpaceError("a strategy is not in the search space", found=repr(name), expected=known)

    def contains(self, config: TrialConfig) -> bool:
        """Whether the configuration is in the space: complete, in range, and with nothing too much."""
        return self.objection(config) is None

    def objection(self, config: TrialConfig) -> str | None:
        """Why a configuration is not in the space, in words; None where it is."""
        strategy = next((s for s in self.strategies if s.name == config.strategy), None)
        if strategy is None:
            return f"strategy {config.strategy!r}"
        if config.backbone not in strategy.backbones:
            return f"backbone {config.backbone!r} with {strategy.name}"
        names = set()
        for parameter in strategy.active(config.backbone, dict(config.params)):
            if parameter.name not in config.params:
                return f"no {parameter.name}"
            value = config.params[parameter.name]
            if not domains.contains(parameter.domain, value):
                return f"{parameter.name} = {value!r}"
            names.add(parameter.name)
        surplus = sorted(set(config.params) - names)
        return f"{surplus[0]}, which does not apply" if surplus else None

    def complete(self, backbone: str, strategy: str, params: Mapping[str, Value]) -> TrialConfig:
        """A configuration of the space near the given values.

        Missing values are defaults, values out of range move to the nearest bound (choices to the default),
        parameters that do not exist here are dropped.

        Raises:
            SpaceError: The strategy is unknown here, or not to be had with this backbone.
        """
        chosen = self.strategy(strategy)
        if backbone not in chosen.backbones:
            raise SpaceError(
                f"backbone {backbone!r} is not in the space of {strategy}",
                found=repr(backbone),
                expected=", ".join(chosen.backbones),
                hint="See why: autotl space DATA.",
            )
        values: dict[str, Value] = {}
        for parameter in chosen.active(backbone, values):
            value = params.get(parameter.name, parameter.domain.default)
            values[parameter.name] = domains.nearest(parameter.domain, value)
        return TrialConfig(backbone, strategy, values)

    def default(self, backbone: str, strategy: str) -> TrialConfig:
        """The configuration of defaults for a backbone and a strategy.

        Raises:
            SpaceError: The strategy is unknown here, or not to be had with this backbone.
        """
        return self.complete(backbone, strategy, {})

    def portfolio(self) -> list[TrialConfig]:
        """Strong complete configurations in the order in which to try them; the first is the baseline."""
        return list(self.entries)

    def with_entries(self, moved: Mapping[str, TrialConfig | None]) -> SearchSpace:
        """The space with other entries in its portfolio.

        Args:
            moved: What takes the place of each entry, by its key, in the order of trial; None for nothing.
        """

        def still(keys: Iterable[str]) -> frozenset[str]:
            return frozenset(entry.key for entry in map(moved.get, keys) if entry is not None)

        entries = {entry.key: entry for entry in moved.values() if entry is not None}
        return replace(
            self, entries=tuple(entries.values()), free=still(self.free), leading=still(self.leading)
        )

    def controls(self) -> list[TrialConfig]:
        """Defaults of the strategies that are never suggested, such as training from scratch.

        On the default backbone, or the best one that the strategy can carry. They are run beside the search,
        not through `to_optuna`.
        """
        found = []
        for strategy in self.strategies:
            if not strategy.searched:
                usual = self.default_backbone in strategy.backbones
                backbone = self.default_backbone if usual else strategy.backbones[0]
                found.append(self.default(backbone, strategy.name))
        return found

    def describe(self) -> dict[str, Any]:
        """JSON-ready words for the console: strategies with their parameters, the portfolio."""
        return {
            "strategies": [_describe(strategy) for strategy in self.strategies],
            "portfolio": [config.to_json() for config in self.entries],
        }

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary; `from_json` inverts it exactly."""
        return {
            "backbones": list(self.backbones),
            "default_backbone": self.default_backbone,
            "strategies": [
                {
                    "name": strategy.name,
                    "searched": strategy.searched,
                    "backbones": list(strategy.backbones),
                    "parameters": [
                        {
                            "name": parameter.name,
                            "optuna_name": parameter.optuna_name,
                            "when": dict(parameter.when),
                            **domains.to_json(parameter.domain),
                        }
                        for parameter in strategy.parameters
                    ],
                }
                for strategy in self.strategies
            ],
            "portfolio": [config.to_json() for config in self.entries],
            "free": sorted(self.free),
            "leading": sorted(self.leading),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> SearchSpace:
        """Rebuild a space that `to_json` wrote."""
        strategies = tuple(
            StrategySpace(
                strategy["name"],
                tuple(strategy["backbones"]),
                tuple(
                    Parameter(p["name"], p["optuna_name"], domains.from_json(p), p["when"])
                    for p in strategy["parameters"]
                ),
                strategy["searched"],
            )
            for strategy in value["strategies"]
        )
        entries = tuple(TrialConfig.from_json(config) for config in value["portfolio"])
        free, leading = frozenset(value["free"]), frozenset(value.get("leading", ()))
        return cls(tuple(value["backbones"]), value["default_backbone"], strategies, entries, free, leading)

    def _backbone_name(self, strategy: StrategySpace) -> str | None:
        """The backbone's name in the study for this strategy; None where there is no choice."""
        if len(strategy.backbones) == 1:
            return None
        return "backbone" if strategy.backbones == self.backbones else f"{strategy.name}.backbone"


def _describe(strategy: StrategySpace) -> dict[str, Any]:
    return {
        "strategy": strategy.name,
        "searched": strategy.searched,
        "backbones": list(strategy.backbones),
        "parameters": [
            {
                "name": parameter.name,
                "values": domains.words(parameter.domain),
                "default": parameter.domain.default,
                "when": dict(parameter.when),
            }
            for parameter in strategy.parameters
        ],
    }
