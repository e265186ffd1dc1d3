"""`Adaptation`: which weights of a block train once the block does. The base class trains all of them.

Which blocks train, and when, is the business of the `Plan`.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn


class Adaptation:
    """All weights of a block train. Stateless; subclasses choose among them or add weights of their own."""

    def attach(self, blocks: Sequence[nn.Module]) -> None:
        """Put weights of its own into blocks that may train, such that no output changes."""

    def trained(self, block: nn.Module) -> list[nn.Parameter]:
        """The weights of a block that train."""
        return list(block.parameters())

    def merge(self, blocks: Sequence[nn.Module]) -> None:
        """Take its own weights out again and leave what they learned in those of the blocks."""


WHOLE_BLOCKS = Adaptation()
