"""From any kind of image to upright 8-bit RGB; the one reader of audit, training, export and serving.

The rules, so that a result is exact and repeatable:

- EXIF orientation is applied; of an animation or a multi-page file the first frame counts.
- Transparent pixels are blended over white.
- 16-bit values are divided by 257 and rounded, floating-point values in [0, 1] are multiplied by 255.
- Grey becomes three equal channels; CMYK, YCbCr, Lab and palettes go through Pillow's conversion.
- With a `draft` edge, large images are shrunk by whole factors as long as both edges (with `fit="crop"`: the
  shorter one) stay at least that long: JPEGs by their decoder, all others and what is left by a box mean.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from autotl.errors import DecodeError
from autotl.modalities.modality import Item

Array = NDArray[Any]
Pixels = NDArray[np.uint8]

#: Largest number of pixels that is decoded: Pillow's own limit, a quarter of a gigabyte of RGB.
MAX_PIXELS = 89_478_485

#: Pillow's names of the formats that are read. Others stay closed, because encoded bytes may come from
#: anywhere, and some of Pillow's readers start programs of the system (EPS).
FORMATS = ("JPEG", "MPO", "PNG", "BMP", "DIB", "GIF", "WEBP", "TIFF", "PPM", "JPEG2000", "AVIF", "TGA")

_ORIENTATION_TAG = 0x0112
_BROKEN_FILE = (
    OSError,
    ValueError,
    SyntaxError,
    struct.error,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RuntimeError,  # what the AVIF decoder raises
)
_BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning)


@dataclass(frozen=True)
class Picture:
    """A decoded image and what its file said.

    Attributes:
        pixels: (h, w, 3) uint8, upright; smaller than the file's where a draft edge was given.
        height: Height of the whole upright image in pixels.
        width: Width of the whole upright image in pixels.
        format: Pillow's name of the file format, "array" for arrays and images without one.
    """

    pixels: Pixels
    height: int
    width: int
    format: str


def read_image(item: Item, *, draft: int | None = None, fit: str = "squash") -> Picture:
    """Read one image.

    Args:
        item: A path, encoded bytes, a Pillow image, or an array (H, W), (H, W, 1 to 4) of bool, uint8, uint16
            or of floats in [0, 1]. Two channels are grey and alpha, four are RGB and alpha.
        draft: Shortest edge in pixels that shrinking must leave; None decodes at full size.
        fit: "squash" lets height and width shrink by different factors, "crop" by the same one.

    Raises:
        DecodeError: The item is no readable image; the message names it.
    """
    name = name_of(item)
    if isinstance(item, np.ndarray):
        rgb, size, kind = _rgb_of_array(item, name), item.shape[:2], "array"
    else:
        try:
            rgb, size, kind = _read_encoded(item, name, draft)
        except _BOMB as error:
            raise _too_large(name, _pixels_of(error)) from error
        except DecodeError:
            raise
        except _BROKEN_FILE as error:
            raise _broken(name, error) from error
    return Picture(_shrink(rgb, draft, fit), int(size[0]), int(size[1]), kind)


def count_pixels(item: Item) -> int:
    """Pixels of an image, from the head of its file; nothing is decoded.

    Raises:
        DecodeError: The item is no image.
    """
    if isinstance(item, np.ndarray):
        return int(np.prod(item.shape[:2]))
    if isinstance(item, Image.Image):
        return item.width * item.height
    source = io.BytesIO(item) if isinstance(item, (bytes, bytearray, memoryview)) else item
    try:
        with Image.open(source, formats=_formats()) as image:
            return image.width * image.height
    except _BOMB as error:
        return int(_pixels_of(error))
    except _BROKEN_FILE as error:
        raise _broken(name_of(item), error) from error


def attributes(item: Item) -> dict[str, str | float]:
    """What the head of an image file says; of an array, its size alone.

    Raises:
        DecodeError: The item is no image.
    """
    if isinstance(item, np.ndarray):
        return {"width in pixels": float(item.shape[1]), "height in pixels": float(item.shape[0])}
    if isinstance(item, Image.Image):
        return _head(item)
    is_encoded = isinstance(item, (bytes, bytearray, memoryview))
    try:
        with Image.open(io.BytesIO(item) if is_encoded else item, formats=_formats()) as image:
            size = len(item) if is_encoded else Path(item).stat().st_size
            return {**_head(image), "file size": float(size)}
    except _BOMB as error:
        raise _too_large(name_of(item), _pixels_of(error)) from error
    except _BROKEN_FILE as error:
        raise _broken(name_of(item), error) from error


def _head(image: Image.Image) -> dict[str, str | float]:
    return {
        "file format": image.format or "none",
        "colour mode": image.mode,
        "width in pixels": float(image.width),
        "height in pixels": float(image.height),
    }


def name_of(item: Item) -> str:
    """What an error calls an item: its path, or its kind and size."""
    if isinstance(item, (str, Path)):
        return str(item)
    if isinstance(item, (bytes, bytearray, memoryview)):
        return f"of {len(item)} bytes"
    if isinstance(item, np.ndarray):
        return f"array of shape {item.shape} and type {item.dtype}"
    if isinstance(item, Image.Image):
        return str(getattr(item, "filename", "") or f"of mode {item.mode} and size {item.size}")
    return f"of type {type(item).__name__}"


def _read_encoded(item: Item, name: str, draft: int | None) -> tuple[Pixels, tuple[int, int], str]:
    if isinstance(item, Image.Image):
        return _rgb_of_image(item, name, None)
    if isinstance(item, (str, Path)):
        source: Any = item
    elif isinstance(item, (bytes, bytearray, memoryview)):
        source = io.BytesIO(item)
    else:
        raise DecodeError(
            f"cannot decode an image {name}", expected="a path, bytes, a Pillow image or a NumPy array"
        )
    with Image.open(source, formats=_formats()) as image:
        return _rgb_of_image(image, name, draft)


@cache
def _formats() -> tuple[str, ...]:
    """Those of `FORMATS` that this build of Pillow has."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _rgb_of_image(image: Image.Image, name: str, draft: int | None) -> tuple[Pixels, tuple[int, int], str]:
    width, height = image.size
    if draft is not None:
        image.draft(None, (draft, draft))
    if image.size[0] * image.size[1] > MAX_PIXELS:
        raise _too_large(name, str(width * height))
    image.load()
    turn = _orientation(image)
    rgb = _turned(_rgb_of_loaded(image, name), turn)
    return rgb, (width, height) if turn >= 5 else (height, width), image.format or "array"


def _rgb_of_loaded(image: Image.Image, name: str) -> Pixels:
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        grey = np.asarray(image)
        if image.mode == "I" and grey.size and grey.min() >= 0 and grey.max() <= 65535:
            grey = grey.astype(np.uint16)
        return _rgb_of_array(grey, name)
    if image.has_transparency_data:
        return _over_white(np.asarray(image.convert("RGBA")))
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _rgb_of_array(array: Array, name: str) -> Pixels:
    shaped = array[:, :, None] if array.ndim == 2 else array
    if shaped.ndim != 3 or shaped.shape[2] not in (1, 2, 3, 4) or 0 in shaped.shape:
        raise DecodeError(
            f"cannot use the image {name}",
            expected="shape (H, W) or (H, W, C) with 1 to 4 channels and no empty axis",
            hint="Put the channels last: array.transpose(1, 2, 0).",
        )
    if shaped.shape[0] * shaped.shape[1] > MAX_PIXELS:
        raise _too_large(name, str(shaped.shape[0] * shaped.shape[1]))
    values = _to_uint8(shaped, name)
    channels = values.shape[2]
    if channels == 2:
        return _over_white(values[:, :, [0, 0, 0, 1]])
    if channels == 4:
        return _over_white(values)
    return np.ascontiguousarray(np.broadcast_to(values, (*values.shape[:2], 3)))


def _to_uint8(array: Array, name: str) -> Pixels:
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind == "u" and array.dtype.itemsize == 2:  # of either byte order
        return ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if np.issubdtype(array.dtype, np.floating) and np.min(array) >= 0 and np.max(array) <= 1:
        return np.rint(array.astype(np.float32) * 255).astype(np.uint8)
    found = f"{array.dtype} values from {array.min()} to {array.max()}"
    raise DecodeError(
        f"cannot use the image {name}",
        found=found,
        expected="uint8, uint16, bool, or floats from 0 to 1",
        hint="Scale the values and convert them to uint8.",
    )


def _over_white(rgba: Pixels) -> Pixels:
    """Blend (H, W, 4) over white, rounded to the nearest value."""
    alpha = rgba[:, :, 3:].astype(np.uint16)
    blended = rgba[:, :, :3] * alpha + 255 * (255 - alpha) + 127
    return (blended // 255).astype(np.uint8)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation from 1 to 8; 1 where there is none or the EXIF block is broken."""
    try:
        turn = image.getexif().get(_ORIENTATION_TAG, 1)
    except (*_BROKEN_FILE, UserWarning):
        return 1
    return turn if isinstance(turn, int) and 1 <= turn <= 8 else 1


def _turned(pixels: Pixels, turn: int) -> Pixels:
    """Make an image upright (EXIF 2.3, tag 274); values from 5 on exchange height and width."""
    if turn >= 5:
        pixels = pixels.swapaxes(0, 1)
    if turn in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if turn in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _shrink(pixels: Pixels, draft: int | None, fit: str) -> Pixels:
    if draft is None:
        return pixels
    height, width = pixels.shape[:2]
    down, across = max(1, height // draft), max(1, width // draft)
    if fit == "crop":
        down = across = min(down, across)
    if down == across == 1:
        return pixels
    return np.asarray(Image.fromarray(pixels).reduce((across, down)))


def _too_large(name: str, pixels: str) -> DecodeError:
    return DecodeError(
        f"the image {name} is too large to decode",
        found=f"{pixels} pixels",
        expected=f"at most {MAX_PIXELS:,}",
        hint="Scale it down first.",
    )


def _pixels_of(error: BaseException) -> str:
    """How many pixels Pillow counted before it refused."""
    return str(error).split("(")[-1].split(" pixels")[0]


def _broken(name: str, error: BaseException) -> DecodeError:
    return DecodeError(
        f"cannot decode the image {name}",
        found=_reason(error),
        expected="a complete image file that Pillow can read",
        hint="Repair or remove the file.",
    )


def _reason(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return "no known image format" if isinstance(error, UnidentifiedImageError) else text
