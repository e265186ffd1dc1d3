"""From checked TOML files, strategies and admitted backbones to a `SearchSpace`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autotl.config import TrialConfig, Value
from autotl.errors import SpaceError
from autotl.profile.profile import DatasetProfile
from autotl.space import domains
from autotl.space.conditions import Test, hold, lookup, passes
from autotl.space.document import Document, read
from autotl.space.overrides import Resolved, resolve_parameter, unread
from autotl.space.space import Parameter, SearchSpace, StrategySpace

if TYPE_CHECKING:
    from autotl.strategies.strategy import Strategy

#: The strategy of trial 0 and of what ranks backbones, and what trial 0 is given: frozen features of the last
#: depth under logistic regression.
BASELINE_STRATEGY = "linear_probe"
_BASELINE: dict[str, Value] = {"head": "logistic", "depths": "last", "regularisation": "auto"}

_TASK = {"kind": "multiclass", "classes": ["a", "b", "c"], "metric": "accuracy"}
_ROWS = {"train": 1000, "val": 200, "test": 200}


@dataclass(frozen=True)
class Bounds:
    """What the space is narrowed to beyond the files.

    Attributes:
        backbones: Facts of the admitted backbones by name, best first (`asdict(BackboneInfo)`).
        default_backbone: The backbone of the baseline.
        carried: Names of the backbones that each strategy may carry; all where a strategy is not named.
        known: Names of all backbones in the catalogue, admitted or not.
    """

    backbones: Mapping[str, Mapping[str, Any]]
    default_backbone: str
    carried: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    known: tuple[str, ...] = ()


def from_documents(
    source: str | Path, *, strategies: Mapping[str, Strategy] | None, profile: Mapping[str, Any] | None
) -> SearchSpace:
    """What `SearchSpace.from_toml` does."""
    if strategies is None:
        from autotl.strategies.registry import strategies as installed

        strategies = installed()
    document = read(source)
    if not document.backbones:
        raise document.error((), "no backbones", "no [[backbones]]", "at least one, with a name")
    facts = {name: {"name": name} for name in document.backbones}
    bounds = Bounds(facts, document.backbones[0], known=document.backbones)
    if profile is None:
        profile = DatasetProfile(Path(document.name).stem, _TASK, _ROWS).to_json()
    return resolve([document], strategies, bounds, profile)


def resolve(
    documents: Sequence[Document],
    strategies: Mapping[str, Strategy],
    bounds: Bounds,
    facts: Mapping[str, Any],
) -> SearchSpace:
    """Make the space.

    Args:
        documents: The packaged file, then the user's; later ones override.
        strategies: Strategies by name.
        bounds: Admitted backbones.
        facts: `DatasetProfile.to_json()` with a table "run" beside it.

    Raises:
        SpaceError: A file names what does not exist or states what cannot be; or nothing is left.
    """
    declared = {name: strategy.parameters(facts) for name, strategy in strategies.items()}
    for document in documents:
        _check_names(document, declared)
    spaces = []
    for name in strategies:
        carried = bounds.carried.get(name, tuple(bounds.backbones))
        if carried and _enabled(name, documents, facts):
            parameters = _parameters(name, declared, documents, bounds, facts)
            spaces.append(StrategySpace(name, carried, parameters, _searched(name, documents)))
    if not any(space.searched for space in spaces):
        raise SpaceError(
            "the search space is empty", found="no strategy left", expected="at least one enabled strategy"
        )
    space = SearchSpace(tuple(bounds.backbones), bounds.default_backbone, _named(spaces))
    for position, document in enumerate(documents):
        for index in range(len(document.portfolio)):
            _check_entry(documents[: position + 1], index, declared, bounds, facts)
    entries, free = _portfolio(space, documents, facts)
    return replace(space, entries=entries, free=free)


def _check_names(document: Document, declared: Mapping[str, Mapping[str, Any]]) -> None:
    everything = sorted({name for parameters in declared.values() for name in parameters})
    for name in document.parameters:
        if name not in everything:
            raise unread(document, ("parameters", name), name, everything, "a strategy")
    for name, table in document.strategies.items():
        if name not in declared:
            raise document.unknown(("strategies", name), "strategy", name, declared)
        for parameter in table.get("parameters", {}):
            if parameter not in declared[name]:
                path = ("strategies", name, "parameters", parameter)
                raise unread(document, path, parameter, sorted(declared[name]), name)
        if name == BASELINE_STRATEGY and not (table.get("enabled", True) and table.get("searched", True)):
            key = "searched" if table.get("enabled", True) else "enabled"
            raise document.error(
                ("strategies", name, key),
                f"{name} cannot be left out",
                f"{key} = false",
                "true: it is trial 0",
            )


def _enabled(name: str, documents: Sequence[Document], facts: Mapping[str, Any]) -> bool:
    enabled = True
    for table in (document.strategies.get(name, {}) for document in documents):
        if "enabled" in table or "profile" in table:
            enabled = table.get("enabled", True) and hold(table.get("profile", {}), facts)
    return enabled


def _searched(name: str, documents: Sequence[Document]) -> bool:
    tables = (document.strategies.get(name, {}) for document in documents)
    return bool([True, *(table["searched"] for table in tables if "searched" in table)][-1])


def _parameters(
    strategy: str,
    declared: Mapping[str, Mapping[str, Any]],
    documents: Sequence[Document],
    bounds: Bounds,
    facts: Mapping[str, Any],
) -> tuple[Parameter, ...]:
    """The strategy's parameters in an order that puts conditions first, still under their plain names."""
    found: dict[str, Parameter] = {}
    graph: dict[str, list[str]] = {}
    for name, own in declared[strategy].items():
        resolved = resolve_parameter(own, strategy, name, documents, facts)
        when = _conditions(strategy, resolved, declared, bounds)
        if when is None:
            continue
        found[name] = Parameter(name, name, resolved.domain, when)
        graph[name] = [other for other in when if other != "backbone"]
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        ring = " -> ".join(error.args[1])
        raise SpaceError("conditions go in a circle", found=ring, expected="no circle") from error
    return tuple(found[name] for name in order if name in found)


def _conditions(
    strategy: str, resolved: Resolved, declared: Mapping[str, Mapping[str, Any]], bounds: Bounds
) -> dict[str, Test] | None:
    """Conditions that remain for the trial to test; None where the parameter never exists here."""
    remaining: dict[str, Test] = {}
    for key, test in resolved.when.items():
        if resolved.origin is not None:
            _check_condition(resolved.origin, key, test, declared)
        if key == "strategy":
            if not passes(strategy, test):
                return None
        elif key.startswith("backbone."):
            path = key.removeprefix("backbone.")
            names = [name for name, facts in bounds.backbones.items() if passes(lookup(facts, path), test)]
            if not names:
                return None
            if len(names) < len(bounds.backbones):
                remaining["backbone"] = names
        elif key != "backbone" and key not in declared[strategy]:
            return None
        else:
            remaining[key] = test
    return remaining


def _check_condition(
    origin: tuple[Document, tuple[str | int, ...]],
    key: str,
    test: Test,
    declared: Mapping[str, Mapping[str, Any]],
) -> None:
    document, path = origin
    known = {name for parameters in declared.values() for name in parameters} | {"strategy", "backbone"}
    if key not in known and not key.startswith("backbone."):
        raise document.unknown((*path, key), "parameter in a condition", key, known)
    if key == "strategy":
        for name in test if isinstance(test, list) else [test]:
            if name not in declared:
                raise document.unknown((*path, key), "strategy", str(name), declared)


def _named(spaces: Sequence[StrategySpace]) -> tuple[StrategySpace, ...]:
    """Give the most common distribution of a parameter its plain name in the study.

    A strategy with another one gets "STRATEGY.NAME". Defaults do not count: Optuna does not know them.
    """
    votes: dict[str, Counter[str]] = {}
    for space in spaces:
        for parameter in space.parameters:
            if not domains.is_fixed(parameter.domain):
                votes.setdefault(parameter.name, Counter())[domains.distribution(parameter.domain)] += 1
    usual = {name: counter.most_common(1)[0][0] for name, counter in votes.items()}

    def named(space: StrategySpace, parameter: Parameter) -> Parameter:
        own = domains.distribution(parameter.domain)
        is_usual = domains.is_fixed(parameter.domain) or usual[parameter.name] == own
        return replace(
            parameter, optuna_name=parameter.name if is_usual else f"{space.name}.{parameter.name}"
        )

    return tuple(
        replace(space, parameters=tuple(named(space, parameter) for parameter in space.parameters))
        for space in spaces
    )


def _portfolio(
    space: SearchSpace, documents: Sequence[Document], facts: Mapping[str, Any]
) -> tuple[tuple[TrialConfig, ...], frozenset[str]]:
    """The baseline, then the user's entries, then the packaged ones, each once; and keys of the free ones.

    Where no file has a portfolio, the defaults of every strategy stand in.
    """
    found: dict[str, TrialConfig] = {}
    free = set()
    searched = [strategy for strategy in space.strategies if strategy.searched]
    probe = next((strategy for strategy in searched if strategy.name == BASELINE_STRATEGY), None)
    if probe is not None:
        usual = space.default_backbone in probe.backbones
        baseline = space.complete(
            space.default_backbone if usual else probe.backbones[0], BASELINE_STRATEGY, _BASELINE
        )
        found[baseline.key] = baseline
    entries = [entry for document in reversed(documents) for entry in document.portfolio]
    for entry in entries or [{"strategy": strategy.name} for strategy in searched]:
        if hold(entry.get("profile", {}), facts):
            for config in _configs(space, entry):
                if entry.get("backbone") == "others" and config.key not in found:
                    free.add(config.key)
                found.setdefault(config.key, config)
    return tuple(found.values()), frozenset(free)


def _check_entry(
    documents: Sequence[Document],
    index: int,
    declared: Mapping[str, Mapping[str, Any]],
    bounds: Bounds,
    facts: Mapping[str, Any],
) -> None:
    """Refuse an entry that names what does not exist, or a value that its own file does not allow."""
    document = documents[-1]
    entry, path = document.portfolio[index], ("portfolio", index)
    strategy, backbone = entry["strategy"], entry.get("backbone", "default")
    if strategy not in declared:
        raise document.unknown((*path, "strategy"), "strategy", strategy, declared)
    known = ("default", "others", *bounds.backbones, *bounds.known)
    if backbone not in known:
        raise document.unknown((*path, "backbone"), "backbone", backbone, known)
    for name, value in entry.get("params", {}).items():
        if name not in declared[strategy]:
            raise unread(document, (*path, "params", name), name, sorted(declared[strategy]), strategy)
        domain = resolve_parameter(declared[strategy][name], strategy, name, documents, None).domain
        if hold(entry.get("profile", {}), facts) and not domains.contains(domain, value):
            raise document.error(
                (*path, "params", name), f"{name} is out of its range", repr(value), domains.words(domain)
            )


def _configs(space: SearchSpace, entry: Mapping[str, Any]) -> list[TrialConfig]:
    """The configurations of one entry: one, or one a backbone; none where the space has no place for it."""
    chosen = next((s for s in space.strategies if s.name == entry["strategy"] and s.searched), None)
    if chosen is None:
        return []
    backbone = entry.get("backbone", "default")
    if backbone == "others":
        wanted = [name for name in chosen.backbones if name != space.default_backbone]
    else:
        wanted = [space.default_backbone if backbone == "default" else backbone]
    wanted = [name for name in wanted if name in chosen.backbones][: entry.get("limit")]
    return [space.complete(name, chosen.name, entry.get("params", {})) for name in wanted]
