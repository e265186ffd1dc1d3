"""Facts of a sample of images for the profile, and how image-like raw values look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from autotl.errors import DecodeError
from autotl.modalities.image.reading import Picture, read_image
from autotl.modalities.modality import Item

#: File endings read as images. Formats that need system libraries (PDF, EPS) stay out.
EXTENSIONS = frozenset(
    {".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"}
    | {".pnm", ".jp2", ".tga", ".avif"}
)
#: Edge in pixels that statistics are computed at; sizes are those of the file.
_STATISTICS_EDGE = 64
#: Largest mean spread between channels, of 255, of an image that counts as grey; JPEG leaves a little.
_GREY_SPREAD = 2.0
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"RIFF", b"II*\x00", b"MM\x00*", b"P4", b"P5", b"P6")


def describe(items: Sequence[Item], *, threads: int = 4) -> dict[str, Any]:
    """JSON-ready facts of a sample of images.

    Returns:
        `sampled`, `unreadable`, and where any could be read: `height` and `width` (pixels), `aspect` (width
        over height) and `shortest_edge`, each with `min`, `median` and `max`; `one_size`; `grey_share`;
        `brightness` and `contrast` in [0, 1]; `mean` and `std` of each channel in [0, 1]; `formats` by share.
    """
    with ThreadPoolExecutor(threads) as pool:
        pictures = [picture for picture in pool.map(_glance, items) if picture is not None]
    facts: dict[str, Any] = {"sampled": len(items), "unreadable": len(items) - len(pictures)}
    if not pictures:
        return facts
    height = np.array([picture.height for picture in pictures], float)
    width = np.array([picture.width for picture in pictures], float)
    pixels = [picture.pixels.reshape(-1, 3).astype(np.float32) for picture in pictures]
    means = np.stack([values.mean(axis=0) for values in pixels]) / 255
    squares = np.stack([(values**2).mean(axis=0) for values in pixels]) / 255**2
    deviation = np.sqrt(np.maximum(squares.mean(axis=0) - means.mean(axis=0) ** 2, 0))
    return facts | {
        "height": _range(height),
        "width": _range(width),
        "shortest_edge": _range(np.minimum(height, width)),
        "aspect": _range(width / height),
        "one_size": bool(np.ptp(height) == 0 and np.ptp(width) == 0),
        "grey_share": float(np.mean([_is_grey(values) for values in pixels])),
        "brightness": float(means.mean()),
        "contrast": float(np.mean([values.mean(axis=1).std() for values in pixels]) / 255),
        "mean": [float(value) for value in means.mean(axis=0)],
        "std": [float(value) for value in deviation],
        "formats": _shares([picture.format for picture in pictures]),
    }


def sniff(values: Sequence[Item]) -> float:
    """Share of `values` that are images or names of image files; missing values do not count."""
    present = [value for value in values if not _missing(value)]
    if not present:
        return 0.0
    return sum(_looks_like_image(value) for value in present) / len(present)


def _glance(item: Item) -> Picture | None:
    try:
        return read_image(item, draft=_STATISTICS_EDGE)
    except DecodeError:
        return None


def _is_grey(pixels: NDArray[Any]) -> bool:
    return bool((pixels.max(axis=1) - pixels.min(axis=1)).mean() <= _GREY_SPREAD)


def _range(values: NDArray[Any]) -> dict[str, float]:
    return {
        "min": float(values.min()),
        "median": float(np.median(values)),
        "max": float(values.max()),
    }


def _missing(value: Item) -> bool:
    return value is None or (isinstance(value, float) and value != value)


def _looks_like_image(value: Item) -> bool:
    if isinstance(value, Image.Image):
        return True
    if isinstance(value, np.ndarray):
        return value.ndim in (2, 3) and value.dtype.kind in "uf" and min(value.shape) > 0
    if isinstance(value, (bytes, bytearray)):
        return bytes(value[:4]).startswith(_MAGIC)
    if isinstance(value, (str, Path)):
        text = str(value)
        return len(text) < 4096 and "\n" not in text and Path(text).suffix.lower() in EXTENSIONS
    return False


def _shares(names: Sequence[str]) -> dict[str, float]:
    return {name: count / len(names) for name, count in Counter(names).most_common()}
