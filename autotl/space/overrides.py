"""One parameter of one strategy: its declared domain, overridden by what the TOML files say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from autotl.config import Choice, Domain
from autotl.errors import SpaceError
from autotl.space import domains
from autotl.space.conditions import Test, hold
from autotl.space.document import Document, Path_

_KEYS = {
    "choice": ("type", "options", "default"),
    "int": ("type", "low", "high", "log", "default"),
    "float": ("type", "low", "high", "log", "default"),
}


@dataclass(frozen=True)
class Resolved:
    """A parameter after all files.

    Attributes:
        domain: Its values.
        when: Conditions on other parameters, "strategy", "backbone" and "backbone.FACT".
        origin: The file and path that set the conditions, for messages.
    """

    domain: Domain
    when: Mapping[str, Test] = field(default_factory=dict)
    origin: tuple[Document, Path_] | None = None


def resolve_parameter(
    declared: Domain,
    strategy: str,
    name: str,
    documents: Sequence[Document],
    facts: Mapping[str, Any] | None,
) -> Resolved:
    """Apply the files in order, each first for all strategies, then for this one.

    Args:
        declared: The domain from `Strategy.parameters`.
        strategy: Name of the strategy.
        name: Name of the parameter.
        documents: The packaged file, then the user's.
        facts: What conditions are tested on; None leaves conditions on facts and adjustments aside.

    Raises:
        SpaceError: A table gives no valid domain.
    """
    resolved, is_fixed = Resolved(declared), False
    for document in documents:
        own = document.strategies.get(strategy, {}).get("parameters", {})
        for path, tables in (
            (("parameters", name), document.parameters),
            (("strategies", strategy, "parameters", name), own),
        ):
            if name not in tables:
                continue
            table = tables[name]
            domain = override(document, path, resolved.domain, table)
            if "when" in table:
                resolved = Resolved(domain, table["when"], (document, (*path, "when")))
            resolved = Resolved(domain, resolved.when, resolved.origin)
            if facts is None:
                continue
            if "profile" in table:
                is_fixed = not hold(table["profile"], facts)
            for index, change in enumerate(table.get("adjust", ())):
                if hold(change.get("profile", {}), facts):
                    where: Path_ = (*path, "adjust", index)
                    resolved = Resolved(
                        override(document, where, resolved.domain, change), resolved.when, resolved.origin
                    )
    if is_fixed:
        alone = domains.fixed(resolved.domain, resolved.domain.default)
        return Resolved(alone, resolved.when, resolved.origin)
    return resolved


def override(document: Document, path: Path_, domain: Domain, table: Mapping[str, Any]) -> Domain:
    """A domain with the keys that a TOML table states put in place of its own.

    Where the range shrinks and no default is stated, the default moves into it.

    Raises:
        SpaceError: The table gives no valid domain; the message names its line.
    """
    was = domains.kind(domain)
    kind = table.get("type", was)
    given = {key: table[key] for key in ("low", "high", "log", "options", "default") if key in table}
    _check_keys(document, path, kind, given, is_new=kind != was)
    stated = {**(domains.to_json(domain) if kind == was else {}), **given, "type": kind}
    moved = "default" not in given
    if moved and kind != was:
        stated["default"] = stated["options"][0] if kind == "choice" else stated["low"]
    changed = domains.from_json(stated)
    if moved and domains.problem(changed) is not None:
        stated["default"] = _nearest_default(changed)
        changed = domains.from_json(stated)
    problem = domains.problem(changed)
    if problem is not None:
        key, found, expected = problem
        raise document.error((*path, key), f"{key} of {path[-1]} is wrong", found, expected)
    return changed


def _nearest_default(domain: Domain) -> Any:
    if isinstance(domain, Choice):
        return domain.options[0] if domain.options else domain.default
    return domains.nearest(domain, domain.default)


def _check_keys(
    document: Document, path: Path_, kind: str, given: Mapping[str, Any], *, is_new: bool
) -> None:
    name = path[-1]
    for key, value in given.items():
        if key not in _KEYS[kind]:
            hint = 'Say type = "choice" to turn it into one.' if key == "options" else None
            raise document.error(
                (*path, key), f"{name} is of type {kind}", key, ", ".join(_KEYS[kind][1:]), hint
            )
        if kind == "int" and key != "log" and (isinstance(value, bool) or not isinstance(value, int)):
            raise document.error((*path, key), f"{key} of {name} is no whole number", repr(value), "an int")
        if (
            kind == "float"
            and key != "log"
            and (isinstance(value, bool) or not isinstance(value, (int, float)))
        ):
            raise document.error((*path, key), f"{key} of {name} is no number", repr(value), "a number")
        if key == "options" and not all(isinstance(option, (str, int, float)) for option in value):
            raise document.error(
                (*path, key), f"options of {name} are no plain values", value, "strings or numbers"
            )
    needed = ("options",) if kind == "choice" else ("low", "high")
    missing = [key for key in needed if is_new and key not in given]
    if missing:
        raise document.error(
            (*path, "type"), f"{name} needs {missing[0]}", f"type = {kind!r}", ", ".join(needed)
        )


def unread(document: Document, path: Path_, name: str, known: Sequence[str], who: str) -> SpaceError:
    """The error for a parameter that no strategy, or not this one, reads."""
    return document.unknown(path, f"parameter: {who} reads none of this name", name, known)
