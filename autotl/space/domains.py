"""Operations on the domains of `autotl.config`: JSON, words, Optuna, narrowing. Knows no TOML file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from autotl.config import Choice, Domain, Float, Int, Value

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

#: Kinds of domain by their name in TOML and JSON.
KINDS: dict[str, type[Float] | type[Int] | type[Choice]] = {"float": Float, "int": Int, "choice": Choice}


def kind(domain: Domain) -> str:
    """The domain's name in TOML and JSON: "float", "int" or "choice"."""
    return next(name for name, cls in KINDS.items() if isinstance(domain, cls))


def to_json(domain: Domain) -> dict[str, Any]:
    """A JSON-ready dictionary; `from_json` inverts it."""
    if isinstance(domain, Choice):
        return {"type": "choice", "options": list(domain.options), "default": domain.default}
    return {
        "type": kind(domain),
        "low": domain.low,
        "high": domain.high,
        "log": domain.log,
        "default": domain.default,
    }


def from_json(value: Mapping[str, Any]) -> Domain:
    """Rebuild a domain that `to_json` wrote, or that a full TOML table states."""
    if value["type"] == "choice":
        return Choice(tuple(value["options"]), value["default"])
    if value["type"] == "int":
        return Int(value["low"], value["high"], value["default"], value.get("log", False))
    low, high, default = (float(value[key]) for key in ("low", "high", "default"))
    return Float(low, high, default, value.get("log", False))


def distribution(domain: Domain) -> str:
    """A text equal for domains that Optuna cannot tell apart: all but the default."""
    return json.dumps({**to_json(domain), "default": None})


def words(domain: Domain) -> str:
    """The domain for a person: "0.0001 to 0.1 (log)" or "1, 2, 4"."""
    if isinstance(domain, Choice):
        return ", ".join(str(option) for option in domain.options)
    if is_fixed(domain):
        return f"{domain.low:g}"
    return f"{domain.low:g} to {domain.high:g}" + (" (log)" if domain.log else "")


def is_fixed(domain: Domain) -> bool:
    """Whether only one value is possible, so that nothing need be searched."""
    return len(domain.options) == 1 if isinstance(domain, Choice) else domain.low == domain.high


def fixed(domain: Domain, value: Value) -> Domain:
    """The domain narrowed to one of its values."""
    if isinstance(domain, Choice):
        return Choice((value,), value)
    number: Any = value
    return replace(domain, low=number, high=number, default=number)


def contains(domain: Domain, value: Value) -> bool:
    """Whether `value` lies in the domain and has its type; True and 1 are different values here."""
    if isinstance(domain, Choice):
        return any(
            option == value and isinstance(option, bool) == isinstance(value, bool)
            for option in domain.options
        )
    return not isinstance(value, bool) and domain.contains(value)


def nearest(domain: Domain, value: Value) -> Value:
    """`value` in the domain's own type, moved to the nearest bound; the default for what is no such value."""
    if isinstance(domain, Choice):
        return domain.options[domain.options.index(value)] if contains(domain, value) else domain.default
    if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
        return domain.default
    number = min(max(value, domain.low), domain.high)
    return float(number) if isinstance(domain, Float) else int(number)


def problem(domain: Domain) -> tuple[str, object, str] | None:
    """What is wrong with a domain as (key, found, expected), or None."""
    if isinstance(domain, Choice):
        if not domain.options:
            return "options", "an empty list", "at least one value"
        if len(set(domain.options)) < len(domain.options):
            return "options", list(domain.options), "each value once"
        if not contains(domain, domain.default):
            return "default", repr(domain.default), "one of " + words(domain)
        return None
    if domain.low > domain.high:
        return "low", f"low = {domain.low:g}, high = {domain.high:g}", "low <= high"
    if domain.log and domain.low <= 0:
        return "low", f"{domain.low:g}", "low > 0, because log = true"
    if not contains(domain, domain.default):
        return "default", repr(domain.default), f"a value from {domain.low:g} to {domain.high:g}"
    return None


def suggest(trial: BaseTrial, name: str, domain: Domain) -> Value:
    """Ask Optuna for a value under `name`; a fixed domain is answered without asking."""
    if is_fixed(domain):
        return domain.default
    if isinstance(domain, Choice):
        value: Value = trial.suggest_categorical(name, domain.options)
        return value
    if isinstance(domain, Int):
        return trial.suggest_int(name, domain.low, domain.high, log=domain.log)
    return trial.suggest_float(name, domain.low, domain.high, log=domain.log)
