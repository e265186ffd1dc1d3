"""The training loss of each kind of task."""

from __future__ import annotations

from torch import Tensor, nn

from autotl.task import TaskKind


def mean_loss(
    raw: Tensor, targets: Tensor, kind: TaskKind, class_weights: Tensor | None, label_smoothing: float
) -> Tensor:
    """Loss, a mean over rows: so that of two halves is the mean of their losses.

    Args:
        raw: Outputs (B, K) of the head.
        targets: (B, K), as `Workbench.indicators` gives them.
        kind: Squared error for regression, a sum over labels of binary cross-entropies for several labels,
            cross-entropy otherwise.
        class_weights: (K,) weights of the cross-entropy; None for equal ones.
        label_smoothing: Share of the target that the cross-entropy spreads over all classes.
    """
    if kind is TaskKind.REGRESSION:
        return nn.functional.mse_loss(raw, targets)
    if kind is TaskKind.MULTILABEL:
        return nn.functional.binary_cross_entropy_with_logits(raw, targets) * raw.shape[1]
    return nn.functional.cross_entropy(raw, targets, weight=class_weights, label_smoothing=label_smoothing)
