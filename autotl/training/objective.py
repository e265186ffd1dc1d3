"""`Objective`: what gradients make smaller, on which batches, and how the head comes about.

Which weights they change is the business of the `Plan`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from autotl.training.batches import shuffled
from autotl.training.workbench import Workbench

Array = NDArray[Any]
HeadLoss = Callable[[Tensor, Tensor], Tensor]


class Objective:
    """The loss of the task on what the head says; the head trains with the rest. Stateless."""

    #: Whether the head, instead of being trained, is fitted to the features of each epoch's weights.
    fits_head = False

    def batches(self, bench: Workbench, size: int, generator: np.random.Generator) -> list[Array]:
        """The training rows of one epoch, in as many batches as `batches_of` tells."""
        return shuffled(bench.frozen.inputs, bench.splits.train, size, generator)

    def targets(self, bench: Workbench, rows: Array) -> Tensor:
        """What the head should say of some training rows, (n, K), as `Workbench.indicators` gives it."""
        return bench.indicators(rows)

    def loss(self, features: Tensor, targets: Tensor, head_loss: HeadLoss) -> Tensor:
        """Mean loss over the rows of a batch.

        Args:
            features: (B, F) float32, as the head takes them.
            targets: (B, K), as `Workbench.indicators` gives them.
            head_loss: The loss of the task on what the head makes of features.
        """
        return head_loss(features, targets)


TASK_LOSS = Objective()
