"""`audit_data`: what a data set holds that should be looked at before anybody trains on it.

What needs no features is `autotl.data.audit`'s, on all rows. Features are those of the cheapest backbone
whose weights are here, of as many rows as were asked for; they stay in the cache, where a fit finds them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.audit.findings import findings
from autotl.audit.leaks.regions import resized
from autotl.audit.look import look
from autotl.audit.rows import Found, Rows
from autotl.automl.inspect import candidates, read_data
from autotl.automl.settings import Settings, pick_device
from autotl.backbones.backbone import BackboneInfo
from autotl.backbones.cache_dir import cache_at
from autotl.backbones.load import availability
from autotl.config import TrialConfig
from autotl.data.dataset import Dataset, Finding, Splits
from autotl.data.splits import units_of
from autotl.data.stratify import spread
from autotl.errors import DecodeError
from autotl.features.inputs import PreparedInputs
from autotl.modalities.modality import SupportsAttributes, SupportsText
from autotl.modalities.registry import modality
from autotl.profile.build import build_profile
from autotl.report.previews import Preview, preview_of
from autotl.space.resolve import BASELINE_STRATEGY
from autotl.training.workbench import Workbench
from autotl.trial.plan import RunnerPlan
from autotl.trial.run_folder import RunFolder
from autotl.trial.runner import TrialRunner

Array = NDArray[Any]

#: Rows whose features are compared, where no other number is asked for.
ROWS = 4000
_CHUNK = 64


@dataclass(frozen=True)
class Audited:
    """A data set that was looked at.

    Attributes:
        dataset: The rows that can be used, with all findings, those on features too.
        looked: Numbers of the rows that features were compared of, ascending; empty where none could be had.
        copies: (N,) int64; rows of one code are copies, exact, near or changed.
        suspects: Numbers of rows with doubtful labels, the surest first.
        backbone: Whose features they are; "" where there were none.
        notes: What a reader of the findings must know, a sentence each.
    """

    dataset: Dataset
    looked: Array
    copies: Array
    suspects: Array
    backbone: str
    notes: tuple[str, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, those that matter most first."""
        return tuple(sorted(self.dataset.findings, key=lambda finding: finding.severity != "warning"))

    def preview(self) -> Preview | None:
        """Shows a row by its name; None where the modality has no previews."""
        return preview_of(self.dataset)

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "source": self.dataset.source,
            "task": self.dataset.task.to_json(),
            "rows": len(self.dataset),
            "rows_compared": len(self.looked),
            "backbone": self.backbone,
            "notes": list(self.notes),
            "findings": [finding.to_json() for finding in self.findings],
        }


def audit_data(data: Any, *, rows: int = ROWS, **parameters: Any) -> Audited:
    """Read a data set and look for all that an audit can find.

    Args:
        data: What `fit` takes.
        rows: How many rows features are compared of, at most.
        parameters: Those of `AutoTL`.

    Raises:
        DataError: The data cannot be read or used.
    """
    from autotl.automl.estimator import AutoTL

    settings = Settings.of(AutoTL(**parameters).get_params())
    dataset, splits = read_data(data, settings)
    copies, units = units_of(replace(dataset, groups=None)), units_of(dataset)
    info = _cheapest(candidates(dataset.modality, settings), settings)
    if info is None:
        note = "no backbone's weights are here, so nothing was compared by features"
        return Audited(dataset, np.empty(0, np.int64), copies, np.empty(0, np.int64), "", (note,))
    looked = spread(dataset.targets, np.arange(len(dataset)), rows, settings.seed)
    parts = dataset.parts if dataset.parts is not None else np.full(len(dataset), "")
    with tempfile.TemporaryDirectory() as folder:
        runner = _runner(dataset, splits, info, settings, RunFolder(folder))
        bench = runner.bench(TrialConfig(info.name, BASELINE_STRATEGY, {}))
        features = bench.frozen.pooled(looked, [bench.backbone.depth])
        seen = rows_of(bench, looked, features, parts[looked], units[looked])
        runner.close()
    found = look(seen)
    return _audited(dataset, copies, looked, seen, found, info)


def rows_of(bench: Workbench, chosen: Array, features: Array, parts: Array, units: Array) -> Rows:
    """Rows of a workbench in the forms that an audit looks at; pictures as the network sees them.

    Labels of texts are judged by features of all depths but the first, which one pass gives: over sentiment,
    intents and spam they tell more of a label than the last one alone.
    """
    dataset = bench.dataset.take(chosen)
    kind, depths = modality(dataset.modality), range(2, bench.backbone.depth + 1)
    return Rows(
        task=dataset.task,
        targets=dataset.targets,
        names=dataset.names,
        parts=parts,
        units=units,
        features=features,
        pixels=_pixels(bench.frozen.inputs, chosen),
        texts=[kind.text(item) for item in dataset.items] if isinstance(kind, SupportsText) else None,
        attributes=_attributes(dataset),
        judging=bench.frozen.pooled(chosen, depths) if depths and isinstance(kind, SupportsText) else None,
    )


def _cheapest(infos: dict[str, BackboneInfo], settings: Settings) -> BackboneInfo | None:
    """The backbone of fewest operations whose weights are here, one that was asked for where any was."""
    asked = settings.backbones
    with cache_at(settings.cache_dir):
        here = [
            info
            for info in infos.values()
            if asked is None or any(map(info.is_meant_by, asked))
            if availability(info, offline=True).available
        ]
    return min(here, key=lambda info: info.macs, default=None)


def _runner(
    dataset: Dataset, splits: Splits, info: BackboneInfo, settings: Settings, folder: RunFolder
) -> TrialRunner:
    profile = build_profile(dataset, splits, modality(dataset.modality), seed=settings.seed)
    resources = replace(settings.resources(pick_device(settings.device, settings.threads)), offline=True)
    return TrialRunner(RunnerPlan(dataset, splits, {info.name: info}, profile.inputs, folder, resources))


def _audited(
    dataset: Dataset, copies: Array, looked: Array, seen: Rows, found: Found, info: BackboneInfo
) -> Audited:
    notes = [f"features are those of {info.name}"]
    if len(looked) < len(dataset):
        notes.append(
            f"features were compared of {len(looked):,} of {len(dataset):,} rows; --rows looks at more"
        )
    if found.copies is not None:
        copies = found.copies.united(copies, looked)
    whole = replace(dataset, findings=dataset.findings + findings(seen, found))
    suspects = looked[[suspect.row for suspect in found.suspects]] if found.suspects else looked[:0]
    return Audited(whole, looked, copies, suspects, info.name, tuple(notes))


def _pixels(inputs: PreparedInputs, chosen: Array) -> Array | None:
    """Pictures (N, 112, 112, 3) uint8 that the network takes; None where it takes no pictures."""
    parts = []
    for start in range(0, len(chosen), _CHUNK):
        pixels = inputs.batch(chosen[start : start + _CHUNK]).get("pixels")
        if pixels is None or pixels.ndim != 4 or pixels.shape[-1] != 3:
            return None
        parts.append(resized(pixels.numpy()))
    return np.concatenate(parts) if parts else None


def _attributes(dataset: Dataset) -> Sequence[dict[str, str | float]]:
    """What the modality knows of each item beside its content; nothing where it cannot tell of one."""
    kind = modality(dataset.modality)
    if not isinstance(kind, SupportsAttributes):
        return ()
    try:
        return [kind.attributes(item) for item in dataset.items]
    except DecodeError:
        return ()
