"""`Reference`: what a bundle remembers of held-out rows, as `monitoring.npz` and a part of its manifest.

    mean, scale            (F,) float32      moments of the features
    axes, variances        (P, A), (A,)      their covariance, see `embedding.Sketch`
    distances              (D,) float32      out-of-distribution scores, ascending
    certainties            (D,) float32      how sure the model was, ascending; absent for regression
    values                 (D,) float32      predicted values, ascending; regression only
    predicted              (K,) int32        rows of each predicted class or label
    true                   (K,) int32        the same of the truth, where it is known
    confusion              (K, K) int32      rows by predicted and true class, where each row has one
    rows                   (M, P) float16    embeddings of some rows (`Sketch.plain`), unless left out
    row_classes            (M,) int32        predicted classes of those; zeros where there are none
    row_distances          (M,) float32      their out-of-distribution scores

Written by `autotl.export` from outputs of the exported graph itself; nothing is pickled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from autotl.errors import BundleError, DataError
from autotl.serve.arrays import read_arrays
from autotl.serve.bundle import BundleInfo
from autotl.serve.monitoring.embedding import Sketch, cross_fitted_distances
from autotl.serve.monitoring.layout import fault
from autotl.task import Task, TaskKind

Array = NDArray[Any]

FILE = "monitoring.npz"
#: Key of the manifest.
KEY = "monitoring"
FORMAT_VERSION = 1
#: Rows described, at most; rows whose embeddings are kept, at most; and rows without which nothing is said.
MOST_ROWS, MOST_EMBEDDINGS, FEWEST_ROWS = 2048, 512, 30
#: Share of the reference that lies above the threshold of the out-of-distribution score.
OUTLIER_SHARE = 0.05
#: What held-out rows are called that are no part of the run's data.
GIVEN = "given"
HISTOGRAM_BINS = 20
_EXPORT_AGAIN = "Export it again: autotl export RUN --trial N"


@dataclass(frozen=True)
class Reference:
    """Statistics of held-out rows.

    Attributes:
        part: Which rows: "test", or `GIVEN`.
        count: How many, N.
        sketch: Moments of their embeddings.
        arrays: The other arrays by name, as in the head of this file.
    """

    part: str
    count: int
    sketch: Sketch
    arrays: Mapping[str, Array]

    @classmethod
    def of(
        cls,
        task: Task,
        outputs: Array,
        features: Array,
        targets: Array | None = None,
        *,
        part: str = "test",
        seed: int = 0,
    ) -> Self:
        """Describe rows that the model was not fitted on.

        Args:
            task: What is predicted.
            outputs: (N, K) probabilities or (N,) values of the exported graph.
            features: (N, F) of the same graph.
            targets: As in `Dataset.targets`; None where the truth is not known.
            part: What the rows are called.
            seed: Of the projection and of the choice of rows.

        Raises:
            DataError: Fewer than two rows, or values that are not finite.
        """
        if len(features) < 2 or not (np.isfinite(features).all() and np.isfinite(outputs).all()):
            raise DataError(
                "cannot describe rows for monitoring",
                found=f"{len(features)} rows, or outputs that are not finite",
                expected="at least 2 rows with finite outputs",
            )
        sketch = Sketch.of(features, seed)
        distances = cross_fitted_distances(features, seed)
        kept = np.sort(np.random.default_rng(seed).permutation(len(features))[:MOST_EMBEDDINGS])
        arrays = {
            "distances": _quantiles(distances),
            **_predictions(task, outputs, targets),
            "rows": sketch.plain(features[kept]).astype(np.float16),
            "row_classes": strata(task, outputs)[kept].astype(np.int32),
            "row_distances": distances[kept],
        }
        return cls(part, len(features), sketch, arrays)

    @property
    def has_rows(self) -> bool:
        """Whether embeddings of single rows are kept."""
        return "rows" in self.arrays

    @property
    def threshold_rank(self) -> int:
        """Rank, from above, of the out-of-distribution score that is the threshold."""
        return max(1, round(OUTLIER_SHARE * len(self.arrays["distances"])))

    @property
    def threshold(self) -> float:
        """The out-of-distribution score above which a row counts as an outlier."""
        return float(self.arrays["distances"][-self.threshold_rank])

    def without_rows(self) -> Self:
        """The same without embeddings of single rows: what is left are moments and counts."""
        kept = {name: value for name, value in self.arrays.items() if not name.startswith("row")}
        return replace(self, arrays=kept)

    def write(self, folder: Path, task: Task) -> dict[str, Any]:
        """Write `monitoring.npz`; gives the part of the manifest."""
        sketch = {name: getattr(self.sketch, name) for name in ("mean", "scale", "axes", "variances")}
        np.savez_compressed(folder / FILE, allow_pickle=False, **sketch, **self.arrays)
        return {
            "format_version": FORMAT_VERSION,
            "file": FILE,
            "part": self.part,
            "rows": self.count,
            "row_embeddings": len(self.arrays["rows"]) if self.has_rows else 0,
            "dimensions": len(self.sketch.axes),
            "seed": self.sketch.seed,
            "rest": self.sketch.rest,
            "outlier_threshold": self.threshold,
            **self._readable(task),
        }

    def _readable(self, task: Task) -> dict[str, Any]:
        """What a person may want to see of it in the manifest."""
        found: dict[str, Any] = {}
        for name in ("predicted", "true"):
            if name in self.arrays:
                shares = np.round(self.arrays[name] / self.count, 4).tolist()
                found[f"{name}_shares"] = dict(zip(task.classes, shares, strict=True))
        for name in ("certainties", "distances", "values"):
            if name in self.arrays:
                found[name] = _histogram(self.arrays[name], (0.0, 1.0) if name == "certainties" else None)
        return found


def read_reference(bundle: BundleInfo) -> Reference:
    """Read the statistics of a bundle whose files were checked by `read_bundle`.

    Raises:
        BundleError: The bundle has none, or they are malformed.
    """
    said = bundle.section(KEY)
    if said is None:
        raise BundleError(
            "the bundle does not say what its inputs looked like",
            found=f"no statistics of held-out rows in {bundle.folder}",
            hint="Compare with rows that the model was not fitted on: "
            f"autotl monitor {bundle.folder} INPUT... --reference HELD_OUT",
        )
    version = said.content.get("format_version")
    if version != FORMAT_VERSION:
        raise BundleError(
            f"cannot read the statistics of {bundle.folder}",
            found=f"format version {version!r:.40}",
            expected=f"version {FORMAT_VERSION}",
            hint="Upgrade: pip install --upgrade autotl",
        )
    seed, rest = said.integer("seed"), said.number("rest")
    if seed < 0 or rest <= 0:
        raise said.malformed("seed" if seed < 0 else "rest", "more than 0")
    path = bundle.file(FILE)
    arrays = read_arrays(path)
    wrong = fault(arrays, bundle.task)
    if wrong is not None:
        raise BundleError(f"{path} is malformed", found=wrong, hint=_EXPORT_AGAIN)
    mean, scale, axes, variances = (arrays.pop(name) for name in ("mean", "scale", "axes", "variances"))
    sketch = Sketch(mean, scale, axes, variances, rest, seed)
    return Reference(said.text("part"), said.integer("rows"), sketch, arrays)


def certainties(task: Task, outputs: Array) -> Array:
    """How sure the model is of each row, (N,): the top probability; of labels, the mean of max(p, 1 - p)."""
    if task.kind is TaskKind.MULTILABEL:
        return np.asarray(np.maximum(outputs, 1 - outputs).mean(axis=1))
    return np.asarray(outputs.max(axis=1))


def counts(task: Task, decided: Array) -> Array:
    """Rows of each class or label, (K,) int32, from targets or decisions."""
    if task.kind is TaskKind.MULTILABEL:
        return np.asarray(decided.sum(axis=0), np.int32)
    return np.bincount(decided, minlength=task.outputs).astype(np.int32)


def strata(task: Task, outputs: Array) -> Array:
    """Predicted class of each row, (N,); zeros where a row has not exactly one."""
    return task.decide(outputs) if task.is_classification else np.zeros(len(outputs), np.int64)


def _predictions(task: Task, outputs: Array, targets: Array | None) -> dict[str, Array]:
    """The arrays that tell of predictions."""
    if task.kind is TaskKind.REGRESSION:
        return {"values": _quantiles(outputs)}
    found = {
        "certainties": _quantiles(certainties(task, outputs)),
        "predicted": counts(task, task.decide(outputs)),
    }
    if targets is None:
        return found
    found["true"] = counts(task, targets)
    if task.is_classification:
        confusion = np.zeros((task.outputs, task.outputs), np.int32)
        np.add.at(confusion, (task.decide(outputs), targets), 1)
        found["confusion"] = confusion
    return found


def _quantiles(values: Array) -> Array:
    """Ascending values, at most `MOST_ROWS` of them, evenly spread."""
    ordered = np.sort(np.asarray(values, np.float32))
    if len(ordered) <= MOST_ROWS:
        return ordered
    return ordered[((np.arange(MOST_ROWS) + 0.5) * len(ordered) / MOST_ROWS).astype(np.int64)]


def _histogram(values: Array, ends: tuple[float, float] | None) -> dict[str, Any]:
    counts, edges = np.histogram(values.astype(np.float64), HISTOGRAM_BINS, ends)
    return {"counts": counts.tolist(), "from": float(edges[0]), "to": float(edges[-1])}
