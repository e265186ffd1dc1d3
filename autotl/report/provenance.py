"""What a person needs to repeat a run: commands, settings, and what identifies data, weights and machine."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from autotl.report import words
from autotl.report.recorded import mapping, number, said, sequence, text

#: Names and passwords in addresses.
SECRET = re.compile(r"(?<=://)[^/\s]+@")


def provenance(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Facts of a run as pairs of name and value."""
    data, weights = mapping(record.get("data")), mapping(record.get("weights"))
    took = words.seconds(number(record.get("seconds")))
    budget = number(record.get("budget_seconds"))
    first = number(record.get("first_model_seconds"))
    delivered = number(record.get("model_seconds"))
    pairs: Iterable[tuple[str, object]] = (
        ("autotl", mapping(record.get("versions")).get("autotl")),
        ("started", words.moment(text(record.get("started")))),
        ("took", took if budget is None else f"{took} of a budget of {words.seconds(budget)}"),
        ("first usable model", None if first is None else f"after {words.seconds(first)}"),
        ("model delivered", None if delivered is None else f"after {words.seconds(delivered)}"),
        ("seed", record.get("seed")),
        ("data", data.get("source")),
        ("data fingerprint", data.get("fingerprint")),
        ("rows", said(data["rows"]) if data.get("rows") else None),
        ("weights", _weights(weights)),
        ("revision of the weights", weights.get("revision")),
        ("sha256 of the weights", said(weights["sha256"]) if weights.get("sha256") else None),
        ("temperature", record.get("temperature")),
        ("hardware", said(record["hardware"]) if record.get("hardware") else None),
        ("versions", _versions(mapping(record.get("versions")))),
        ("parity of the exported model", said(record["parity"]) if record.get("parity") else None),
    )
    shown = [(name, text(value)) for name, value in pairs]
    is_elsewhere = bool(weights) and not weights.get("revision")  # only hubs have revisions
    return [(n, v or words.NOTHING) for n, v in shown if v or not (is_elsewhere and n.startswith("revision"))]


def settings(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Everything that was asked for, defaults included, as pairs of name and value."""
    return [
        (words.label(name), without_secrets(said(value)))
        for name, value in mapping(record.get("settings")).items()
    ]


def command(record: Mapping[str, Any]) -> str:
    """The command by which a run was begun, as one line to type; empty where it was not recorded."""
    return _line(record.get("command"))


def resumed(record: Mapping[str, Any]) -> list[str]:
    """The commands by which it went on."""
    return [_line(value) for value in sequence(record.get("resumed"))]


def without_secrets(value: Any) -> Any:
    """A JSON-ready value without the names and passwords in addresses that it holds."""
    if isinstance(value, str):
        return SECRET.sub("***@", value)
    if isinstance(value, Mapping):
        return {key: without_secrets(item) for key, item in value.items()}
    return [without_secrets(item) for item in value] if isinstance(value, (list, tuple)) else value


def _line(value: object) -> str:
    """Arguments quoted for a POSIX shell, or a line of Python, without passwords in addresses."""
    line = shlex.join(map(text, value)) if isinstance(value, (list, tuple)) else text(value)
    return str(without_secrets(line))


def _weights(weights: Mapping[str, Any]) -> str:
    """Where the weights came from."""
    if not weights:
        return ""
    source = f"{text(weights.get('source'))} {text(weights.get('reference'))}".strip()
    licence = text(weights.get("licence"))
    return f"{text(weights.get('name'))}, {source}{f', {licence}' if licence else ''}"


def _versions(versions: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {text(version)}" for name, version in versions.items())
