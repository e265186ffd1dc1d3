"""Finds strategies: the files beside this one, and entry points in the group `autotl.strategies`."""

from __future__ import annotations

from autotl.errors import SpaceError
from autotl.registry import discover, named
from autotl.strategies.strategy import Strategy


def strategies() -> dict[str, Strategy]:
    """All strategies by name."""
    return discover("autotl.strategies", "STRATEGY")


def strategy(name: str) -> Strategy:
    """The strategy called `name`.

    Raises:
        SpaceError: There is none.
    """
    return named(name, strategies(), "strategy", SpaceError)
