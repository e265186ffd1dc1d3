"""The protocol of a backbone: a pretrained network cut into blocks, and the facts known of it.

A batch is a dictionary of tensors. Network inputs are the modality's collated prepared examples
(images {"pixels": (B, S, S, 3) uint8}; texts {"input_ids": (B, T) int64, "attention_mask": (B, T) int64}).
Between blocks it is {"hidden": (B, C, H, W)} for images and {"hidden": (B, T, D), "attention_mask": (B, T)}
for texts. Normalisation of pixels and token embedding are part of block 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import torch
    from torch import nn

#: Named tensors, each with the batch axis first.
Batch = dict[str, "torch.Tensor"]
#: What half the edge of an input costs against the size that a network was pretrained at, in log-odds of the
#: accuracy of its tuned probe: 0.4 to 0.8 on signdigits and trashnet256 (EfficientNet-Lite, 128 to 260 px).
_OCTAVE = 0.5
#: Accuracies are kept so far off 0 and 1.
_LEAST = 0.005


@dataclass(frozen=True)
class BackboneInfo:
    """Facts of a backbone, from the catalogue.

    Attributes:
        name: Name in the catalogue, unique in a modality.
        modality: Name of its modality.
        source: Name of the source that loads it ("packaged", "timm", "huggingface", "local").
        reference: What the source needs: a hub id, a package and file, a path.
        licence: SPDX identifier, or "other:<name>".
        commercial: Whether the licence allows commercial use without conditions on use.
        parameters: Number of weights.
        macs: Multiply-accumulates of one input at the default size (texts: of 128 tokens).
        input: What its input must look like, read by `Modality.preprocessing`. Images: `size`, `mean`,
            `std`, `filter`, `crop_share`, `fixed_size`. Texts: `max_length`, `prefix`, `pooling`.
        pretraining: Data and method, in words.
        prior: Published quality on its source task in [0, 1], for ranking only.
        languages: ISO 639-1 codes, ("mul",) for many, () where it does not matter.
        sha256: Expected sha256 by file name, where known beforehand.
        extra: Anything else a source wants (architecture name, revision).
    """

    name: str
    modality: str
    source: str
    reference: str
    licence: str
    commercial: bool
    parameters: int
    macs: int
    input: Mapping[str, Any]
    pretraining: str = ""
    prior: float = 0.0
    languages: tuple[str, ...] = ()
    sha256: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

    def is_meant_by(self, name: str) -> bool:
        """Whether a user means this backbone: by its name, or its reference, with or without "hf:"."""
        return name in (self.name, self.reference, f"hf:{self.reference}")

    def macs_at(self, size: Any) -> float:
        """Multiply-accumulates of one input of so many pixels a side, by its area; None or 0 for its own."""
        own = self.input.get("size") or 1
        return float(self.macs * ((size or own) / own) ** 2)

    def octaves_at(self, size: Any) -> float:
        """How often the edge of pretraining was halved for inputs of so many pixels; never below 0."""
        own = self.input.get("size")
        return max(0.0, math.log2(own / size)) if own and size else 0.0


def standing(prior: float, octaves: float = 0.0) -> float:
    """What lets a backbone be expected to do well, in log-odds: its prior, less what smaller inputs cost it.

    Args:
        prior: See `BackboneInfo`.
        octaves: How often its input was halved, see `octaves_at`.
    """
    return log_odds(prior) - _OCTAVE * octaves


def log_odds(share: float) -> float:
    """Log-odds of an accuracy, kept off 0 and 1."""
    kept = min(max(share, _LEAST), 1.0 - _LEAST)
    return math.log(kept / (1.0 - kept))


class Backbone(Protocol):
    """A network cut into blocks, input to output.

    `module` holds every weight; `blocks` are views into it, in order, that together hold them all. A hidden
    batch at depth d is what `run(batch, 0, d)` returns.
    """

    info: BackboneInfo
    module: nn.Module

    def blocks(self) -> list[nn.Module]:
        """The D blocks; a parameter belongs to exactly one of them."""

    @property
    def depth(self) -> int:
        """Number of blocks, D."""

    def run(self, batch: Batch, start: int = 0, stop: int | None = None) -> Batch:
        """Run blocks `start` to `stop` (exclusive; None means D) on a batch at depth `start`."""

    def pool(self, hidden: Batch, depth: int) -> torch.Tensor:
        """Pooled features (B, F_depth) of a hidden batch at `depth` (from 1 to D).

        At D it is the network's own embedding (images: after the head convolution; texts: mean over
        tokens, or what the checkpoint prescribes).
        """

    def feature_dim(self, depth: int | None = None) -> int:
        """F at a depth; None means D."""

    def assets(self) -> Mapping[str, Path]:
        """Files that decoding needs (texts: {"tokenizer.json": path}); empty for images."""


@dataclass(frozen=True)
class Availability:
    """Whether a backbone's weights can be used here and now.

    Attributes:
        available: Whether `Source.load` is expected to work.
        reason: In words: "in package X", "cached", "downloadable", or why not and what to type.
    """

    available: bool
    reason: str


class Source(Protocol):
    """Where weights come from: one file each, exported as `SOURCE`."""

    name: str

    def availability(self, info: BackboneInfo, *, offline: bool) -> Availability:
        """Whether `load` would work; never raises, never takes longer than the one 2 s hub probe."""

    def load(self, info: BackboneInfo, *, offline: bool, pretrained: bool = True) -> Backbone:
        """Build the backbone, in eval mode, on the CPU, float32.

        Args:
            info: What to load.
            offline: Never touch the network.
            pretrained: False for random initial weights (the from-scratch control).

        Raises:
            BackboneUnavailableError: The weights cannot be reached.
            ChecksumError: A file's sha256 is not the recorded one.
        """


@runtime_checkable
class SupportsFiles(Protocol):
    """A source that reads files of the user's, which nothing else identifies."""

    def files(self, info: BackboneInfo) -> list[Path]:
        """The files that hold the weights of a backbone that can be loaded."""
