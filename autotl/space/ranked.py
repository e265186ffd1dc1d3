"""A search space with its backbones in another order: better ones first, in the portfolio too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import groupby
from typing import Any

from autotl.config import TrialConfig, Value
from autotl.space.space import SearchSpace


def ranked(space: SearchSpace, inputs: Mapping[str, Mapping[str, Value]]) -> SearchSpace:
    """The same configurations with better backbones first.

    Entries of the portfolio that are free to take any backbone but the default take the best ones, and of
    neighbouring entries that differ in their backbone only the best one's comes first. The baseline stays
    where it is.

    Args:
        space: The space.
        inputs: All its backbones, best first, each with the parameters that suit it (such as `input_size`).
    """
    order = list(inputs)
    strategies = tuple(
        replace(strategy, backbones=tuple(sorted(strategy.backbones, key=order.index)))
        for strategy in space.strategies
    )
    found = replace(space, backbones=tuple(order), strategies=strategies)
    pairs = [(entry, _instead(entry, space, found, inputs)) for entry in space.entries]
    moved = pairs[:1]
    for _, neighbours in groupby(pairs[1:], key=lambda pair: _recipe(pair[0])):
        moved += sorted(neighbours, key=lambda pair: order.index(pair[1].backbone))
    return found.with_entries({old.key: new for old, new in moved})


def _instead(
    entry: TrialConfig, before: SearchSpace, after: SearchSpace, inputs: Mapping[str, Mapping[str, Value]]
) -> TrialConfig:
    """A free entry on the backbone that now has the place that its own had; any other as it is."""
    if entry.key not in before.free:
        return entry
    name = _others(after, entry.strategy)[_others(before, entry.strategy).index(entry.backbone)]
    return after.complete(name, entry.strategy, {**entry.params, **inputs[name]})


def _others(space: SearchSpace, strategy: str) -> list[str]:
    """The backbones of a strategy, best first, without the default one."""
    return [name for name in space.strategy(strategy).backbones if name != space.default_backbone]


def _recipe(entry: TrialConfig) -> tuple[str, dict[str, Any]]:
    return entry.strategy, dict(entry.params)
