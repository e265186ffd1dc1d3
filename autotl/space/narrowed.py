"""A search space with backbones left out, such as a resumed run searches that may no longer use them all."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import replace

from autotl.config import TrialConfig
from autotl.errors import SpaceError
from autotl.space.resolve import BASELINE_STRATEGY
from autotl.space.space import SearchSpace, StrategySpace


def narrowed(space: SearchSpace, names: Container[str]) -> SearchSpace:
    """The space with these backbones alone.

    Where the default one is left out, the best that can carry the baseline takes its place, in the portfolio
    too. Entries that ask for any good backbone move to the best that is left; those that ask for a certain
    one go with it.

    Args:
        space: The space.
        names: The backbones to keep, of which it has one at least.

    Raises:
        SpaceError: It has none of them.
    """
    kept = tuple(name for name in space.backbones if name in names)
    if kept == space.backbones:
        return space
    carried = ((s, tuple(name for name in s.backbones if name in names)) for s in space.strategies)
    strategies = tuple(replace(strategy, backbones=own) for strategy, own in carried if own)
    wanted = (space.default_backbone, *kept)
    default = next((name for name in wanted if _carries_baseline(strategies, name)), None)
    if default is None:
        raise SpaceError(
            "no backbone is left to search with",
            found=", ".join(space.backbones),
            expected="one of them that may still be used",
            hint="See why: autotl space DATA. Or begin anew with another --out.",
        )
    found = replace(space, backbones=kept, default_backbone=default, strategies=strategies)
    return found.with_entries({entry.key: _moved(entry, space, found) for entry in space.entries})


def _carries_baseline(strategies: Sequence[StrategySpace], name: str) -> bool:
    return any(s.name == BASELINE_STRATEGY and name in s.backbones for s in strategies)


def _moved(entry: TrialConfig, before: SearchSpace, after: SearchSpace) -> TrialConfig | None:
    """An entry of the portfolio in the space that is left; None where there is no place for it."""
    carriers = next((s.backbones for s in after.strategies if s.name == entry.strategy), ())
    if entry.backbone in carriers:
        return entry
    if not carriers or not (entry.backbone == before.default_backbone or entry.key in before.free):
        return None
    wanted = after.default_backbone if entry.backbone == before.default_backbone else carriers[0]
    return after.complete(wanted if wanted in carriers else carriers[0], entry.strategy, entry.params)
