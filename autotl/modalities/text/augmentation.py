"""Random changes of token batches: token dropout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autotl.errors import SpaceError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

#: Share of tokens that are hidden.
DROPPED = {"light": 0.1, "strong": 0.2}


def drop_tokens(mask: Tensor, strength: str, generator: torch.Generator) -> Tensor:
    """Hide random tokens from attention and pooling.

    Hiding needs no mask token, which not every tokenizer has, and leaves positions as they are. The first and
    the last token of a row, which are markers in most tokenizers, always stay.

    Args:
        mask: Attention mask (B, T), 1 for tokens and 0 for padding at the end.
        strength: "none", "light" (10 % of the tokens) or "strong" (20 %).
        generator: Where randomness comes from.

    Returns:
        A mask of the same shape, type and device.

    Raises:
        SpaceError: Unknown strength.
    """
    import torch

    if strength == "none":
        return mask
    if strength not in DROPPED:
        known = ", ".join(["none", *DROPPED])
        raise SpaceError("unknown augmentation", found=repr(strength), expected=known)
    drawn = torch.rand(mask.shape, generator=generator, device=generator.device).to(mask.device)
    dropped = drawn < DROPPED[strength]
    dropped[:, 0] = False
    last = mask.sum(dim=1, keepdim=True).clamp(min=1) - 1
    dropped.scatter_(1, last, False)
    return mask.masked_fill(dropped, 0)
