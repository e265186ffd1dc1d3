"""Bundles: exporting another trial of a finished run; scoring and verifying a bundle on labelled data."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from autotl.errors import DataError, RunError
from autotl.serve.bundle import MODEL, BundleInfo
from autotl.serve.parity import Answers, check_flips, prove
from autotl.serve.predictor import Predictor
from autotl.task import metrics
from autotl.versions import SERVING, versions

if TYPE_CHECKING:
    from autotl.data.dataset import Dataset

logger = logging.getLogger(__name__)

_SEEN = (
    "the model was fitted on most of these rows, so the score flatters it; "
    "the report of the run has the score of held-out rows"
)


def evaluate(
    bundle: str | Path,
    data: Any,
    *,
    labels: Sequence[Any] | None = None,
    target: str | None = None,
    part: str | None = None,
    **columns: Any,
) -> dict[str, Any]:
    """Score a bundle on labelled data.

    Args:
        bundle: Folder of the bundle.
        data: What `open_dataset` takes; all its rows are scored, or those of the official test part where
            there is one.
        labels: Labels of a list of items.
        target: Target column of a table.
        part: Which official part to score; None means the test part where there is one, else all rows.
        columns: Further arguments of `open_dataset`.

    Returns:
        {"metric", "score", "n", "metrics": {name: value}, "notes": [what to know of the score]}.

    Raises:
        DataError: The data cannot be read, have no such part, or are of another kind than the bundle's.
        TargetError: The data have classes that the bundle does not know.
    """
    predictor = Predictor(bundle)
    task = predictor.task
    dataset = _open(predictor, data, target=target, labels=labels, **columns)
    rows = np.arange(len(dataset))
    if part is not None or dataset.parts is not None:
        parts = np.full(len(dataset), "") if dataset.parts is None else dataset.parts
        chosen = np.flatnonzero(parts == (part or "test"))
        rows = chosen if len(chosen) or part else rows
    if len(rows) == 0:
        known = ", ".join(sorted(set(parts))) or "data without parts"
        raise DataError(f"no rows in the part {part!r}", found=known, expected="a part that the data have")
    targets = dataset.targets[rows]
    outputs = predictor.predict_proba(dataset.take(rows).items)
    values = {name: m(targets, outputs) for name, m in metrics(task.kind).items()}
    notes = [_SEEN] if len(rows) == len(dataset) and _is_fitted_on(predictor.bundle, dataset) else []
    found = {"metric": task.metric, "score": values[task.metric], "n": len(rows), "metrics": values}
    return {**found, "notes": notes}


def verify(
    bundle: str | Path, data: Any, *, target: str | None = None, threads: int | None = None, **columns: Any
) -> dict[str, Any]:
    """Compare a bundle, here and now, with what the trained network answered when it was exported.

    Args:
        bundle: Folder of the bundle.
        data: The data that it was trained on, as `open_dataset` takes them; rows are known by their content.
        target: Target column of a table.
        threads: Threads of the runtime; None for all cores that the process may use.
        columns: Further arguments of `open_dataset`.

    Returns:
        The figures of `Parity`, beside "known" (rows whose answers are in the bundle), and the versions of
        what ran the bundle at its export and runs it now, as "exported_with" and "runs_with".

    Raises:
        BundleError: The bundle is incomplete or was changed.
        DataError: The data cannot be read, or hold none of the rows.
        ParityError: A label or value differs.
    """
    predictor = Predictor(bundle, threads=threads)
    dataset = _open(predictor, data, target=target, **columns)
    known = Answers.read(predictor.bundle.folder)
    rows, expected = known.among(dataset.items, dataset.modality)
    if not len(rows):
        raise DataError(
            "nothing to verify the bundle on",
            found=f"none of the {len(known.digests)} rows whose answers it holds, in {len(dataset):,} rows",
            expected="the data that it was trained on, unchanged",
            hint=f"To score it on other data: autotl evaluate {bundle} DATA",
        )
    chosen = dataset.take(rows)
    certificate = predictor.bundle.manifest["parity"][MODEL]
    exact = certificate["tolerance"] is not None
    parity = prove(predictor, expected, chosen.items, chosen.names, chosen.targets, exact=exact)
    if not exact:
        check_flips(parity, certificate)
    then = predictor.bundle.manifest.get("versions", {})
    return {
        **parity.to_json(),
        "known": len(known.digests),
        "exported_with": {name: then[name] for name in ("python", *SERVING) if name in then},
        "runs_with": versions(SERVING),
    }


def _open(predictor: Predictor, data: Any, **columns: Any) -> Dataset:
    """Labelled data of the kind that a bundle predicts."""
    from autotl.data.open import open_dataset

    kind = predictor.bundle.spec.modality
    return open_dataset(data, task=predictor.task, modality=kind, **columns)


def _is_fitted_on(bundle: BundleInfo, dataset: Dataset) -> bool:
    """Whether these are the very rows of the run that made the bundle."""
    from autotl.modalities.registry import modality
    from autotl.profile.build import dataset_fingerprint

    recorded = bundle.manifest.get("data", {})
    if recorded.get("rows") != len(dataset):  # else every file is read once more
        return False
    return bool(recorded.get("fingerprint") == dataset_fingerprint(dataset, modality(dataset.modality)))


def export_trial(
    run: Any,
    number: int | None = None,
    folder: str | Path | None = None,
    *,
    reference_rows: bool | None = None,
    compress: str = "none",
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
        tell: Told what came of it, in one line.

    Returns:
        The folder of the bundle.

    Raises:
        RunError: No such trial, or it left no weights.
    """
    from autotl.automl.combine import recall
    from autotl.automl.reopen import reopen
    from autotl.export.bundle import add_reference, copy_bundle, leave_out_rows
    from autotl.export.compress import is_compressed
    from autotl.leaderboard.selection import select
    from autotl.serve.monitoring.reference import MOST_ROWS
    from autotl.trial.run_folder import RunFolder

    run = run if isinstance(run, RunFolder) else RunFolder(run)
    record = run.record()
    trials = run.results()
    known = [*trials, *recall(run, trials)]
    results = {result.number: result for result in known if result.score is not None}
    if number is not None and number not in results:
        raise RunError(
            f"no finished trial {number} in {run.path}",
            expected=", ".join(str(n) for n in sorted(results)) or "none is finished",
            hint=f"See them: autotl leaderboard {run.path}",
        )
    if not results:
        raise RunError("no finished trial to export", found=str(run.path))
    winner = record.get("winner")
    best = select(trials) if winner is None else winner["trial"]
    chosen = results[int(best) if number is None else number]
    if number is None and winner is not None and run.bundle.is_dir():
        target = run.bundle if folder is None else copy_bundle(run.bundle, Path(folder))
        if compress == "none" or is_compressed(target):
            if reference_rows is False:
                leave_out_rows(target)
            return target
        delivery = reopen(run)
    else:
        target = Path(folder) if folder else run.path / _folder_name(number)
        delivery = reopen(run)
        delivery.combinations.know(trials)
        model = delivery.combinations.model(chosen)
        delivery.calibrate(model, chosen)
        score = delivery.evidence.metric.own(chosen.score or 0.0)
        facts = {"winner": {"trial": chosen.number}, "metrics": {"validation": {record["metric"]: score}}}
        delivery.export(model, facts, target)
    if compress != "none":
        tell(delivery.compress(target, compress).words)
    seen = delivery.run_test(Predictor(target, check=False), MOST_ROWS)
    asked = record["settings"].get("reference_rows", True) if reference_rows is None else reference_rows
    reference = delivery.reference(seen, keep_rows=asked)
    if reference is not None:
        add_reference(target, reference)
    return target


def _folder_name(number: int | None) -> str:
    """Where in a run folder the bundle of a trial goes; None for the winner."""
    return "model" if number is None else f"model-{number:04d}"


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
        ExportError: Something lies in the folder.
    """
    from autotl.export.formats import lay_out
    from autotl.trial.run_folder import RunFolder

    run = run if isinstance(run, RunFolder) else RunFolder(run)
    target = run.path / form if folder is None else Path(folder)
    with tempfile.TemporaryDirectory() as temporary:
        bundle = export_trial(run, number, Path(temporary) / "model", **options)
        return target, lay_out(bundle, form, target, name=run.path.resolve().name)
