"""Parts of pages that are made from the program when the site is built; `{generated} NAME` shows one."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator

from docs.making import figures
from docs.making.figures import table

_FILES = re.compile(r"^ {4}(?:(?P<names>\S.*?)(?: {2,}(?P<words>\S.*))?| {8,}(?P<more>\S.*))$", re.M)


def strategies() -> str:
    """The strategies, plug-ins included."""
    from autotl.strategies.registry import strategies as known

    rows = [(f"`{name}`", strategy.summary) for name, strategy in known().items()]
    return table(("strategy", "what trains"), rows)


def schedulers() -> str:
    """The schedulers, with the first sentence of each."""
    from autotl.search.schedulers.scheduler import schedulers as known

    rows = [(f"`{name}`", _first_line(inspect.getmodule(type(one)))) for name, one in known().items()]
    return table(("scheduler", "who gets the next epoch"), rows)


def backbones() -> str:
    """The catalogue."""
    from autotl.backbones.catalogue import catalogue

    parts = []
    for modality in ("image", "text"):
        rows = [
            (
                f"`{info.name}`",
                info.source,
                info.licence,
                "yes" if info.commercial else "with conditions",
                f"{info.parameters / 1e6:.1f} M",
                info.pretraining,
            )
            for info in catalogue(modality).values()
        ]
        head = ("name", "source", "licence", "commercial use", "weights", "pretrained on")
        parts += [f"**Of {modality}s**, {len(rows)} networks:", table(head, rows)]
    return "\n\n".join(parts)


def metrics() -> str:
    """Names of metrics by task; the first is the usual one."""
    from autotl.task import TaskKind, default_metric
    from autotl.task import metrics as known

    rows = []
    for kind in TaskKind:
        usual = default_metric(kind)
        others = [f"`{name}`" for name in known(kind) if name != usual]
        rows.append((kind.value, f"`{usual}`", ", ".join(others)))
    return table(("task", "unless `--metric` says otherwise", "others"), rows)


def run_folder() -> str:
    """Files of a run folder, as the module that owns it lists them."""
    from autotl.trial import run_folder as module

    return _listing(module.__doc__)


def bundle() -> str:
    """Files of a bundle, as the module that reads it lists them."""
    from autotl.serve import bundle as module

    return _listing(module.__doc__)


def error_classes() -> str:
    """The tree of errors: the builtin that each also is, and what it means."""
    from autotl import errors

    classes = (one for _, one in inspect.getmembers(errors, inspect.isclass))
    found = [one for one in classes if issubclass(one, errors.AutotlError)]
    found.sort(key=lambda one: inspect.getsourcelines(one)[1])
    rows = [(f"`{one.__name__}`", f"`{_builtin(one)}`", _first_line(one)) for one in found]
    return table(("error", "also a", "when"), rows)


def listed_files(text: str | None) -> Iterator[tuple[str, str]]:
    """Names and descriptions in a docstring's listing of files, one entry a line, and more lines under it."""
    entry: tuple[str, str] | None = None
    for match in _FILES.finditer(text or ""):
        if match["more"] and entry:
            entry = entry[0], f"{entry[1]} {match['more'].strip()}"
            continue
        if entry:
            yield entry
        entry = match["names"] or "", match["words"] or ""
    if entry:
        yield entry


#: By the name under which a page asks for them.
PARTS: dict[str, Callable[[], str]] = {
    "ablations": figures.ablations,
    "audit": figures.audit,
    "backbones": backbones,
    "beside-ten-lines": figures.beside_ten_lines,
    "bundle": bundle,
    "cache": figures.cache,
    "deliverable": figures.deliverable,
    "error-classes": error_classes,
    "explanations": figures.explanations,
    "foundation": figures.foundation,
    "int8": figures.int8,
    "metrics": metrics,
    "monitoring": figures.monitoring,
    "parity": figures.parity,
    "rankings": figures.rankings,
    "run-folder": run_folder,
    "schedulers": schedulers,
    "schedulers-for-real": figures.schedulers_for_real,
    "schedulers-simulated": figures.schedulers,
    "serving": figures.serving,
    "strategies": strategies,
}


def _listing(text: str | None) -> str:
    rows = []
    for names, words in listed_files(text):
        files = ", ".join(f"`{name.strip()}`" for name in names.split(","))
        rows.append((files, words))
    return table(("file", "what it holds"), rows)


def _builtin(error: type[BaseException]) -> str:
    """The builtin that an error also is."""
    others = [one.__name__ for one in error.__mro__ if one.__module__ == "builtins"]
    return others[0]


def _first_line(thing: object) -> str:
    return (inspect.getdoc(thing) or "").splitlines()[0]
