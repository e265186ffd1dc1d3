"""A search space in which backbones take no inputs larger than a deployed model can afford."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from autotl.config import Choice
from autotl.space import domains
from autotl.space.space import Parameter, SearchSpace, StrategySpace

#: The parameter; 0 among its options stands for the backbone's own size.
SIZE = "input_size"


def limited(space: SearchSpace, sizes: Mapping[str, Sequence[int]]) -> SearchSpace:
    """The space with input sizes left out that are too dear, backbone by backbone.

    Args:
        space: The space.
        sizes: By name of backbone, the options of `input_size` that it may take, the best first; at least
            one. Backbones that are not named may take all.

    Returns:
        The space; entries of the portfolio move to the nearest configuration that is left.
    """
    strategies = tuple(replace(s, parameters=tuple(_split(s, sizes))) for s in space.strategies)
    found = replace(space, strategies=strategies)
    return found.with_entries(
        {entry.key: found.complete(entry.backbone, entry.strategy, entry.params) for entry in space.entries}
    )


def _split(strategy: StrategySpace, sizes: Mapping[str, Sequence[int]]) -> Iterator[Parameter]:
    """The parameters, the input size once for all backbones that may choose among the same options."""
    for parameter in strategy.parameters:
        if parameter.name != SIZE or not isinstance(parameter.domain, Choice):
            yield parameter
            continue
        alike: dict[Choice, list[str]] = {}
        for name in _carriers(strategy, parameter):
            alike.setdefault(_narrowed(parameter.domain, sizes.get(name)), []).append(name)
        for domain, names in alike.items():
            own = "" if domain == parameter.domain else f" of {domains.words(domain)}"
            yield replace(
                parameter,
                optuna_name=parameter.optuna_name + own,
                domain=domain,
                when={**parameter.when, **({"backbone": names} if len(alike) > 1 else {})},
            )


def _carriers(strategy: StrategySpace, parameter: Parameter) -> list[str]:
    """The backbones for which a parameter exists."""
    allowed = parameter.when.get("backbone")
    return [name for name in strategy.backbones if not isinstance(allowed, list) or name in allowed]


def _narrowed(domain: Choice, sizes: Sequence[int] | None) -> Choice:
    """The options that are among these sizes; where none is, the best size alone."""
    if sizes is None:
        return domain
    options = tuple(option for option in domain.options if option in sizes) or (sizes[0],)
    best = sizes[0] if sizes[0] in options else options[0]
    return Choice(options, domain.default if domain.default in options else best)
