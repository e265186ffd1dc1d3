"""Bundles on labelled data: their scores, and whether they still answer as the trained network did."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from autotl.errors import DataError
from autotl.leaderboard.interval import bootstrap_interval
from autotl.serve.bundle import BundleInfo
from autotl.serve.evidence import CERTIFICATES, Answers, Certificate
from autotl.serve.parity import check_certified, prove
from autotl.serve.predictor import Predictor
from autotl.serve.raw import RAW, RawGraph, prove_raw
from autotl.task import metric, metrics
from autotl.versions import SERVING, versions

if TYPE_CHECKING:
    from autotl.data.dataset import Dataset

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
    device: str = "cpu",
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
        device: Where the bundle runs, "cpu" or "cuda".
        columns: Further arguments of `open_dataset`.

    Returns:
        {"metric", "score", "low", "high" (95 % interval over rows), "n", "metrics": {name: value}, "notes":
        [what to know of the score]}.

    Raises:
        DataError: The data cannot be read, have no such part, or are of another kind than the bundle's.
        TargetError: The data have classes that the bundle does not know.
    """
    predictor = Predictor(bundle, device=device)
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
    within = bootstrap_interval(metric(task.metric, task.kind), targets, outputs)
    return {
        "metric": task.metric,
        "score": values[task.metric],
        "low": within.low,
        "high": within.high,
        "n": len(rows),
        "metrics": values,
        "notes": notes,
    }


def verify(
    bundle: str | Path,
    data: Any,
    *,
    target: str | None = None,
    threads: int | None = None,
    device: str = "cpu",
    **columns: Any,
) -> dict[str, Any]:
    """Compare a bundle, here and now, with what the trained network answered when it was exported.

    Args:
        bundle: Folder of the bundle.
        data: The data that it was trained on, as `open_dataset` takes them; rows are known by their content.
        target: Target column of a table.
        threads: Threads of the runtime; None for all cores that the process may use.
        device: Where it runs, "cpu" or "cuda"; a second graph runs on the CPU.
        columns: Further arguments of `open_dataset`.

    Returns:
        The figures of `Parity`, beside "known" (rows whose answers are in the bundle), and the versions of
        what ran the bundle at its export and runs it now, as "exported_with" and "runs_with". Of a bundle
        with a second graph its figures too, as "raw.onnx".

    Raises:
        BundleError: The bundle is incomplete, was changed, or holds no answers of the trained network.
        DataError: The data cannot be read, or hold none of the rows.
        ParityError: A label or value differs.
        MissingExtraError: It has a second graph, and what runs that is not installed.
    """
    predictor = Predictor(bundle, threads=threads, device=device)
    known, certificate = Answers.read(predictor.bundle), Certificate.read(predictor.bundle)
    dataset = _open(predictor, data, target=target, **columns)
    rows, expected = known.among(dataset.items, dataset.modality)
    if not len(rows):
        raise DataError(
            "nothing to verify the bundle on",
            found=f"none of the {len(known.digests)} rows whose answers it holds, in {len(dataset):,} rows",
            expected="the data that it was trained on, unchanged",
            hint=f"To score it on other data: autotl evaluate {bundle} DATA",
        )
    chosen = dataset.take(rows)
    exact = certificate.is_exact
    parity = prove(predictor, expected, chosen.items, chosen.names, chosen.targets, exact=exact)
    if not exact:
        check_certified(predictor.task, parity, certificate)
    then = predictor.bundle.manifest.get("versions", {})
    second = _verify_raw(predictor.bundle, expected, chosen, threads)
    return {
        **parity.to_json(),
        **({RAW: second} if second else {}),
        "known": len(known.digests),
        "exported_with": {name: then[name] for name in ("python", *SERVING) if name in then},
        "runs_with": versions(SERVING),
    }


def _verify_raw(
    bundle: BundleInfo, expected: Answers, chosen: Dataset, threads: int | None
) -> dict[str, Any] | None:
    """The figures of the second graph, which is to decide as it did at its export; None where there is none.

    Raises:
        MissingExtraError: The operators that it needs are not installed.
        ParityError: It decides otherwise on clearly more rows.
    """
    certificates = bundle.section(CERTIFICATES)
    if certificates is None or RAW not in certificates:
        return None
    certificate, graph = Certificate.read(bundle, RAW), RawGraph(bundle, threads=threads)
    parity = prove_raw(graph, expected, chosen)
    check_certified(bundle.task, parity, certificate, RAW)
    return parity.to_json()


def _open(predictor: Predictor, data: Any, **columns: Any) -> Dataset:
    """Labelled data of the kind that a bundle predicts: of a table, the columns that it was trained on."""
    from autotl.data.open import open_dataset

    bundle, kind = predictor.bundle, predictor.bundle.spec.modality
    dataset = open_dataset(data, task=predictor.task, modality=kind, **columns)
    is_told = columns.get(kind) is not None or not bundle.columns
    if is_told or not dataset.columns or dataset.columns == bundle.columns:
        return dataset
    return open_dataset(data, task=predictor.task, modality=kind, **{**columns, kind: bundle.columns})


def _is_fitted_on(bundle: BundleInfo, dataset: Dataset) -> bool:
    """Whether these are the very rows of the run that made the bundle."""
    from autotl.modalities.registry import modality
    from autotl.profile.build import dataset_fingerprint

    recorded = bundle.manifest.get("data", {})
    if recorded.get("rows") != len(dataset):  # else every file is read once more
        return False
    return bool(recorded.get("fingerprint") == dataset_fingerprint(dataset, modality(dataset.modality)))
