"""`RowsAtOnce`: goes on with fewer rows at once when memory runs out. Knows nothing of what they are for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

Array = NDArray[Any]
Result = TypeVar("Result")

#: What errors say that are no `torch.OutOfMemoryError`: those of drivers and of Apple's GPUs, and the CPU's.
_WORDS = ("out of memory", "DefaultCPUAllocator")


class RowsAtOnce:
    """How many rows go through a network at once; halved each time that memory runs out.

    Attributes:
        rows: The number now.
    """

    def __init__(self, rows: int) -> None:
        self.rows = rows

    def fit(self, work: Callable[[int], Result], most: int | None = None) -> Result:
        """What `work(rows)` gives; it is called again with half as many rows each time that memory runs out.

        Args:
            work: Does something with so many rows at once.
            most: Rows that there are, where it may be fewer than go at once.

        Raises:
            RuntimeError: Memory ran out with a single row, or `work` raised it for another reason.
        """
        while True:
            rows = self.rows if most is None else min(self.rows, most)
            try:
                return work(rows)
            except RuntimeError as error:
                if rows == 1 or not out_of_memory(error):
                    raise
            # Only here, past the handler, is the memory free that its traceback kept alive.
            self.rows = rows // 2
            if torch.accelerator.is_available():
                torch.accelerator.empty_cache()


def out_of_memory(error: RuntimeError) -> bool:
    """Whether an error says that an accelerator's or the CPU's memory ran out."""
    return isinstance(error, torch.OutOfMemoryError) or any(words in str(error) for words in _WORDS)


def parts(rows: Array, most: int) -> list[Array]:
    """Rows in order, as few parts of at most `most` rows as there can be, of about the same size."""
    return np.array_split(rows, max(1, -(-len(rows) // most)))
