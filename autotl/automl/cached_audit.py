"""What the features that a run has cached tell of its data: findings, and a map of the rows.

Nothing is decoded and no network is run here: rows without features are left out.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.audit.embedding import MOST_ROWS as MAPPED_ROWS
from autotl.audit.embedding import embedding
from autotl.audit.findings import findings
from autotl.audit.look import CHECKS, look
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
NO_TIME = "its few seconds were over (autotl audit DATA looks for all of it)"


@dataclass(frozen=True)
class CachedAudit:
    """What was found.

    Attributes:
        findings: On the rows that were looked at.
        arrays: The map: names, parts, targets, xy (M, 2) float32, suspect (M,) bool; empty where no row was
            looked at.
        examined: What was looked at and what was not, see `examined`.
    """

    findings: tuple[Finding, ...]
    arrays: dict[str, Array]
    examined: dict[str, Any]


def examined(looked: int, rows: int, skipped: Sequence[str] = CHECKS, reason: str = "") -> dict[str, Any]:
    """What `run.json` says of an audit by features.

    Args:
        looked: Rows whose features were compared.
        rows: All rows.
        skipped: What nobody looked for; by default everything.
        reason: Why.
    """
    return {"rows_compared": looked, "rows": rows, "not_examined": list(skipped), "reason": reason}


def audit_cached(runner: TrialRunner, config: TrialConfig, seed: int, until: float) -> CachedAudit:
    """Look at rows whose features the run has cached.

    Args:
        runner: Of the run.
        config: Whose features: those of the winner.
        seed: Which rows, where there are more than time allows.
        until: Time (`time.monotonic`) at which all should be done.

    Returns:
        Without findings where too few rows have features, or no time is left.
    """
    bench, dataset = runner.bench(config), runner.dataset
    parts = np.full(len(dataset), "train")
    parts[runner.splits.val], parts[runner.splits.test] = "val", "test"
    cached = bench.frozen.cached(np.arange(len(dataset)))
    cached = cached[np.isin(cached, bench.frozen.inputs.cached(cached))]
    seconds = until - time.monotonic()
    most = _ROWS if math.isinf(seconds) else min(_ROWS, int(_ROWS_A_SECOND * (seconds - _MAP_SECONDS)))
    if min(most, len(cached)) < _LEAST_ROWS:
        few = f"the run has features of {len(cached):,} rows only" if len(cached) < _LEAST_ROWS else NO_TIME
        return CachedAudit((), {}, examined(0, len(dataset), reason=few))
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
    told = examined(len(chosen), len(dataset), found.skipped, NO_TIME if found.skipped else "")
    return CachedAudit(findings(rows, found), arrays, told)


def _suspect(found: Found, count: int) -> Array:
    """(N,) bool, whether a row has a doubtful label."""
    suspect = np.zeros(count, bool)
    suspect[[one.row for one in found.suspects]] = True
    return suspect
