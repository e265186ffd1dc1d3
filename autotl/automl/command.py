"""The command that repeats a run: as it was typed, or the call from Python that asks for the same."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from autotl.automl.settings import Settings

#: Verbs that fit, and how far behind the program's name they stand, options of all verbs before them.
_VERBS, _AT_MOST = ("fit", "demo"), 3
#: Files that are the program where no script of it was called.
_MODULES = (("autotl", "__main__.py"), ("autotl", "cli", "__main__.py"))

#: What parameters of `AutoTL` are called that settings hold under another name.
_PARAMETERS = {"time_seconds": "time_budget"}

#: Words of a command line, or a line of Python.
Command = list[str] | str


def command(settings: Settings, data: Any, labels: Any, arguments: Sequence[str] | None = None) -> Command:
    """What repeats a run.

    Args:
        settings: What was asked for.
        data: What `fit` was given.
        labels: The labels that it was given, or None.
        arguments: Those of this process; None for `sys.argv`.
    """
    typed = _typed(sys.argv if arguments is None else arguments)
    return _call(settings, data, labels) if typed is None else typed


def resumed(before: Mapping[str, Any], again: Command) -> dict[str, Any]:
    """What the record says of the commands of a run that goes on.

    Args:
        before: The record of the run so far.
        again: By what it goes on.
    """
    return {"command": before.get("command"), "resumed": [*before.get("resumed", ()), again]}


def _typed(arguments: Sequence[str]) -> list[str] | None:
    """What was typed, where this process is the command line; else None."""
    program, *words = arguments
    path = Path(program)
    is_ours = path.stem == "autotl" or any(path.parts[-len(ending) :] == ending for ending in _MODULES)
    return ["autotl", *words] if is_ours and any(verb in words[:_AT_MOST] for verb in _VERBS) else None


def _call(settings: Settings, data: Any, labels: Any) -> str:
    """The call, with the parameters that differ from their defaults."""
    from autotl.automl.estimator import AutoTL  # which imports this at its first fit

    usual = Settings.of(AutoTL(out=settings.out).get_params())
    names = [field.name for field in fields(settings) if field.name not in ("out", "resume")]
    asked = {name: getattr(settings, name) for name in names}
    changed = {name: value for name, value in asked.items() if value != getattr(usual, name)}
    changed |= {"out": settings.out} | ({"resume": True} if settings.resume else {})
    words = [f"{_PARAMETERS.get(name, name)}={_literal(value)}" for name, value in changed.items()]
    return f"AutoTL({', '.join(words)}).fit({_given(data, labels)}"


def _literal(value: Any) -> str:
    """A value as it is written in Python."""
    if isinstance(value, float) and value.is_integer():
        return repr(int(value))
    if isinstance(value, tuple):
        return repr(list(value))
    return repr(str(value) if isinstance(value, Path) else value)


def _given(data: Any, labels: Any) -> str:
    """The arguments of `fit`; what was in memory has no other name than what it is."""
    if isinstance(data, (str, Path)):
        return f"{str(data)!r})"
    names = "data" if labels is None else "data, labels"
    rows = f" of {len(data):,}" if hasattr(data, "__len__") else ""
    return f"{names})  # data: {type(data).__name__}{rows}"
