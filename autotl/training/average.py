"""`WeightAverage`: a moving average of the weights under training, to be scored and kept in their place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor


class WeightAverage:
    """Exponential moving average whose memory grows with the steps done, for trainings of any length.

    At step t, from 1, it keeps (1 - 1/t)^(1/share) of itself and takes the rest from the weights: the power
    function average of Karras et al. 2024 (section 3.1) with gamma = 1/share - 1. It lags behind by about
    `share` of the steps so far, however many these are; the weights of the start have no part in it.

    Args:
        tensors: What training changes, by name; changed in place while the average is applied. Whole numbers
            among them (counts) are not averaged.
        share: In (0, 1]; 1 is the plain mean over all steps.
    """

    def __init__(self, tensors: Mapping[str, Tensor], share: float) -> None:
        self._tensors = {name: value for name, value in tensors.items() if value.is_floating_point()}
        self._average = {name: value.detach().clone() for name, value in self._tensors.items()}
        self._share = share
        self._steps = 0

    @torch.no_grad()
    def update(self) -> None:
        """Take the present weights in, after an optimiser step."""
        self._steps += 1
        kept = (1 - 1 / self._steps) ** (1 / self._share)
        for name, average in self._average.items():
            average.lerp_(self._tensors[name].detach(), 1 - kept)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The average in place of the weights, which come back at the end."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def state(self) -> dict[str, Tensor]:
        """The average by name, and "steps"."""
        average = {name: value.cpu().clone() for name, value in self._average.items()}
        return {**average, "steps": torch.tensor(self._steps)}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `state` gave."""
        self._steps = int(state["steps"])
        for name, average in self._average.items():
            average.copy_(state[name])

    @torch.no_grad()
    def _swap(self) -> None:
        for name, average in self._average.items():
            weights = self._tensors[name]
            held = weights.clone()
            weights.copy_(average)
            average.copy_(held)
