"""Counts the weights and multiply-accumulates of a backbone, for the catalogue and for unlisted ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autotl.backbones.backbone import Backbone

if TYPE_CHECKING:
    from autotl.backbones.backbone import Batch

#: Length of the text for which multiply-accumulates are counted.
TOKENS = 128


def parameters(backbone: Backbone, depth: int | None = None) -> int:
    """Number of weights of the first blocks; None means all."""
    blocks = backbone.blocks()[:depth]
    return sum(weight.numel() for block in blocks for weight in block.parameters())


def macs(backbone: Backbone) -> int:
    """Multiply-accumulates of one input: an image at the default size, or a text of 128 tokens.

    Half of what `torch.utils.flop_counter` counts: matrix products and convolutions.
    """
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    # The plain kernel, because the counter does not see into the fused one of the CPU.
    with sdpa_kernel(SDPBackend.MATH), counter:
        backbone.run(example(backbone))
    return int(counter.get_total_flops() // 2)


def example(backbone: Backbone) -> Batch:
    """One network input of the default size."""
    import torch

    if backbone.info.modality == "text":
        length = min(TOKENS, int(backbone.info.input.get("max_length", TOKENS)))
        ids = torch.full((1, length), 5, dtype=torch.int64)
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    size = int(backbone.info.input["size"])
    return {"pixels": torch.zeros(1, size, size, 3, dtype=torch.uint8)}
