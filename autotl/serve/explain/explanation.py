"""`Explanation`: what the pieces of one input add to one output, and what came of hiding the strongest ones.

A value and what can be computed of it; measuring is left to `occlude`, showing to `rendering` and `words`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from autotl.modalities.modality import Piece, Rectangle
from autotl.serve.explain.attribution import Unit
from autotl.task import Task

Array = NDArray[Any]


@dataclass(frozen=True)
class Check:
    """What the output is without the strongest pieces: if effects are right, only hiding these changes it.

    Attributes:
        pieces: Numbers of the hidden pieces, the strongest first.
        output: The output without them.
        elsewhere: The mean output where as many other pieces are hidden, drawn at random; None where there
            are not as many.
    """

    pieces: tuple[int, ...]
    output: float
    elsewhere: float | None


@dataclass(frozen=True, eq=False)
class Explanation:
    """One input, one output, and why.

    Attributes:
        task: What is predicted.
        outputs: (K,) probabilities, or a value (), of the input as it is.
        features: (F,) of the input as it is.
        target: Index of the class or label that is explained; None for regression.
        shown: The input as a person sees it: (H, W, 3) uint8, or its texts.
        columns: Names of the texts, where they come from a table of several columns; else empty.
        pieces: P places in `shown`: cells of a grid, row by row, or spans of texts in order.
        effects: (P,) float32, what the output loses where a piece is hidden, in `unit`: positive where it
            speaks for the output (of a regression: raises it), negative where against.
        unit: What effects are measured in.
        check: What hiding the strongest pieces did; None where no piece speaks for the output.
    """

    task: Task
    outputs: Array
    features: Array
    target: int | None
    shown: Array | tuple[str, ...]
    columns: tuple[str, ...]
    pieces: tuple[Piece, ...]
    effects: Array
    unit: Unit
    check: Check | None

    @property
    def name(self) -> str:
        """The class or label that is explained; of a regression the name of its target."""
        return self.task.target if self.target is None else self.task.classes[self.target]

    @property
    def output(self) -> float:
        """Its probability, or the value."""
        return float(self.outputs if self.target is None else self.outputs[self.target])

    @property
    def direction(self) -> int:
        """1 where the checked pieces speak for the output or raise a value, -1 where they lower it."""
        hidden = self.effects[list(self.check.pieces)] if self.check else self.effects
        return -1 if float(hidden.sum()) < 0 and self.target is None else 1

    @property
    def share_of_evidence(self) -> float:
        """Share of all that speaks for the output which the checked pieces hold, 0 to 1."""
        signed = np.maximum(self.direction * self.effects, 0)
        total = float(signed.sum())
        return float(signed[list(self.check.pieces)].sum()) / total if self.check and total else 0.0

    @property
    def share_of_input(self) -> float:
        """How much of all pieces the checked ones are: of the area, or of the words; 0 to 1."""
        if self.check is None:
            return 0.0
        sizes = np.array([_area(p) if isinstance(p, Rectangle) else 1 for p in self.pieces], float)
        return float(sizes[list(self.check.pieces)].sum() / sizes.sum())

    @property
    def map(self) -> NDArray[np.float32] | None:
        """(H, W) float32, the effect of the piece at each pixel, between cells interpolated; None for texts.

        Zero where the network does not look.
        """
        if isinstance(self.shown, tuple):
            return None
        found = np.zeros(self.shown.shape[:2], np.float32)
        cells = [piece for piece in self.pieces if isinstance(piece, Rectangle)]
        first, last = cells[0], cells[-1]
        columns = sum(cell.top == first.top for cell in cells)
        grid = Image.fromarray(self.effects.astype(np.float32).reshape(-1, columns))
        size = (last.right - first.left, last.bottom - first.top)
        inside = np.asarray(grid.resize(size, Image.Resampling.BILINEAR))
        found[first.top : last.bottom, first.left : last.right] = inside
        return found

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary: the output, pieces with their effects, and the check."""
        check = self.check
        return {
            "explained": self.name,
            "output": self.output,
            "unit": self.unit.value,
            "size": None if isinstance(self.shown, tuple) else list(self.shown.shape[:2]),
            "pieces": [self._piece(number) for number in range(len(self.pieces))],
            "check": None
            if check is None
            else {
                "hidden": list(check.pieces),
                "share_of_evidence": self.share_of_evidence,
                "share_of_input": self.share_of_input,
                "output": check.output,
                "elsewhere": check.elsewhere,
            },
        }

    def _piece(self, number: int) -> dict[str, Any]:
        piece, effect = self.pieces[number], round(float(self.effects[number]), 5)
        if isinstance(piece, Rectangle):
            return {**piece._asdict(), "effect": effect}
        return {**piece._asdict(), "word": self.words(number), "effect": effect}

    def words(self, number: int) -> str:
        """The text of a piece; empty for images."""
        piece = self.pieces[number]
        if isinstance(piece, Rectangle) or not isinstance(self.shown, tuple):
            return ""
        return self.shown[piece.text][piece.start : piece.stop]


def _area(cell: Rectangle) -> int:
    return (cell.bottom - cell.top) * (cell.right - cell.left)
