"""Training rows that are like an input to the model, from the `examples.npz` of a run folder.

    names      (M,) str       names of rows, as the data call them
    parts      (M,) str       "train" or "val"
    targets                   as in `Dataset.targets`, of these rows
    features   (M, F) float16 as the delivered bundle gives them
    model      () str         sha256 of the bundle's model.onnx

`autotl.automl` writes it at the end of a run; bundles hold none, because rows are their owner's.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from autotl.errors import RunError
from autotl.serve.bundle import MODEL, BundleInfo
from autotl.task import Task, TaskKind

Array = NDArray[Any]

FILE = "examples.npz"
_LARGEST = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class Neighbour:
    """A training row that is near.

    Attributes:
        name: What the data call it.
        part: "train" or "val".
        label: Its class, its labels joined by commas, or its value.
        similarity: Cosine of the features, -1 to 1.
    """

    name: str
    part: str
    label: str
    similarity: float


@dataclass(frozen=True, eq=False)
class Examples:
    """Rows that a model was fitted on, as it sees them.

    Attributes:
        names: (M,) str.
        parts: (M,) str.
        targets: As in `Dataset.targets`.
        features: (M, F) float16.
        model: sha256 of the graph that gave the features.
    """

    names: Array
    parts: Array
    targets: Array
    features: Array
    model: str

    @classmethod
    def of(cls, bundle: BundleInfo, names: Array, parts: Array, targets: Array, features: Array) -> Self:
        """Rows as a bundle sees them; `features` (M, F) of any float type."""
        kept = np.clip(features, -_LARGEST, _LARGEST).astype(np.float16)
        return cls(names, parts, targets, kept, _model_of(bundle))

    @classmethod
    def read(cls, run: Path, bundle: BundleInfo) -> Self | None:
        """The rows in a run folder; None where there are none, or those of another model than the bundle's.

        Raises:
            RunError: The file is damaged.
        """
        path = run / FILE
        if not path.is_file():
            return None
        try:
            with np.load(path, allow_pickle=False) as saved:
                arrays = {name: saved[name] for name in ("names", "parts", "targets", "features")}
                found = cls(**arrays, model=str(saved["model"]))
        except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise RunError(
                f"cannot read {path}",
                found=str(error) or type(error).__name__,
                hint="Delete it to do without.",
            ) from error
        if found.features.ndim != 2 or any(len(values) != len(found.names) for values in arrays.values()):
            raise RunError(f"{path} is malformed", found="arrays of different length")
        return found if found.model == _model_of(bundle) else None

    def arrays(self) -> dict[str, Array]:
        """What to write, by name."""
        return {
            "names": self.names,
            "parts": self.parts,
            "targets": self.targets,
            "features": self.features,
            "model": np.array(self.model),
        }

    def nearest(self, task: Task, features: Array, count: int) -> list[Neighbour]:
        """The rows most like an input, the nearest first.

        Args:
            task: Says what targets mean.
            features: (F,) of the input.
            count: Most rows.
        """
        rows = self.features.astype(np.float32)
        lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(features)
        similarities = rows @ features.astype(np.float32) / np.maximum(lengths, np.finfo(np.float32).tiny)
        order = np.argsort(-similarities, kind="stable")[:count].tolist()
        return [
            Neighbour(
                str(self.names[row]),
                str(self.parts[row]),
                _label(task, self.targets[row]),
                round(min(1.0, float(similarities[row])), 4),
            )
            for row in order
        ]


def _model_of(bundle: BundleInfo) -> str:
    return str(bundle.manifest["files"][MODEL]["sha256"])


def _label(task: Task, target: Any) -> str:
    if task.kind is TaskKind.REGRESSION:
        return f"{float(target):.4g}"
    if task.kind is TaskKind.MULTILABEL:
        return ", ".join(task.classes[k] for k in np.flatnonzero(target)) or "none"
    return task.classes[int(target)]
