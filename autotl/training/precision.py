"""Mixed precision: which arithmetic the passes of a training use on a device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from autotl.features.precision import fastest_dtype

#: Units for bfloat16 that an x86 CPU may have.
_UNITS = ("avx512_bf16", "amx_bf16")


def training_dtype(device: torch.device, network: nn.Module) -> torch.dtype | None:
    """The type of passes that a network trains fastest in on a device; None for float32.

    On a CPU with units for bfloat16 that is the type of transformers (MiniLM: 1.3 to 1.5 times as fast on two
    cores with AVX-512), and not of convolutions (EfficientNet-Lite: 0.7 to 0.8 times).
    """
    if device.type != "cpu":
        return fastest_dtype(device)
    if any(isinstance(module, nn.Conv2d) for module in network.modules()):
        return None
    return torch.bfloat16 if _cpu_has_units() else None


def _cpu_has_units() -> bool:
    # An older torch does not tell.
    capabilities: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(name) for name in _UNITS)


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
