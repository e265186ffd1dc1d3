"""Tolerant reading of what a run left: any key or file may be missing or malformed, and nothing raises.

It knows JSON, npz and plain values, nothing of what a report says about them.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.config import TrialConfig, TrialResult
from autotl.errors import RunError
from autotl.search.event_log import EVENTS, Entry, read_on
from autotl.task import TaskKind, metric
from autotl.trial.run_folder import RunFolder

# Control characters, writing-direction overrides and lone surrogates: they break markup, encoding or the eye.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


#: Larger numbers are no measurements, and no axis can show them.
LARGEST = 1e100


def plain(value: object) -> str:
    """Any value as text that is valid UTF-8 and XML; what cannot be shown becomes U+FFFD."""
    return _UNPRINTABLE.sub("\ufffd", value if isinstance(value, str) else str(value))


def text(value: object) -> str:
    """`plain` of a recorded value; empty where there is none."""
    return "" if value is None else plain(value).strip()


def number(value: object) -> float | None:
    """A number of at most `LARGEST`, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        result = float(value)
    except OverflowError:
        return None
    return result if abs(result) <= LARGEST else None


def whole(value: object) -> int | None:
    """A whole number, or None for anything else."""
    found = number(value)
    return None if found is None else round(found)


def shown(value: object, greater: bool) -> float | None:
    """A score in its own direction; losses are recorded negated where greater must be better."""
    found = number(value)
    return found if found is None or greater else abs(found)


def greater_is_better(name: object, kind: object) -> bool:
    """Direction of a metric for a kind of task, by their names; up where it is not known."""
    try:
        return metric(str(name), TaskKind(str(kind))).greater_is_better
    except ValueError:
        return True


def settings(values: Mapping[str, Any]) -> dict[str, str]:
    """Parameters of a trial in words."""
    found = {plain(key): (number(value), value) for key, value in values.items()}
    return {key: text(value) if figure is None else f"{figure:.4g}" for key, (figure, value) in found.items()}


def said(value: object) -> str:
    """Any recorded value on one line: numbers rounded, mappings and lists spelled out."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    found = number(value)
    if found is not None:
        return f"{found:,.0f}" if found == round(found) and abs(found) < 1e15 else f"{found:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{plain(key)} {said(item)}" for key, item in value.items()) or "none"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(said, value)) or "none"
    return text(value) or "none"


def mapping(value: object) -> Mapping[str, Any]:
    """A mapping with text keys; empty for anything else."""
    return {plain(key): item for key, item in value.items()} if isinstance(value, Mapping) else {}


def sequence(value: object) -> Sequence[Any]:
    """A list of values; empty for anything else."""
    return list(value) if isinstance(value, (list, tuple)) else []


def read_json(run: RunFolder, name: str, problems: list[str]) -> Any:
    """Content of a JSON file, or None; a file that is there and unreadable is told in `problems`."""
    if not (run.path / name).is_file():
        return None
    try:
        return run.read_json(name)
    except (RunError, OSError, ValueError, RecursionError) as error:
        problems.append(f"{name} could not be read: {text(error)}")
        return None


def read_results(run: RunFolder, problems: list[str]) -> list[TrialResult]:
    """Every readable trial by number; each unreadable one is told in `problems`."""
    results = []
    for path in sorted((run.path / "trials").glob("*/result.json")):
        try:
            results.append(_result(json.loads(path.read_text(encoding="utf-8"))))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            problems.append(f"trials/{text(path.parent.name)}/result.json could not be read: {text(error)}")
    return sorted(results, key=lambda result: result.number)


def _result(value: Any) -> TrialResult:
    """A result with values of the types that it promises; TypeError where its number is none."""
    result = TrialResult.from_json(value)
    count = whole(result.number)
    if count is None:
        raise TypeError(f"a trial's number is {result.number!r}")
    config = result.config
    return replace(
        result,
        number=count,
        config=TrialConfig(text(config.backbone), text(config.strategy), mapping(config.params)),
        score=number(result.score),
        seconds=number(result.seconds) or 0.0,
        facts=mapping(result.facts),
    )


def read_log(run: RunFolder) -> list[Entry]:
    """What the run told, as far as it can be read."""
    entries: list[Entry] = []
    with suppress(OSError):
        for found, _ in read_on(run.path / EVENTS):
            entries += found
    return entries


def read_arrays(run: RunFolder, name: str, problems: list[str]) -> dict[str, NDArray[Any]]:
    """Arrays of an npz file by name; empty where it is missing or unreadable."""
    path = run.path / name
    if not path.is_file():
        return {}
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        problems.append(f"{name} could not be read: {text(error)}")
        return {}
