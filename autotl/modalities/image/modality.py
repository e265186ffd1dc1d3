"""`ImageModality`: images as files, bytes, arrays or Pillow images."""

from __future__ import annotations

import base64
import html
import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from autotl.config import Choice, Domain
from autotl.errors import DecodeError, SpaceError
from autotl.modalities.image import description as facts
from autotl.modalities.image import signature
from autotl.modalities.image.decoding import ImageDecoder
from autotl.modalities.image.reading import attributes, count_pixels, read_image
from autotl.modalities.modality import Item
from autotl.modalities.preprocessing import PreprocessingSpec

if TYPE_CHECKING:
    import onnx
    import torch

_FITS = ("squash", "crop")
_FILTERS = {"cubic": "cubic", "bicubic": "cubic", "linear": "linear", "bilinear": "linear"}
_DEFAULT_SIZE = 224
_DEFAULT_CROP_SHARE = 0.875
#: Decoding never shrinks an image below this many times the network's input size.
_DRAFT_OVERSAMPLING = 2
_THUMBNAIL_EDGE = 64


class ImageModality:
    """Pictures of any kind; implements `Modality` and all that modalities may support."""

    name = "image"
    extensions = facts.EXTENSIONS
    augmentations = ("none", "light", "strong")
    extent_unit = "pixels"

    def parameters(self) -> dict[str, Domain]:
        """Edge of the network's input in pixels (0: the backbone's own), and how images are fitted to it."""
        return {
            "input_size": Choice((0, 128, 160, 224), 0),
            "fit": Choice(_FITS, _FITS[0]),
        }

    def sniff(self, values: Sequence[Item]) -> float:
        """Share of values that are images or paths with an image ending, 0 to 1."""
        return facts.sniff(values)

    def fingerprint(self, item: Item) -> str:
        """sha256 of the decoded full-size pixels: equal for the same picture in another lossless format.

        Raises:
            DecodeError: The item is unreadable.
        """
        return signature.fingerprint(read_image(item).pixels)

    def near_key(self, item: Item) -> NDArray[np.uint64]:
        """A 256-bit perceptual hash, (4,) uint64.

        Raises:
            DecodeError: The item is unreadable.
        """
        return signature.near_key(read_image(item).pixels)

    def turned_keys(self, keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Keys (7, N, 4) of the images mirrored, turned by right angles, and both."""
        return signature.turned_keys(keys)

    def near_bits(self) -> int:
        """24 of 256 bits."""
        return signature.NEAR_BITS

    def is_empty(self, item: Item) -> bool:
        """Whether the image shows one colour only.

        Raises:
            DecodeError: The item is unreadable.
        """
        return signature.is_one_colour(read_image(item).pixels)

    def examine(self, item: Item) -> tuple[str, NDArray[np.uint64], bool]:
        """Fingerprint, near key and emptiness from decoding the image once.

        Raises:
            DecodeError: The item is unreadable.
        """
        pixels = read_image(item).pixels
        return signature.fingerprint(pixels), signature.near_key(pixels), signature.is_one_colour(pixels)

    def thumbnail(self, item: Item, edge: int) -> NDArray[np.uint8]:
        """The whole image as a square (edge, edge, 3), its aspect changed.

        Raises:
            DecodeError: The item is unreadable.
        """
        picture = Image.fromarray(read_image(item, draft=edge).pixels)
        return np.asarray(picture.resize((edge, edge), Image.Resampling.BILINEAR))

    def attributes(self, item: Item) -> dict[str, str | float]:
        """File format, colour mode, size in pixels and in bytes; see `reading.attributes`.

        Raises:
            DecodeError: The item is no image.
        """
        return attributes(item)

    def extent(self, item: Item) -> int:
        """Pixels, read from the head of the file.

        Raises:
            DecodeError: The item is no image.
        """
        return count_pixels(item)

    def describe(self, items: Sequence[Item]) -> dict[str, Any]:
        """Sizes, aspect, grey share, brightness and formats of a sample; see `description.describe`."""
        return facts.describe(items)

    def preprocessing(
        self, requirements: Mapping[str, Any], description: Mapping[str, Any], params: Mapping[str, Any]
    ) -> PreprocessingSpec:
        """The specification for a network, a data set and a trial.

        Args:
            requirements: `size` and `filter` of the network, `crop_share` for `fit="crop"`, and `fixed_size`
                where it takes no other size, which then overrules `input_size`.
            description: What `describe` returned; not needed here.
            params: `input_size` (pixels) and `fit`: "squash" (the default: the whole image, its aspect
                changed) or "crop" (a centred square).

        Raises:
            SpaceError: A value is none of those.
        """
        size = int(requirements.get("size", _DEFAULT_SIZE))
        if not requirements.get("fixed_size"):
            size = int(params.get("input_size") or size)
        fit = str(params.get("fit") or "squash")
        chosen = str(requirements.get("filter", "cubic"))
        share = float(requirements.get("crop_share", _DEFAULT_CROP_SHARE)) if fit == "crop" else 1.0
        if size < 1 or not 0 < share <= 1:
            raise SpaceError(
                "impossible image size",
                found=f"size {size}, crop_share {share}",
                expected="size >= 1 and 0 < crop_share <= 1",
            )
        if fit not in _FITS or chosen not in _FILTERS:
            raise SpaceError(
                "unknown image preprocessing",
                found=f"fit {fit!r}, filter {chosen!r}",
                expected=f"fit {' or '.join(_FITS)}, filter {', '.join(_FILTERS)}",
            )
        options = {
            "size": size,
            "fit": fit,
            "crop_share": share,
            "filter": _FILTERS[chosen],
            "draft": math.ceil(_DRAFT_OVERSAMPLING * size / share),
        }
        return PreprocessingSpec(self.name, options)

    def decoder(self, spec: PreprocessingSpec) -> ImageDecoder:
        """The decoder for a specification."""
        return ImageDecoder(spec)

    def graph(self, spec: PreprocessingSpec) -> onnx.ModelProto:
        """{"image": (B, H, W, 3) uint8} to {"pixels": (B, S, S, 3) uint8}; see `graph.pixel_graph`."""
        from autotl.modalities.image.graph import pixel_graph

        return pixel_graph(spec)

    def augment(
        self, batch: dict[str, torch.Tensor], strength: str, generator: torch.Generator
    ) -> dict[str, torch.Tensor]:
        """Randomly changed copies of {"pixels": (B, S, S, 3)}; other entries stay as they are."""
        from autotl.modalities.image.augmentation import augment_pixels

        return {**batch, "pixels": augment_pixels(batch["pixels"], strength, generator)}

    def raw_graph(self, spec: PreprocessingSpec) -> onnx.ModelProto:
        """From the bytes of a JPEG or PNG to {"image": (1, H, W, 3) uint8}; see `raw.raw_graph`."""
        from autotl.modalities.image.raw import raw_graph

        return raw_graph()

    def raw_value(self, item: Item) -> NDArray[np.uint8]:
        """The bytes (N,) of a JPEG or PNG, which other images are made to.

        Raises:
            DecodeError: The item is unreadable.
        """
        from autotl.modalities.image.raw import raw_value

        return raw_value(item)

    def preview(self, item: Item) -> str:
        """An `<img>` of at most 64 px with its data inside; a note where the item is unreadable."""
        try:
            pixels = read_image(item, draft=2 * _THUMBNAIL_EDGE, fit="crop").pixels
        except DecodeError as error:
            return f"<em>{html.escape(str(error))}</em>"
        thumbnail = Image.fromarray(pixels)
        thumbnail.thumbnail((_THUMBNAIL_EDGE, _THUMBNAIL_EDGE))
        buffer = io.BytesIO()
        thumbnail.save(buffer, "JPEG", quality=80)
        data = base64.b64encode(buffer.getvalue()).decode()
        size = f'width="{thumbnail.width}" height="{thumbnail.height}"'
        return f'<img alt="" {size} src="data:image/jpeg;base64,{data}">'
