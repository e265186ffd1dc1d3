"""`ImageDecoder`: items to (H, W, 3) uint8 by the rules of a specification, and batches of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autotl.errors import DataError
from autotl.modalities.image.occlusion import divide
from autotl.modalities.image.reading import read_image
from autotl.modalities.modality import Example, Feeds, Item, Occlusion
from autotl.modalities.preprocessing import PreprocessingSpec


class ImageDecoder:
    """Decodes images for one specification. Torch-free and thread-safe.

    Implements `Decoder` and `SupportsOcclusion`.

    Args:
        spec: Of its options `draft` (pixels or None), `fit` and `crop_share` matter here.

    Raises:
        DataError: One of them is out of its range.
    """

    #: Images of different size cannot share a batch.
    ragged = False

    def __init__(self, spec: PreprocessingSpec) -> None:
        draft = spec.options.get("draft")
        self._draft = None if draft is None else int(draft)
        self._fit = str(spec.options.get("fit", "squash"))
        share = float(spec.options.get("crop_share", 1.0))
        self._crop_share = share if self._fit == "crop" else None
        if (self._draft is not None and self._draft < 1) or not 0 < share <= 1:
            raise DataError(
                "impossible decoding of images",
                found=f"draft {draft}, crop_share {share}",
                expected="draft >= 1 or none, and 0 < crop_share <= 1",
            )

    def decode(self, item: Item) -> Example:
        """One item as {"image": (H, W, 3) uint8}; see `read_image` for the rules.

        Raises:
            DecodeError: The item is unreadable; the message names it.
        """
        return {"image": read_image(item, draft=self._draft, fit=self._fit).pixels}

    def collate(self, examples: Sequence[Example]) -> Feeds:
        """Stack examples of equal shape: every array gets a batch axis in front.

        Raises:
            DataError: There is none, or the shapes differ.
        """
        if not examples:
            raise DataError("cannot make a batch of images", found="no image", expected="at least one")
        batch: Feeds = {}
        for name in examples[0]:
            shapes = sorted({example[name].shape for example in examples})
            if len(shapes) > 1:
                raise DataError(
                    "cannot make one batch of images",
                    found=f"shapes {shapes[0]} and {shapes[-1]}",
                    expected="one shape",
                    hint="Group the examples by Decoder.length first.",
                )
            batch[name] = np.stack([example[name] for example in examples])
        return batch

    def length(self, example: Example) -> tuple[int, ...]:
        """Height and width: only images of one shape can be stacked."""
        pixels = next(iter(example.values()))
        return tuple(int(edge) for edge in pixels.shape[:2])

    def occlusion(self, item: Item) -> Occlusion:
        """The cells of a grid over what the network sees of an image; see `occlusion.divide`.

        Raises:
            DecodeError: The item is unreadable.
        """
        return divide(self.decode(item)["image"], crop_share=self._crop_share)
