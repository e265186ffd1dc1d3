"""Exports a trial of a finished run: as a bundle, or in the layout of other software."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autotl.errors import ExportError, RunError
from autotl.serve.predictor import Predictor

if TYPE_CHECKING:
    from autotl.automl.delivery import Delivery
    from autotl.config import TrialResult
    from autotl.export.compress import Compression
    from autotl.trial.run_folder import RunFolder

logger = logging.getLogger(__name__)


def export_trial(
    run: Any,
    number: int | None = None,
    folder: str | Path | None = None,
    *,
    reference_rows: bool | None = None,
    compress: str = "none",
    raw: bool = False,
    tell: Callable[[str], None] = logger.info,
) -> Path:
    """Export a finished trial of a run.

    Args:
        run: The `RunFolder` or its path.
        number: The trial, or combination of trials; None means the winner of the run, as the run exported it
            (of a run that was broken off, the best trial).
        folder: Where to; None means `model-NNNN` in the run folder (`model` for the winner).
        reference_rows: Whether the bundle may hold embeddings of test rows, for monitoring; None as the run
            was asked. False takes them out of a bundle of the winner that is there already.
        compress: "int8" or "fp16" ships such a graph where that pays; the card says what came of it. Of a
            winner that ships one already nothing is changed.
        raw: Adds a second graph, which takes files or texts themselves; see `autotl.export.raw`.
        tell: Told what is made, and what came of it, a line each.

    Returns:
        The folder of the bundle.

    Raises:
        RunError: No such trial, or it left no weights.
        ExportError: A second graph was asked for that cannot be made; something else lies at `folder`, or in
            the bundle there.
        MissingExtraError: It needs a package, or a device, that is not here.
        ParityError: A graph does not answer as the trained network did.
        StorageError: The disk is full or not writable.
    """
    from autotl.export.bundle import leave_out_rows
    from autotl.export.compress import check_form, is_compressed
    from autotl.trial.run_folder import RunFolder

    check_form(compress)

    source = _Source(run if isinstance(run, RunFolder) else RunFolder(run), number)
    is_there = source.is_there
    if raw and is_there:
        source.check_raw()
    if not is_there:
        tell(f"exporting {source.words}; its rows are read again")
    target = source.copied(folder) if is_there else source.exported(folder)
    is_new = not is_there
    if compress != "none" and not (is_there and is_compressed(target)):
        tell(source.compress(target, compress).words)
        is_new = True
    if is_new:
        source.describe(target, reference_rows)
    elif reference_rows is False:
        leave_out_rows(target)
    if raw:
        from autotl.export.raw import add_raw_graph

        tell(add_raw_graph(target, source.delivery.runner.dataset))
    return target


def chosen_trial(run: Any, number: int | None = None) -> int:
    """Number of the trial that `export_trial` exports.

    Raises:
        RunError: No such trial.
    """
    from autotl.trial.run_folder import RunFolder

    return _Source(run if isinstance(run, RunFolder) else RunFolder(run), number).number


def export_as(
    form: str, run: Any, number: int | None = None, folder: str | Path | None = None, **options: Any
) -> tuple[Path, str]:
    """Export a finished trial of a run in the layout of other software.

    Args:
        form: "docker" or "triton".
        run: The `RunFolder` or its path.
        number: The trial, as `export_trial` takes it.
        folder: Where to; None means a folder of the form's name in the run folder.
        options: Further arguments of `export_trial`.

    Returns:
        The folder, and the command to go on with.

    Raises:
        RunError: No such trial, or it left no weights.
        ExportError: Something lies in the folder; a second graph was asked for, which nothing there runs.
    """
    if options.get("raw"):
        raise ExportError(f"raw.onnx has no use in {form}", expected="--raw with --format bundle")
    from autotl.export.formats import lay_out
    from autotl.trial.run_folder import RunFolder

    run = run if isinstance(run, RunFolder) else RunFolder(run)
    target = run.path / form if folder is None else Path(folder)
    with tempfile.TemporaryDirectory() as temporary:
        bundle = export_trial(run, number, Path(temporary) / "model", **options)
        return target, lay_out(bundle, form, target, name=run.path.resolve().name)


class _Source:
    """A trial of a run, and what exporting it takes.

    Args:
        run: The run.
        number: The trial; None for the winner.

    Raises:
        RunError: There is no such trial.
    """

    def __init__(self, run: RunFolder, number: int | None) -> None:
        self._run, self._number, self._record = run, number, run.record()
        self._winner, self._trials = self._record.get("winner"), run.results()
        self._chosen = self._find()

    @cached_property
    def delivery(self) -> Delivery:
        """The run, opened again with its data."""
        from autotl.automl.reopen import reopen

        return reopen(self._run)

    @property
    def is_there(self) -> bool:
        """Whether the run has exported this itself."""
        return self._number is None and self._winner is not None and self._run.bundle.is_dir()

    @property
    def number(self) -> int:
        """The number of the trial."""
        return self._chosen.number

    @property
    def words(self) -> str:
        """Which trial this is."""
        config = self._chosen.config
        return f"trial {self._chosen.number} ({config.backbone}, {config.strategy})"

    def copied(self, folder: str | Path | None) -> Path:
        """The bundle that is there, in another place where one is named."""
        from autotl.export.bundle import copy_bundle

        return self._run.bundle if folder is None else copy_bundle(self._run.bundle, Path(folder))

    def exported(self, folder: str | Path | None) -> Path:
        """A new bundle of the trial."""
        name = "model" if self._number is None else f"model-{self._number:04d}"
        target = Path(folder) if folder else self._run.path / name
        delivery, chosen = self.delivery, self._chosen
        delivery.combinations.know(self._trials)
        model = delivery.combinations.model(chosen)
        delivery.calibrate(model, chosen)
        score = delivery.evidence.metric.own(chosen.score or 0.0)
        validation = {self._record["metric"]: score}
        facts = {"winner": {"trial": chosen.number}, "metrics": {"validation": validation}}
        delivery.export(model, facts, target)
        return target

    def compress(self, target: Path, form: str) -> Compression:
        """Ship a smaller graph in a bundle of the trial, where that pays."""
        self.delivery.combinations.know(self._trials)
        is_refitted = self.is_there and bool(self._record["winner"].get("refitted"))
        return self.delivery.compress(target, form, refitted=self._chosen if is_refitted else None)

    def check_raw(self) -> None:
        """Refuse a second graph of the bundle that is there before anything is written."""
        from autotl.export.raw import raw_graph
        from autotl.serve.bundle import read_bundle

        bundle = read_bundle(self._run.bundle)
        raw_graph(bundle.spec, bundle.columns)

    def describe(self, target: Path, reference_rows: bool | None) -> None:
        """Let a bundle describe the test part, with its single rows or without."""
        from autotl.export.bundle import add_reference
        from autotl.serve.monitoring.reference import MOST_ROWS

        seen = self.delivery.run_test(Predictor(target, check=False), MOST_ROWS)
        asked = self._record["settings"].get("reference_rows", True)
        keep = asked if reference_rows is None else reference_rows
        reference = self.delivery.reference(seen, keep_rows=keep)
        if reference is not None:
            add_reference(target, reference)

    def _find(self) -> TrialResult:
        from autotl.automl.combine import recall, recorded_winner
        from autotl.leaderboard.selection import select

        known = [*self._trials, *recall(self._run, self._trials)]
        results = {result.number: result for result in known if result.score is not None}
        if self._number is not None and self._number not in results:
            raise RunError(
                f"no finished trial {self._number} in {self._run.path}",
                expected=", ".join(str(n) for n in sorted(results)) or "none is finished",
                hint=f"See them: autotl leaderboard {self._run.path}",
            )
        if not results:
            raise RunError("no finished trial to export", found=str(self._run.path))
        if self._number is None and self._winner is not None:
            return recorded_winner(self._run, self._winner, list(results.values()))
        return results[int(select(self._trials)) if self._number is None else self._number]
