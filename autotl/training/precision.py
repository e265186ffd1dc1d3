"""Mixed precision: which arithmetic the passes of a training use on a device."""

from __future__ import annotations

import torch


class MixedPrecision:
    """Passes in a 16-bit type where that is faster, with losses scaled where the type needs it.

    bfloat16 has the range of float32. The gradients of float16 run out of range, so its losses are scaled up
    and steps that overflow are left out (Micikevicius et al. 2018).

    Args:
        device: Where training runs.
        dtype: Type of the passes; None for float32.

    Attributes:
        dtype: As given.
        scaler: Scales losses for float16; does nothing for other types.
    """

    def __init__(self, device: torch.device, dtype: torch.dtype | None) -> None:
        self.dtype = dtype
        self._device = device
        self.scaler = torch.amp.GradScaler(device.type, enabled=dtype is torch.float16)

    def autocast(self) -> torch.autocast:
        """The context of a forward pass."""
        return torch.autocast(self._device.type, dtype=self.dtype, enabled=self.dtype is not None)
