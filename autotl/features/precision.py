"""Which 16-bit type a device is faster with."""

from __future__ import annotations

import torch

#: The first compute capability of CUDA with units for half precision.
_TENSOR_CORES = (7, 0)


def fastest_dtype(device: torch.device) -> torch.dtype | None:
    """bfloat16 or float16 where a GPU has units for it; None elsewhere: most CPUs are slower with them."""
    if device.type != "cuda":
        return None
    if torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.bfloat16
    return torch.float16 if torch.cuda.get_device_capability(device) >= _TENSOR_CORES else None
