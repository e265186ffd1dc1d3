"""Conditions of a search space: on the data set's profile, on the run, on a backbone's facts.

A test is a value (equal), a list of values (one of them) or a table with `min` and `max` (within). A path
with dots walks nested mappings: "rows.train", "task.kind", "run.device".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

#: What a test in TOML may be.
Test = Any


def lookup(facts: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path, or None where the path leads nowhere."""
    value: Any = facts
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def passes(value: Any, test: Test) -> bool:
    """Whether one value passes one test; a missing value passes only a test for false."""
    if isinstance(test, Mapping):
        if not isinstance(value, (int, float)):
            return False
        return bool(test.get("min", value) <= value <= test.get("max", value))
    options = test if isinstance(test, (list, tuple)) else [test]
    return (False if value is None else value) in options


def hold(conditions: Mapping[str, Test], facts: Mapping[str, Any]) -> bool:
    """Whether all conditions hold on the facts."""
    return all(passes(lookup(facts, path), test) for path, test in conditions.items())


def misshapen(test: Test) -> str | None:
    """What is wrong with a test's form, or None."""
    if isinstance(test, Mapping):
        if not test or set(test) - {"min", "max"}:
            return f"a table with {', '.join(sorted(test)) or 'no keys'}"
        return (
            None if all(isinstance(v, (int, float)) for v in test.values()) else "bounds that are no numbers"
        )
    if isinstance(test, Sequence) and not isinstance(test, str) and not test:
        return "an empty list"
    return None
