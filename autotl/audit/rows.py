"""`Rows`: what an audit by features looks at, and what it found there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.audit.copies import Copies
from autotl.audit.labels import Suspect
from autotl.audit.leaks.leak import Leak
from autotl.audit.outliers import Outlier
from autotl.task import Task, TaskKind

Array = NDArray[Any]


@dataclass(frozen=True)
class Rows:
    """Rows of a data set, in the forms that are at hand.

    Attributes:
        task: What is predicted.
        targets: As `Dataset.targets`.
        names: N names.
        parts: (N,) of "train", "val", "test" or "".
        units: (N,) int64; rows of one unit share a group or are known to be copies.
        features: (N, F) float32, frozen.
        judging: (N, G) float32, features that labels are judged by, or None for those above.
        pixels: (N, S, S, 3) uint8 of pictures, or None.
        texts: N texts, or None.
        attributes: N mappings of what is known of an input beside its content, or empty.
    """

    task: Task
    targets: Array
    names: Sequence[str]
    parts: Array
    units: Array
    features: Array
    pixels: Array | None = None
    texts: Sequence[str] | None = None
    attributes: Sequence[Mapping[str, str | float]] = ()
    judging: Array | None = None

    def __len__(self) -> int:
        return len(self.names)

    @property
    def classes(self) -> Array | None:
        """(N,) int64 where each row has one class, else None."""
        return self.targets if self.task.is_classification else None

    @property
    def indicators(self) -> Array:
        """(N, K) bool, the classes or labels of each row; K is 0 of values."""
        if self.task.kind is TaskKind.REGRESSION:
            return np.zeros((len(self), 0), bool)
        if self.task.kind is TaskKind.MULTILABEL:
            return np.asarray(self.targets > 0)
        return np.asarray(self.targets[:, None] == np.arange(len(self.task.classes)))


@dataclass(frozen=True)
class Found:
    """What was found of some rows; row numbers are theirs.

    Attributes:
        suspects: Doubtful labels, the surest first.
        outliers: Rows far from others, the farthest first.
        copies: Near duplicates that signatures miss, or None where nobody looked.
        leaks: Shortcuts to labels.
        skipped: What nobody looked for, for want of time.
    """

    suspects: Sequence[Suspect] = ()
    outliers: Sequence[Outlier] = ()
    copies: Copies | None = None
    leaks: Sequence[Leak] = ()
    skipped: tuple[str, ...] = field(default=())
