"""Which 16-bit type a device is faster with."""

from __future__ import annotations

import torch

#: The first compute capability of CUDA with units for half precision.
_TENSOR_CORES = (7, 0)
#: The first with units for bfloat16; what `torch.cuda.is_bf16_supported` asks of the current GPU alone.
_BRAIN_FLOATS = (8, 0)


def fastest_dtype(device: torch.device) -> torch.dtype | None:
    """bfloat16 or float16 where a GPU has units for it; None elsewhere: most CPUs are slower with them."""
    if device.type != "cuda":
        return None
    capability = torch.cuda.get_device_capability(device)
    if capability >= _BRAIN_FLOATS:
        return torch.bfloat16
    return torch.float16 if capability >= _TENSOR_CORES else None
