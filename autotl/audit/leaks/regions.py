"""Regions of pictures whose pixels alone tell a class: watermarks, timestamps, borders, a ruler.

Each cell of a grid, and each strip along an edge, is given to a linear head by itself. A leak is a small
region that tells a class almost perfectly while regions away from it do not: what is in the picture tells its
class from many places, and less well from each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from autotl.audit.held_out import linear_outputs
from autotl.audit.leaks.leak import Leak, auc

Array = NDArray[Any]

#: Edge of the pictures looked at, cells along it, width of a strip, and of the blocks that are averaged.
SIDE = 112
_CELLS, _STRIP, _BLOCK = 8, 2, 2
#: How well a region must tell a class; how well regions away from it may, where it touches an edge of the
#: picture, as watermarks, timestamps and borders do, and where it does not.
ALMOST_PERFECT, ELSEWHERE, ELSEWHERE_INSIDE = 0.98, 0.97, 0.85
#: Share of the errors elsewhere that a leak makes at most.
_ERRORS = 0.2
_LEAST_ROWS = 20
_DOWN, _ACROSS = ("upper", "middle", "lower"), ("left", "centre", "right")


@dataclass(frozen=True)
class _Region:
    """Rows and columns of pixels, one or several rectangles; those along edges have a name."""

    parts: tuple[tuple[slice, slice], ...]
    name: str = ""

    @property
    def words(self) -> str:
        """Where it is, for a person."""
        if self.name:
            return f"the outermost pixels at {self.name}"
        (rows, columns), *_ = self.parts
        down = _DOWN[min(2, 3 * (rows.start + rows.stop) // (2 * SIDE))]
        across = _ACROSS[min(2, 3 * (columns.start + columns.stop) // (2 * SIDE))]
        place = "in the middle" if (down, across) == ("middle", "centre") else f"at the {down} {across}"
        left, right = (round(100 * x / SIDE) for x in (columns.start, columns.stop))
        top, bottom = (round(100 * y / SIDE) for y in (rows.start, rows.stop))
        return f"the region {place} ({left}-{right} % across, {top}-{bottom} % down)"

    @property
    def is_at_edge(self) -> bool:
        """Whether it touches an edge of the picture."""
        return any(part.start == 0 or part.stop == SIDE for parts in self.parts for part in parts)

    def is_near(self, other: _Region) -> bool:
        """Whether another region lies within a cell of this one, or along the same edge of the picture."""
        return any(_are_near(one, two) for one in self.parts for two in other.parts)


def _are_near(one: tuple[slice, slice], two: tuple[slice, slice]) -> bool:
    margin = SIDE // _CELLS
    pairs = list(zip(one, two, strict=True))
    whole = slice(0, SIDE)  # opposite strips both run from end to end
    ends = [(a, b) for a, b in pairs if not a == b == whole]
    along_edge = any(a.start == b.start == 0 or a.stop == b.stop == SIDE for a, b in ends)
    return along_edge or not any(a.start >= b.stop + margin or b.start >= a.stop + margin for a, b in pairs)


def region_leaks(pixels: Array, indicators: Array, units: Array) -> list[Leak]:
    """Regions that tell a class, at most one for each.

    Args:
        pixels: (N, S, S, 3) uint8.
        indicators: (N, K) bool, classes or labels.
        units: (N,) int64; copies of a row share its unit.
    """
    enough = np.minimum(indicators.sum(axis=0), (~indicators).sum(axis=0)) >= _LEAST_ROWS
    classes = np.flatnonzero(enough)
    if not len(classes):
        return []
    planes = np.ascontiguousarray(resized(pixels).transpose(0, 3, 1, 2))
    strips = _strips()
    regions = [*strips, *_cells()]
    columns = indicators[:, classes].astype(np.float64)
    scores = [linear_outputs(_seen(planes, region), columns, units) for region in regions]
    told = np.stack([auc(score, columns) for score in scores])
    # A frame tells what each of its strips tells: together they are more than other regions are.
    told = np.concatenate([told, told[: len(strips)].min(axis=0, keepdims=True)])
    regions.append(_Region(tuple(part for strip in strips for part in strip.parts), "the edges"))
    found = []
    for place, column in enumerate(classes):
        leak = _leak(regions, told[:, place], int(column), np.flatnonzero(indicators[:, column]))
        found += [] if leak is None else [leak]
    return found


def _leak(regions: list[_Region], told: Array, column: int, rows: Array) -> Leak | None:
    """The best region that tells a class much better than those away from it do."""
    for best in np.argsort(-told.round(4), kind="stable"):
        strength = float(told[best])
        if strength < ALMOST_PERFECT:
            return None
        away = [told[i] for i, other in enumerate(regions) if not regions[best].is_near(other)]
        elsewhere = float(max(away, default=1.0))
        most = ELSEWHERE if regions[best].is_at_edge else ELSEWHERE_INSIDE
        if elsewhere <= most and 1 - strength <= _ERRORS * (1 - elsewhere):
            measure = f"AUC {strength:.2f}, elsewhere at most {elsewhere:.2f}"
            what, remedy = regions[best].words, "cover it or crop it"
            return Leak("region", column, what, strength, measure, remedy, rows)
    return None


def resized(pixels: Array) -> Array:
    """Pictures (N, 112, 112, 3) uint8 of pictures (N, S, S, 3)."""
    if pixels.shape[1:3] == (SIDE, SIDE):
        return pixels
    found = np.empty((len(pixels), SIDE, SIDE, 3), np.uint8)
    for row, picture in enumerate(pixels):
        found[row] = np.asarray(Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BOX))
    return found


def _strips() -> list[_Region]:
    whole, first, last = slice(0, SIDE), slice(0, _STRIP), slice(SIDE - _STRIP, SIDE)
    parts = {"upper": (first, whole), "lower": (last, whole), "left": (whole, first), "right": (whole, last)}
    return [_Region((part,), f"the {name} edge") for name, part in parts.items()]


def _cells() -> list[_Region]:
    edge = SIDE // _CELLS
    places = [slice(start, start + edge) for start in range(0, SIDE, edge)]
    return [_Region(((rows, columns),)) for rows in places for columns in places]


def _seen(planes: Array, region: _Region) -> Array:
    """What a head sees of a rectangle, (N, F) float32: means of small blocks, spread, and slopes.

    Spread and slopes tell writing whatever it says.

    Args:
        planes: (N, 3, 112, 112) uint8.
        region: Where to look.
    """
    ((place, columns),) = region.parts
    part = planes[:, :, place, columns].astype(np.float32) / 255.0
    rows, _, height, width = part.shape
    down, across = (SIDE // (2 * _CELLS) if size == SIDE else _BLOCK for size in (height, width))
    blocks = part.reshape(rows, 3, height // down, down, width // across, across).mean(axis=(3, 5))
    slopes = [np.abs(np.diff(part, axis=axis)).mean(axis=(2, 3)) for axis in (2, 3)]
    flat = part.reshape(rows, 3, -1)
    whole = [flat.std(axis=2), *slopes, flat.max(axis=2), flat.min(axis=2)]
    return np.concatenate([blocks.reshape(rows, -1), *whole], axis=1)
