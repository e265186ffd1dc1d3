"""What the features that a run has cached tell of its data: findings, and a map of the rows.

Nothing is decoded and no network is run here: rows without features are left out.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.audit.embedding import MOST_ROWS as MAPPED_ROWS
from autotl.audit.embedding import embedding
from autotl.audit.findings import findings
from autotl.audit.look import look
from autotl.audit.rows import Found
from autotl.automl.audit import rows_of
from autotl.config import TrialConfig
from autotl.data.dataset import Finding
from autotl.data.splits import units_of
from autotl.data.stratify import spread
from autotl.trial.runner import TrialRunner

Array = NDArray[Any]

#: Rows that are looked at, at most, and as many as a second is enough for; seconds that the map takes.
_ROWS, _ROWS_A_SECOND, _MAP_SECONDS = 2000, 100, 4.0
_LEAST_ROWS = 50


@dataclass(frozen=True)
class CachedAudit:
    """What was found.

    Attributes:
        findings: On the rows that were looked at.
        arrays: The map: names, parts, targets, xy (M, 2) float32, suspect (M,) bool; empty where there was
            no time to draw one.
    """

    findings: tuple[Finding, ...]
    arrays: dict[str, Array]


def audit_cached(runner: TrialRunner, config: TrialConfig, seed: int, until: float) -> CachedAudit | None:
    """Look at rows whose features the run has cached.

    Args:
        runner: Of the run.
        config: Whose features: those of the winner.
        seed: Which rows, where there are more than time allows.
        until: Time (`time.monotonic`) at which all should be done.

    Returns:
        None where too few rows have features, or no time is left.
    """
    bench, dataset = runner.bench(config), runner.dataset
    parts = np.full(len(dataset), "train")
    parts[runner.splits.val], parts[runner.splits.test] = "val", "test"
    cached = bench.frozen.cached(np.arange(len(dataset)))
    cached = cached[np.isin(cached, bench.frozen.inputs.cached(cached))]
    seconds = until - time.monotonic()
    most = _ROWS if math.isinf(seconds) else min(_ROWS, int(_ROWS_A_SECOND * (seconds - _MAP_SECONDS)))
    if min(most, len(cached)) < _LEAST_ROWS:
        return None
    chosen = spread(dataset.targets, cached, most, seed)
    features = bench.frozen.pooled(chosen, [bench.backbone.depth])
    rows = rows_of(bench, chosen, features, parts[chosen], units_of(dataset)[chosen])
    found = look(rows, until - _MAP_SECONDS)
    drawn = np.sort(np.random.default_rng(seed).permutation(len(chosen))[:MAPPED_ROWS])
    arrays = {
        "names": np.array([rows.names[row] for row in drawn]),
        "parts": rows.parts[drawn],
        "targets": rows.targets[drawn],
        "xy": embedding(features[drawn], seed),
        "suspect": _suspect(found, len(chosen))[drawn],
    }
    return CachedAudit(findings(rows, found), arrays)


def _suspect(found: Found, count: int) -> Array:
    """(N,) bool, whether a row has a doubtful label."""
    suspect = np.zeros(count, bool)
    suspect[[one.row for one in found.suspects]] = True
    return suspect
