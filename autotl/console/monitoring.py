"""`autotl monitor`: reads inputs, checks them, and shows what was found.

Exit codes: 0 where no drift was found, 3 for drift, 4 where there are too few rows to tell. Errors are 2.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np
import typer

from autotl.atomic import folder_at, write_texts
from autotl.console import output
from autotl.errors import DataError, DecodeError
from autotl.serve.inputs import read_inputs
from autotl.serve.monitoring.findings import DriftReport, Finding, Status
from autotl.serve.monitoring.monitor import Monitor
from autotl.serve.monitoring.plot import draw
from autotl.serve.monitoring.reference import GIVEN, MOST_ROWS, Reference
from autotl.serve.monitoring.words import origin
from autotl.serve.predictor import Predictor

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rich.table import Table

    from autotl.modalities.modality import Item

DRIFT, TOO_FEW = 3, 4
REPORT, PLOT = "drift.json", "drift.svg"
_CHUNK = 256
_STYLES = {
    Status.DRIFT: "bold red",
    Status.SMALL: "yellow",
    Status.EXPLAINED: "yellow",
    Status.SKIPPED: "dim",
}


@dataclass(frozen=True)
class Checked:
    """A check with what it was made of.

    Attributes:
        report: What was found.
        monitor: What compared.
        outputs: Of the new rows.
        features: Of the new rows.
        unreadable: One message for each input that could not be decoded, and was left out.
    """

    report: DriftReport
    monitor: Monitor
    outputs: NDArray[Any]
    features: NDArray[Any]
    unreadable: tuple[str, ...]


def check(
    folder: Path,
    inputs: Sequence[str],
    reference: Sequence[str],
    stdin: TextIO,
    *,
    alpha: float,
    threads: int | None,
    device: str = "cpu",
) -> Checked:
    """Check inputs as the command line names them.

    Args:
        folder: The bundle.
        inputs: What `read_inputs` takes.
        reference: The same for the rows to compare with, of which at most 2,048 are taken, at random; empty
            for those that the bundle describes.
        stdin: Where "-" reads from.
        alpha: Level of significance.
        threads: Threads of the runtime.
        device: Where it runs, "cpu" or "cuda".

    Raises:
        BundleError: The bundle is damaged, or describes no rows and no others are named.
        DataError: No input can be read.
    """
    predictor = Predictor(folder, threads=threads, device=device)
    bundle = predictor.bundle
    if reference:
        held_out = read_inputs(bundle, reference, stdin)[1]
        chosen = np.random.default_rng(0).permutation(len(held_out))[:MOST_ROWS]
        outputs, features, _ = _run(predictor, [held_out[row] for row in chosen])
        described = Reference.of(bundle.task, outputs, features, part=GIVEN)
        monitor = Monitor(bundle.task, described, alpha=alpha)
    else:
        monitor = Monitor.of(bundle, alpha=alpha)
    outputs, features, unreadable = _run(predictor, read_inputs(bundle, inputs, stdin)[1])
    return Checked(monitor.check(outputs, features), monitor, outputs, features, unreadable)


def exit_code(report: DriftReport) -> int:
    """What the verb ends with."""
    if not report.enough:
        return TOO_FEW
    return DRIFT if report.drifted else 0


def show(checked: Checked, out: Path | None, *, as_json: bool) -> None:
    """Print what was found, and write it to a folder if one is named.

    Raises:
        StorageError: The folder cannot be written.
    """
    value = {**checked.report.to_json(), "unreadable": len(checked.unreadable)}
    for message in checked.unreadable:
        typer.echo(message, err=True)
    if out is not None:
        _write(out, value, checked)
    if as_json:
        output.show_json(value)
        return
    if checked.report.findings:
        output.show(_table(checked.report), "")
    for sentence in checked.report.summary:
        output.show_text(sentence)
    if out is not None:
        output.show_line(f"\nplot     {out / PLOT}")


def _run(predictor: Predictor, items: Sequence[Item]) -> tuple[NDArray[Any], NDArray[Any], tuple[str, ...]]:
    """Outputs and features of what can be decoded, and a message for each item that cannot."""
    parts: list[tuple[NDArray[Any], NDArray[Any]]] = []
    unreadable: list[str] = []
    for start in range(0, len(items), _CHUNK):
        chunk = list(items[start : start + _CHUNK])
        try:
            parts.append(predictor.outputs(chunk))
        except DecodeError:
            for item in chunk:
                try:
                    parts.append(predictor.outputs([item]))
                except DecodeError as error:
                    unreadable.append(str(error))
    if not parts:
        raise DataError("no input can be read", found=unreadable[0] if unreadable else "no rows")
    outputs, features = (np.concatenate([part[i] for part in parts]) for i in range(2))
    return outputs, features, tuple(unreadable)


def _write(folder: Path, value: dict[str, Any], checked: Checked) -> None:
    files = {
        REPORT: json.dumps(value, indent=1, ensure_ascii=False) + "\n",
        PLOT: draw(checked.monitor, checked.outputs, checked.features),
    }
    write_texts(folder_at(folder), files)


def _table(report: DriftReport) -> Table:
    """One row a question."""
    from rich.markup import escape

    title = f"{report.rows:,} rows against {report.reference_rows:,} {origin(report.part)}"
    table = output.plain_table("question", "answer", "what was seen", "p", title=title)
    for column, width in ((1, 10), (3, 7)):
        table.columns[column].no_wrap = True
        table.columns[column].min_width = width
    for finding in report.findings:
        table.add_row(
            finding.name,
            finding.status.value,
            escape(finding.words),
            _p(finding),
            style=_STYLES.get(finding.status, ""),
        )
    return table


def _p(finding: Finding) -> str:
    """The corrected p-value in few digits."""
    if finding.corrected is None:
        return ""
    return "< 0.001" if finding.corrected < 0.001 else f"{finding.corrected:.3f}"
