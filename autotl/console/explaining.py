"""`autotl explain`: explains inputs one by one, and shows, or writes, why they are predicted as they are.

Signs stand beside colours everywhere, so that a pipe, or an eye that cannot tell them apart, loses nothing.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import typer
from rich.text import Text

from autotl.atomic import folder_at, write_texts
from autotl.console import output
from autotl.console.runs import bundle_folder
from autotl.errors import DecodeError
from autotl.modalities.modality import Rectangle, Span
from autotl.serve.explain import Explanation, explain
from autotl.serve.explain.neighbours import Examples, Neighbour
from autotl.serve.explain.page import answer, card, failure, page, row
from autotl.serve.explain.rendering import strengths
from autotl.serve.explain.words import legend, summary
from autotl.serve.inputs import read_inputs
from autotl.serve.predictor import Predictor

if TYPE_CHECKING:
    from autotl.modalities.modality import Item

PAGE, JSON = "explanations.html", "explanations.json"
_FOR, _AGAINST = "bold dark_orange", "bold dodger_blue1"
#: Signs of an effect by its share of the largest one.
_STEPS = 3
#: What a terminal would take for commands.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Explained:
    """One input: its explanation and what is near, or why it could not be read."""

    name: str
    explanation: Explanation | None
    nearest: tuple[Neighbour, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class Source:
    """What explains: a model, and the rows that its run has left.

    Attributes:
        predictor: The exported model.
        examples: Rows to find the nearest among; None where there are none.
        lacking: Why there are none, for a person; empty where there are some.
    """

    predictor: Predictor
    examples: Examples | None
    lacking: str

    @classmethod
    def of(cls, path: Path, threads: int | None, device: str = "cpu") -> Source:
        """A bundle, or a run folder with its winner and its rows."""
        folder = bundle_folder(path)
        predictor = Predictor(folder, threads=threads, device=device)
        if folder == path:
            hint = "To see the nearest training rows, name a run folder: a bundle holds none."
            return cls(predictor, None, hint)
        examples = Examples.read(path, predictor.bundle)
        hint = "They are kept of the winner, where a run has time left at its end."
        lacking = "" if examples else f"{path} holds no training rows of this model. {hint}"
        return cls(predictor, examples, lacking)

    def explained(
        self, names: Sequence[str], items: Sequence[Item], target: str | None, top: int
    ) -> Iterator[Explained]:
        """Inputs in order, each as soon as it is done.

        Raises:
            DataError: There is no such class.
        """
        for name, item in zip(names, items, strict=True):
            try:
                (found,) = explain(self.predictor, [item], target=target)
            except DecodeError as error:
                yield Explained(name, None, error=str(error))
                continue
            near = self.examples.nearest(found.task, found.features, top) if self.examples else []
            yield Explained(name, found, tuple(near))


def run(
    path: Path,
    arguments: Sequence[str],
    stdin: TextIO,
    *,
    target: str | None,
    top: int,
    out: Path | None,
    as_json: bool,
    threads: int | None,
    device: str = "cpu",
) -> int:
    """Explain inputs as the command line names them; gives how many could not be read.

    Args:
        path: A bundle or a run folder.
        arguments: What `read_inputs` takes.
        stdin: Where "-" reads from.
        target: Class to explain; None for the predicted one.
        top: Nearest training rows to show.
        out: Folder to write to, None for none.
        as_json: Print JSON Lines.
        threads: Threads of the runtime.
        device: Where it runs, "cpu" or "cuda".

    Raises:
        BundleError: The bundle is damaged.
        DataError: An input does not exist, or there is no such class.
        StorageError: The folder cannot be written.
    """
    source = Source.of(path, threads, device)
    names, items = read_inputs(source.predictor.bundle, arguments, stdin)
    if out is not None:
        folder_at(out)
    rows: list[dict[str, Any]] = []
    cards: list[str] = []
    failed = 0
    for explained in source.explained(names, items, target, top):
        failed += explained.explanation is None
        told = _row(explained)
        if as_json:
            sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
        else:
            _show(explained)
        if out is not None:  # explanations hold whole images; only what is written of them is kept
            rows.append(told)
            cards.append(_card(explained))
    if out is not None:
        _write(out, f"Explanations of {path}", rows, cards)
    if not as_json:
        _show_ending(source.lacking if top else "", out)
    return failed


def _row(explained: Explained) -> dict[str, Any]:
    if explained.explanation is None:
        return {"name": explained.name, "error": explained.error}
    return row(explained.name, explained.explanation, explained.nearest)


def _card(explained: Explained) -> str:
    if explained.explanation is None:
        return failure(explained.name, explained.error)
    return card(explained.name, explained.explanation, explained.nearest)


def _show(explained: Explained) -> None:
    """One input for a person."""
    found = explained.explanation
    if found is None:
        typer.echo(explained.error, err=True)
        return
    is_text = isinstance(found.shown, tuple)
    title = "" if is_text and explained.name == found.shown[0] else _plain(explained.name)
    output.show(Text(title, style="bold") if title else "", Text(_plain(answer(found))))
    output.show(*(marked(found) if is_text else heat(found)))
    output.show_text(f"{_plain(summary(found))} {_signs(found)}")
    if explained.nearest:
        table = output.plain_table("nearest", "label", "training row")
        for neighbour in explained.nearest:
            name = Text(_plain(neighbour.name))
            table.add_row(f"{neighbour.similarity:.3f}", Text(_plain(neighbour.label)), name)
        output.show("", table)
    output.show("")


def _signs(found: Explanation) -> str:
    """What signs and colours mean."""
    return _plain(legend(found)).replace("Orange", "Orange and +", 1).replace(", blue", ", blue and -", 1)


def marked(found: Explanation) -> list[Text]:
    """The texts of an explanation, a line each, with a sign and a colour at the words that count."""
    assert isinstance(found.shown, tuple), "images have no words"
    lines = []
    for number, text in enumerate(found.shown):
        line = Text(f"{found.columns[number]}: " if found.columns else "", style="dim", end="\n")
        shown, position = Text(), 0
        for piece, share in zip(found.pieces, strengths(found), strict=True):
            if not isinstance(piece, Span) or piece.text != number:
                continue
            shown.append(_plain(text[position : piece.start]))
            position = piece.stop
            sign = _sign(float(share))
            word = _plain(text[piece.start : piece.stop]) + (f"({sign})" if sign else "")
            shown.append(word, style=_style(float(share)))
        shown.append(_plain(text[position:]))
        lines.append(line + shown)
    return lines


def heat(found: Explanation) -> list[Text]:
    """The grid of an image, a line a row of cells, with a sign and a colour in the cells that count."""
    lines: dict[int, Text] = {}
    for piece, share in zip(found.pieces, strengths(found), strict=True):
        assert isinstance(piece, Rectangle), "texts have no grid"
        sign = _sign(float(share)) or "."
        lines.setdefault(piece.top, Text("  ")).append(f"{sign:<{_STEPS + 1}}", style=_style(float(share)))
    return list(lines.values())


def _sign(share: float) -> str:
    """One to three signs; none where an effect is too small to be shown."""
    if share == 0:
        return ""
    return ("+" if share > 0 else "-") * min(_STEPS, 1 + int(abs(share) * _STEPS))


def _style(share: float) -> str:
    if share == 0:
        return ""
    return _FOR if share > 0 else _AGAINST


def _plain(text: str) -> str:
    """A text of others without what would command a terminal."""
    return _CONTROLS.sub("\ufffd", text)


def _show_ending(lacking: str, out: Path | None) -> None:
    if lacking:
        output.show_text(lacking)
    if out is not None:
        output.show_line(f"page     {out / PAGE}")


def _write(folder: Path, title: str, rows: list[dict[str, Any]], cards: list[str]) -> None:
    files = {
        PAGE: page(title, cards),
        JSON: json.dumps(rows, indent=1, ensure_ascii=False) + "\n",
    }
    write_texts(folder, files)
