"""`TunedFeatures`: features of rows under the present weights of a model, computed from what is frozen."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from autotl.backbones.backbone import Batch
from autotl.features.frozen import PLAIN, View
from autotl.features.memory import RowsAtOnce, parts
from autotl.training.model import TransferModel
from autotl.training.workbench import Workbench

Array = NDArray[Any]
_BATCH = 64


class TunedFeatures:
    """Runs the blocks after a cut over rows of the bench.

    Args:
        bench: Gives inputs and activations.
        model: On the bench's device; training changes its weights.
        cut: Depth of the activations that are kept; 0 starts from the inputs.
    """

    def __init__(self, bench: Workbench, model: TransferModel, cut: int) -> None:
        self._bench, self._model, self._cut = bench, model, cut
        self._at_once = RowsAtOnce(_BATCH)

    def load(self, rows: Array, view: View) -> Batch:
        """Prepared rows at the cut, on the device; activations as float32."""
        batch = self._bench.frozen.hidden(rows, self._cut, view)
        device = self._bench.device
        moved = {name: value.to(device) for name, value in batch.items()}  # waits: the batch ends here
        return {k: v.float() if v.dtype == torch.float16 else v for k, v in moved.items()}

    def __call__(self, rows: Array) -> Tensor:
        """Features (n, F) of `rows` in their order, on the CPU; leaves the model in eval mode."""
        self._model.eval()
        backbone = self._model.backbone
        out = torch.zeros(len(rows), sum(map(backbone.feature_dim, self._model.depths)))
        if len(rows) == 0:
            return out
        self._bench.frozen.prepare(rows, self._cut)
        order = self._bench.frozen.inputs.by_length(rows)
        position = {int(row): i for i, row in enumerate(rows)}
        for start in range(0, len(order), _BATCH):
            chunk = order[start : start + _BATCH]
            out[[position[int(row)] for row in chunk]] = self._at_once.fit(partial(self._of, chunk))
        return out

    @torch.inference_mode()
    def _of(self, rows: Array, most: int) -> Tensor:
        """Features (n, F) of `rows` in their order, on the CPU, of at most `most` rows at once."""
        batches = (self.load(part, PLAIN) for part in parts(rows, most))
        return torch.cat([self._model.features(batch, self._cut).float().cpu() for batch in batches])
