"""The ten lines that any user could write: frozen features and scikit-learn's logistic regression."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from autotl.automl.reopen import reopen
from autotl.leaderboard.paired import paired_gain
from autotl.task import metric
from autotl.trial.run_folder import RunFolder
from benchmarks.fitting import Fitted

Array = NDArray[Any]
_PENALTIES = (0.1, 1, 10, 100)


def ten_lines(run: Fitted) -> dict[str, Any]:
    """Fit the ten lines on the parts of a run, with its default backbone; C comes from validation.

    Returns:
        C, accuracy on the test part, that of a fit on training and validation rows together, seconds; and
        what the run's model gains over the better of the two: value, low and high of a paired bootstrap.
    """
    start = time.monotonic()
    runner = reopen(RunFolder(run.folder)).runner
    results = {result.number: result for result in runner.folder.results()}
    bench = runner.bench(results[0].config)
    depth, targets = (bench.backbone.depth,), runner.dataset.targets
    part = {p: getattr(runner.splits, p) for p in ("train", "val", "test")}
    x = {p: bench.frozen.pooled(rows, depth) for p, rows in part.items()}
    fits = [
        LogisticRegression(C=c, max_iter=1000).fit(x["train"], targets[part["train"]]) for c in _PENALTIES
    ]
    best = max(fits, key=lambda fit: fit.score(x["val"], targets[part["val"]]))
    both = np.concatenate([part["train"], part["val"]])
    refit = LogisticRegression(C=best.C, max_iter=1000).fit(
        np.concatenate([x["train"], x["val"]]), targets[both]
    )
    tested, accuracy = targets[part["test"]], metric("accuracy", runner.dataset.task.kind)
    alone, refitted = (_probabilities(fit, x["test"], runner.dataset.task.outputs) for fit in (best, refit))
    seconds = time.monotonic() - start
    scores = accuracy(tested, alone), accuracy(tested, refitted)
    reference = refitted if scores[1] > scores[0] else alone
    given = np.load(run.folder / "test_predictions.npz")
    gain = paired_gain(accuracy, given["targets"], given["predictions"], reference, repeats=1000)
    return {
        "C": best.C,
        "score": scores[0],
        "refitted": scores[1],
        "seconds": round(seconds, 1),
        "gain": {name: round(getattr(gain, name), 4) for name in ("value", "low", "high")},
    }


def _probabilities(fit: LogisticRegression, features: Array, outputs: int) -> Array:
    """(N, K), also of classes that no row was fitted to."""
    found = np.zeros((len(features), outputs))
    found[:, fit.classes_] = fit.predict_proba(features)
    return found
