"""Images to hide cell by cell: a grid over what the network sees, and images with cells painted over.

Pillow does the blending, on decoded pixels; nothing here knows a network or what is made of the images.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from PIL import Image

from autotl.modalities.modality import Example, Occlusion, Rectangle

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]

#: Cells of the grid, down and across: those of the last feature map of most networks at 224 px.
_GRID = 7
#: Edges of windows, in cells, that are hidden beside single cells.
_WINDOWS = (2, 3)
#: A cell is so many steps wide where its edges are softened: hard edges are features of their own.
_STEPS = 4


def divide(pixels: Pixels, *, crop_share: float | None) -> Occlusion:
    """Divide an image.

    Args:
        pixels: (H, W, 3) decoded.
        crop_share: Share of the shorter edge that the network's centred square takes; None where it sees the
            whole image.

    Hidden cells take the mean colour of the image.
    """
    box = _seen(pixels.shape[0], pixels.shape[1], crop_share)
    rows, columns = min(_GRID, box.bottom - box.top), min(_GRID, box.right - box.left)
    down = np.linspace(box.top, box.bottom, rows + 1).round().astype(int).tolist()
    across = np.linspace(box.left, box.right, columns + 1).round().astype(int).tolist()
    cells = tuple(
        Rectangle(top, left, bottom, right)
        for top, bottom in pairwise(down)
        for left, right in pairwise(across)
    )
    picture = Image.fromarray(pixels)
    # One colour for all cells: a blurred copy lets what lies beside a cell shine into it.
    cover = Image.new("RGB", picture.size, picture.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0)))

    def hide(hidden: Mask) -> Example:
        if not hidden.any():
            return {"image": pixels}
        mask = _softened(hidden.reshape(rows, columns), box, picture.size)
        return {"image": np.asarray(Image.composite(cover, picture, mask))}

    return Occlusion(pixels, cells, _windows(rows, columns), hide)


def _seen(height: int, width: int, crop_share: float | None) -> Rectangle:
    """What the pixel graph leaves of an image, by the same rules."""
    if crop_share is None:
        return Rectangle(0, 0, height, width)
    side = max(1, round(min(height, width) * crop_share))
    top, left = (height - side) // 2, (width - side) // 2
    return Rectangle(top, left, top + side, left + side)


def _windows(rows: int, columns: int) -> Mask:
    """(G, rows * columns) every square window of more than one cell that fits into the grid."""
    numbers = np.arange(rows * columns).reshape(rows, columns)
    chosen = [
        window.ravel()
        for edge in _WINDOWS
        if edge <= min(rows, columns)
        for window in sliding_window_view(numbers, (edge, edge)).reshape(-1, edge, edge)
    ]
    groups = np.zeros((len(chosen), rows * columns), np.bool_)
    for group, members in zip(groups, chosen, strict=True):
        group[members] = True
    return groups


def _softened(hidden: Mask, box: Rectangle, size: tuple[int, int]) -> Image.Image:
    """What is hidden of the whole image, 0 to 255, with soft edges between cells."""
    steps = np.kron(hidden, np.ones((_STEPS, _STEPS), np.uint8)).astype(np.uint8) * np.uint8(255)
    inside = (box.right - box.left, box.bottom - box.top)
    mask = Image.fromarray(steps).resize(inside, Image.Resampling.BILINEAR)
    if inside == size:
        return mask
    whole = Image.new("L", size)
    whole.paste(mask, (box.left, box.top))
    return whole
