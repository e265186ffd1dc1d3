"""Writes the reference of the command line from the Typer app: a page a verb, and one that lists them.

What a page says is the app's: help texts, arguments, options with their defaults, and the examples.
"""

from __future__ import annotations

import re
import shutil
import types
import typing
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import typer

_MARKUP = re.compile(r"\[/?(?:bold|dim|italic)?\]")
_EXAMPLE = re.compile(r"\[bold\](.+?)\[/\]")
_OTHER_OPTIONS = "Other options"
_KINDS = {int: "N", float: "NUMBER"}
_GLOBAL = """
Before a verb: `autotl --debug VERB` shows the traceback of an error, `autotl --version` prints the version.

Exit codes: 0 where all went well, 2 for what you can put right (the message says how), 130 where Ctrl-C broke
off (the first Ctrl-C of `fit` only ends its search: it exports, and ends with 0), 1
for a defect of the program, which keeps its traceback. [`audit`](audit.md),
[`watch`](watch.md) and [`monitor`](monitor.md) have codes of their own.
"""


def verbs(app: typer.Typer) -> dict[str, Any]:
    """The commands of an app by name, in the order of its help."""
    group: Any = typer.main.get_command(app)
    return dict(group.commands)


def write_pages(app: typer.Typer, folder: Path) -> None:
    """Write all pages into a folder; what lay in it is deleted."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    for name, text in command_pages(app).items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")


def command_pages(app: typer.Typer) -> dict[str, str]:
    """Markdown by name of the page: "index", and one for each verb."""
    found = verbs(app)
    return {"index": _index(found), **{name: verb_page(name, verb) for name, verb in found.items()}}


def verb_page(name: str, verb: Any) -> str:
    """The page of a verb.

    Args:
        name: Its name.
        verb: Its command, as Typer makes it.
    """
    summary, *paragraphs = _paragraphs(verb.help)
    arguments = [parameter for parameter in verb.params if parameter.param_type_name == "argument"]
    options = [parameter for parameter in verb.params if parameter.param_type_name == "option"]
    usage = " ".join(["autotl", name, *(["[OPTIONS]"] if options else []), *map(_usage, arguments)])
    kinds = typing.get_type_hints(verb.callback)
    parts = [f"# autotl {name}", summary, f"```text\n{usage}\n```", *paragraphs]
    examples = _EXAMPLE.findall(verb.epilog or "")
    if examples:
        parts += ["```console\n" + "\n".join(f"$ {example}" for example in examples) + "\n```"]
    parts += [_plain(line) for line in _paragraphs(verb.epilog) if not _EXAMPLE.search(line)]
    if arguments:
        rows = [(f"`{_metavar(parameter)}`", _plain(parameter.help)) for parameter in arguments]
        parts += ["## Arguments", _table(("argument", "what it is"), rows)]
    for panel, members in _panels(options).items():
        rows3 = [
            (_names(option, kinds.get(option.name)), _plain(option.help), _default(option))
            for option in members
        ]
        parts += [f"## {panel}", _table(("option", "what it does", "default"), rows3)]
    return "\n\n".join(parts) + "\n"


def _index(found: Mapping[str, Any]) -> str:
    by_panel: dict[str, list[str]] = defaultdict(list)
    for name, verb in found.items():
        summary = _paragraphs(verb.help)[0]
        by_panel[_panel(verb, "Verbs")].append(f"| [`autotl {name}`]({name}.md) | {_cell(summary)} |")
    parts = ["# Command line", "Made from the program itself; `autotl VERB --help` shows the same."]
    for panel, rows in by_panel.items():
        parts += [f"## {panel}", "\n".join(["| verb | what it does |", "| --- | --- |", *rows])]
    tree = "\n".join(["```{toctree}", ":hidden:", "", *found, "```"])
    return "\n\n".join([*parts, _GLOBAL.strip(), tree]) + "\n"


def _panels(options: Iterable[Any]) -> dict[str, list[Any]]:
    """Options by the panel that the help shows them in; those without one come last."""
    found: dict[str, list[Any]] = defaultdict(list)
    for option in options:
        if not getattr(option, "hidden", False) and "--help" not in option.opts:
            found[_panel(option, _OTHER_OPTIONS)].append(option)
    if len(found) == 1 and _OTHER_OPTIONS in found:
        return {"Options": found[_OTHER_OPTIONS]}
    return dict(sorted(found.items(), key=lambda item: item[0] == _OTHER_OPTIONS))


def _panel(thing: Any, otherwise: str) -> str:
    """The panel of a verb or an option; Typer leaves None or a placeholder of its own where none is."""
    panel = getattr(thing, "rich_help_panel", None)
    return panel if isinstance(panel, str) else otherwise


def _usage(argument: Any) -> str:
    name = _metavar(argument) + ("..." if argument.nargs == -1 else "")
    return name if argument.required else f"[{name}]"


def _metavar(parameter: Any) -> str:
    return str(parameter.metavar or parameter.human_readable_name.upper())


def _names(option: Any, kind: Any) -> str:
    """An option as it is typed, with the kind of value that it takes."""
    names = " / ".join([*option.opts, *option.secondary_opts])
    if option.is_flag or option.secondary_opts:
        return f"`{names}`"
    listed = " | ".join(map(str, _choices(kind)))
    return f"`{names} {option.metavar or listed or _KINDS.get(kind, 'VALUE')}`"


def _choices(kind: Any) -> tuple[Any, ...]:
    """Values of a literal type, be it optional; () of any other."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return next((found for part in typing.get_args(kind) if (found := _choices(part))), ())
    return typing.get_args(kind) if typing.get_origin(kind) is typing.Literal else ()


def _default(option: Any) -> str:
    value = option.default() if callable(option.default) else option.default
    if option.is_flag or option.secondary_opts:
        known = (option.opts if value else option.secondary_opts)[:1] if option.secondary_opts else []
        return f"`{known[0]}`" if known and value is not None else ""
    if not isinstance(value, (str, int, float)) or value == "":
        return ""
    return f"`{value}`"


def _paragraphs(text: str | None) -> list[str]:
    """Paragraphs of a help text, each in one line."""
    return [" ".join(part.split()) for part in re.split(r"\n\s*\n", text or "") if part.strip()]


def _plain(text: str | None) -> str:
    return _MARKUP.sub("", " ".join((text or "").split()))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *(tuple(_cell_once(cell) for cell in row) for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell_once(text: str) -> str:
    """A cell without bare pipes; escaped ones stay as they are."""
    return re.sub(r"(?<!\\)\|", r"\\|", text)
