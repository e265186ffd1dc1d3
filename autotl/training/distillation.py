"""`Distillation`: the objective of learning from what another model says of the rows (Hinton et al. 2015)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autotl.errors import TrialError
from autotl.task import TaskKind
from autotl.training.objective import Objective
from autotl.training.workbench import Workbench

Array = NDArray[Any]
#: Probabilities are kept so far off 0 and 1 before they are softened.
_LEAST = 1e-6


class Distillation(Objective):
    """The loss of the task on targets that are partly the teacher's outputs.

    The teacher's probabilities are softened; the student's are not, so that what it gives stays calibrated
    to the labels, and no factor of the temperature is needed.

    Args:
        weight: Share of the teacher in the targets; the rest is the labels.
        temperature: Divides the teacher's logits.
    """

    def __init__(self, weight: float, temperature: float) -> None:
        self._weight, self._temperature = weight, temperature

    def targets(self, bench: Workbench, rows: Array) -> Tensor:
        """Labels and softened outputs of the teacher, mixed.

        Raises:
            TrialError: There is no teacher.
        """
        if bench.teacher is None:
            raise TrialError(
                "there is nobody to learn from",
                found="a distillation without a teacher",
                hint="Name the backbone to distill into: --distill-to NAME",
            )
        taught = self._softened(bench, np.asarray(bench.teacher[rows], np.float32))
        return torch.lerp(bench.indicators(rows), taught, self._weight)

    def _softened(self, bench: Workbench, outputs: Array) -> Tensor:
        """(n, K) targets of the teacher's probabilities (n, K) or values (n,)."""
        given = torch.from_numpy(outputs)
        if bench.task.kind is TaskKind.REGRESSION:
            mean, scale = bench.target_scaling()
            return ((given - mean) / scale)[:, None]
        if bench.task.kind is TaskKind.MULTILABEL:
            return torch.sigmoid(torch.logit(given, _LEAST) / self._temperature)
        return torch.softmax(given.clamp_min(_LEAST).log() / self._temperature, dim=1)
