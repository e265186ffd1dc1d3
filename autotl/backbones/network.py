"""`BlockBackbone`: the one implementation of the `Backbone` protocol, a chain of blocks and a pooling rule.

Sources and cutters build it; it knows nothing of where weights come from or how a network was cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from autotl.backbones.backbone import BackboneInfo

if TYPE_CHECKING:
    import torch
    from torch import nn

    from autotl.backbones.backbone import Batch


class Pooling(Protocol):
    """Turns a hidden batch into one vector an input."""

    def __call__(self, hidden: Batch, depth: int, total: int) -> torch.Tensor:
        """Features (B, F) of a hidden batch at `depth` of `total` blocks."""


class BlockBackbone:
    """A network as a chain of blocks; each maps a batch to a batch.

    Args:
        info: What the catalogue says of it.
        blocks: Modules whose `forward` takes and returns a batch; no parameter in two of them.
        pooling: How a hidden batch becomes features.
        example: A network input of one or more rows; run once to learn the feature sizes.
        assets: Files that decoding needs.
    """

    def __init__(
        self,
        info: BackboneInfo,
        blocks: Sequence[nn.Module],
        pooling: Pooling,
        example: Batch,
        assets: Mapping[str, Path] | None = None,
    ) -> None:
        from torch import nn

        self.info = info
        self.module: nn.Module = nn.ModuleList(blocks).eval()
        self._pooling = pooling
        self._assets = dict(assets or {})
        self._dims = self._measure(example)

    def _measure(self, example: Batch) -> tuple[int, ...]:
        import torch

        dims, batch = [], example
        with torch.inference_mode():
            for depth in range(1, self.depth + 1):
                batch = self.run(batch, depth - 1, depth)
                dims.append(self.pool(batch, depth).shape[1])
        return tuple(dims)

    def blocks(self) -> list[nn.Module]:
        """The D blocks; a parameter belongs to exactly one of them."""
        return list(self.module.children())

    @property
    def depth(self) -> int:
        """Number of blocks, D."""
        return len(self.blocks())

    def run(self, batch: Batch, start: int = 0, stop: int | None = None) -> Batch:
        """Run blocks `start` to `stop` (exclusive; None means D) on a batch at depth `start`."""
        for block in self.blocks()[start:stop]:
            batch = block(batch)
        return batch

    def pool(self, hidden: Batch, depth: int) -> torch.Tensor:
        """Pooled features (B, F_depth) of a hidden batch at `depth` (from 1 to D)."""
        return self._pooling(hidden, depth, self.depth)

    def feature_dim(self, depth: int | None = None) -> int:
        """F at a depth; None means D."""
        return self._dims[(self.depth if depth is None else depth) - 1]

    def assets(self) -> Mapping[str, Path]:
        """Files that decoding needs (texts: {"tokenizer.json": path}); empty for images."""
        return self._assets


def pool_map(hidden: Batch, depth: int, total: int) -> torch.Tensor:
    """Global average (B, C) of a feature map (B, C, H, W)."""
    return hidden["hidden"].mean(dim=(2, 3))


def pool_mean(hidden: Batch, depth: int, total: int) -> torch.Tensor:
    """Mean (B, D) of the token states (B, T, D) where the attention mask is 1."""
    states = hidden["hidden"]
    mask = hidden["attention_mask"].to(states.dtype).unsqueeze(-1)
    return (states * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1e-9)


def pool_first(hidden: Batch, depth: int, total: int) -> torch.Tensor:
    """State (B, D) of the first token."""
    return hidden["hidden"][:, 0]
