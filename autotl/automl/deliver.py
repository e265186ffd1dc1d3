"""Bundles: exporting another trial of a finished run, and scoring a bundle on labelled data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from autotl.errors import DataError, RunError
from autotl.serve.predictor import Predictor
from autotl.task import metrics


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
        {"metric", "score", "n", "metrics": {name: value}}.

    Raises:
        DataError: The classes of the data are not those of the bundle.
    """
    from autotl.data.open import open_dataset

    predictor = Predictor(bundle)
    task = predictor.task
    dataset = open_dataset(
        data, target=target, task=task.kind.value, metric=task.metric, labels=labels, **columns
    )
    rows = np.arange(len(dataset))
    if dataset.parts is not None:
        wanted = part or "test"
        chosen = np.flatnonzero(dataset.parts == wanted)
        rows = chosen if len(chosen) or part else rows
    if len(rows) == 0:
        raise DataError("nothing to score", found=f"no rows in part {part!r}")
    targets = _in_order_of(task.classes, dataset.task.classes, dataset.targets[rows])
    outputs = predictor.predict_proba(dataset.take(rows).items)
    values = {name: m(targets, outputs) for name, m in metrics(task.kind).items()}
    return {"metric": task.metric, "score": values[task.metric], "n": len(rows), "metrics": values}


def _in_order_of(classes: Sequence[str], found: Sequence[str], targets: Any) -> Any:
    """Targets whose class order is that of the data, in the order of the bundle."""
    if not classes:
        return targets
    unknown = sorted(set(found) - set(classes))
    if unknown:
        raise DataError(
            "the data have classes that the bundle does not know",
            found=", ".join(unknown[:5]),
            expected=", ".join(list(classes)[:10]),
        )
    position = np.array([list(classes).index(name) for name in found])
    if targets.ndim == 1:
        return position[targets]
    ordered = np.zeros((len(targets), len(classes)), targets.dtype)
    ordered[:, position] = targets
    return ordered


def export_trial(run: Any, number: int | None = None, folder: str | Path | None = None) -> Path:
    """Export a finished trial of a run.

    Args:
        run: The `RunFolder` or its path.
        number: The trial, or combination of trials; None means the winner of the run.
        folder: Where to; None means `model-NNNN` in the run folder (`model` for the best).

    Returns:
        The folder of the bundle.

    Raises:
        RunError: No such trial, or it left no weights.
    """
    from autotl.automl.reopen import reopen
    from autotl.leaderboard.selection import select
    from autotl.trial.run_folder import RunFolder

    run = run if isinstance(run, RunFolder) else RunFolder(run)
    delivery = reopen(run)
    trials = run.results()
    known = [*trials, *delivery.combinations.recall(trials)]
    results = {result.number: result for result in known if result.score is not None}
    if number is not None and number not in results:
        raise RunError(
            f"no finished trial {number} in {run.path}",
            expected=", ".join(str(n) for n in sorted(results)) or "none is finished",
            hint=f"See them: autotl leaderboard {run.path}",
        )
    if not results:
        raise RunError("no finished trial to export", found=str(run.path))
    if number is None:
        winner = run.read_json("run.json").get("winner") or {"trial": select(trials)}
    chosen = int(winner["trial"]) if number is None else number
    target = Path(folder) if folder else run.path / ("model" if number is None else f"model-{chosen:04d}")
    model = delivery.combinations.model(results[chosen])
    delivery.calibrate(model, results[chosen])
    delivery.export(model, {"winner": {"trial": chosen}}, target)
    return target
