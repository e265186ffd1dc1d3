"""The ten lines that any user could write: frozen features and scikit-learn's logistic regression."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from autotl.automl.reopen import reopen
from autotl.trial.run_folder import RunFolder
from benchmarks.fitting import Fitted

_PENALTIES = (0.1, 1, 10, 100)


def ten_lines(run: Fitted) -> dict[str, Any]:
    """Fit the ten lines on the parts of a run, with its default backbone; C comes from validation.

    Returns:
        C, accuracy on the test part, that of a fit on training and validation rows together, seconds.
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
    return {
        "C": best.C,
        "score": best.score(x["test"], targets[part["test"]]),
        "refitted": refit.score(x["test"], targets[part["test"]]),
        "seconds": round(time.monotonic() - start, 1),
    }
