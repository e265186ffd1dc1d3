"""The protocol of a modality: from what a user has (files, texts) to what a network takes.

Everything here runs without torch except `augment`, so that serving can use the same decoder as training.
The way of one input:

    item --Decoder.decode--> Example --pixel graph (ONNX, images only)--> prepared Example
         --Decoder.collate--> feeds (network input, NumPy) --Backbone.run--> ...

The exported model is the modality's `graph` followed by the network, so its inputs are collated *decoded*
examples; what training caches are *prepared* ones. Both come from the same decoder and the same graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from autotl.config import Domain

if TYPE_CHECKING:
    import onnx
    import torch

    from autotl.modalities.preprocessing import PreprocessingSpec

#: One raw input: a file path, an array, encoded bytes, a text, or a tuple of texts.
Item = Any
#: One input as named arrays without a batch axis.
Example = Mapping[str, NDArray[Any]]
#: A batch as named arrays, each with the batch axis B first: the inputs of an ONNX graph.
Feeds = dict[str, NDArray[Any]]


class Decoder(Protocol):
    """Turns raw items into arrays, the same in training and in serving. Torch-free and thread-safe."""

    def decode(self, item: Item) -> Example:
        """One item as arrays: images {"image": (H, W, 3) uint8}; texts {"input_ids": (T,) int64, ...}.

        Raises:
            DecodeError: The item is unreadable; the message names it.
        """

    def collate(self, examples: Sequence[Example]) -> Feeds:
        """Stack examples into one batch, padding where lengths differ.

        Images of one size become {"image": (B, H, W, 3) uint8}; texts {"input_ids": (B, T) int64,
        "attention_mask": (B, T) int64} padded to the longest of the batch. Prepared examples collate by
        the same rule: {"pixels": (B, S, S, 3) uint8}.
        """

    def length(self, example: Example) -> tuple[int, ...]:
        """The sort key by which examples are put into batches with the least padding.

        Images: the shape, since only equal shapes can be stacked; texts: the number of tokens.
        """

    @property
    def ragged(self) -> bool:
        """Whether examples of different `length` may share a batch (texts: yes; raw images: no)."""


class Modality(Protocol):
    """One kind of input. A stateless object, exported as `MODALITY` by its folder."""

    name: str
    #: Lower-case file endings (".jpg") that mark a file as an input of this modality; empty for none.
    extensions: frozenset[str]
    #: Strengths that `augment` knows, "none" first; only "none" where it has no augmentation.
    augmentations: tuple[str, ...]

    def parameters(self) -> dict[str, Domain]:
        """Parameters of a trial that `preprocessing` reads, with their default domains."""

    def sniff(self, values: Sequence[Item]) -> float:
        """How well these raw values look like inputs of this modality, from 0 (not at all) to 1."""

    def fingerprint(self, item: Item) -> str:
        """A hash of the content: equal for exact duplicates (images: of the decoded pixels).

        Raises:
            DecodeError: The item is unreadable.
        """

    def near_key(self, item: Item) -> NDArray[np.uint64]:
        """A locality-sensitive signature, (W,) uint64 words: near duplicates differ in few bits."""

    def near_bits(self) -> int:
        """Largest Hamming distance of two `near_key`s that still counts as a near duplicate."""

    def is_empty(self, item: Item) -> bool:
        """Whether the input carries no information: a blank text, an image of one colour."""

    def describe(self, items: Sequence[Item]) -> dict[str, Any]:
        """JSON-ready facts of a sample of items for the profile (sizes, grey share, lengths, languages)."""

    def preprocessing(
        self, requirements: Mapping[str, Any], description: Mapping[str, Any], params: Mapping[str, Any]
    ) -> PreprocessingSpec:
        """The one specification from which training, ONNX and serving derive.

        Args:
            requirements: The backbone's `BackboneInfo.input`.
            description: What `describe` returned for the data set.
            params: The trial's parameters (`input_size`, `fit`).
        """

    def decoder(self, spec: PreprocessingSpec) -> Decoder:
        """The decoder for a specification."""

    def graph(self, spec: PreprocessingSpec) -> onnx.ModelProto | None:
        """The ONNX graph from collated decoded examples to the network's input; None for identity.

        Batch, and for images height and width, are dynamic. Opset 20, tensors named as in `collate`.
        """

    def augment(
        self, batch: dict[str, torch.Tensor], strength: str, generator: torch.Generator
    ) -> dict[str, torch.Tensor]:
        """Randomly changed copies of prepared inputs; `strength` is "none", "light" or "strong".

        Where inputs are sequences, only "attention_mask" is changed, so that cached activations can be too.
        """


@runtime_checkable
class SupportsPreview(Protocol):
    """A modality that can show an item in a report."""

    def preview(self, item: Item) -> str:
        """A short piece of safe HTML."""


@runtime_checkable
class SupportsExamine(Protocol):
    """A modality whose inputs are dear to decode, and that tells all an audit asks in one pass."""

    def examine(self, item: Item) -> tuple[str, NDArray[np.uint64], bool]:
        """What `fingerprint`, `near_key` and `is_empty` return, from decoding the item once.

        Raises:
            DecodeError: The item is unreadable.
        """


@runtime_checkable
class SupportsTurnedKeys(Protocol):
    """A modality whose inputs mean the same mirrored or turned, as augmented copies are."""

    def turned_keys(self, keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """The `near_key`s (S, N, W) of N inputs in S other orientations, from their own (N, W)."""


@runtime_checkable
class SupportsAttributes(Protocol):
    """A modality that knows of an input what is beside its content, and should tell nothing of a label."""

    def attributes(self, item: Item) -> dict[str, str | float]:
        """Words and numbers by name, the same names for every item; nothing is decoded for them.

        Raises:
            DecodeError: The item is unreadable.
        """


@runtime_checkable
class SupportsThumbnail(Protocol):
    """A modality whose inputs are pictures, which can be laid upon one another."""

    def thumbnail(self, item: Item, edge: int) -> NDArray[np.uint8]:
        """The whole picture as a square (edge, edge, 3), its aspect changed.

        Raises:
            DecodeError: The item is unreadable.
        """


@runtime_checkable
class SupportsText(Protocol):
    """A modality whose inputs a person reads."""

    def text(self, item: Item) -> str:
        """What there is to read, whole."""


@runtime_checkable
class SupportsRawGraph(Protocol):
    """A modality whose decoding can be part of a graph, with operators of onnxruntime-extensions."""

    def raw_graph(self, spec: PreprocessingSpec) -> onnx.ModelProto:
        """From one raw input, the graph's only one, to what `Decoder.collate` makes of it, a batch of one.

        Raises:
            ExportError: The operators cannot decode by this specification.
        """

    def raw_value(self, item: Item) -> NDArray[Any]:
        """An item as that graph takes it.

        Raises:
            DecodeError: It has no such form.
        """


@runtime_checkable
class SupportsExtent(Protocol):
    """A modality that tells how much an item holds before it is decoded, so that a server can refuse it."""

    #: What is counted: "pixels", "characters".
    extent_unit: str

    def extent(self, item: Item) -> int:
        """How much of it there is, in `extent_unit`.

        Raises:
            DecodeError: The item is unreadable.
        """


class Rectangle(NamedTuple):
    """A part of an image in whole pixels: rows from `top` to `bottom`, columns from `left` to `right`."""

    top: int
    left: int
    bottom: int
    right: int


class Span(NamedTuple):
    """Characters from `start` to `stop` of a text, which is one of several or the only one (0)."""

    text: int
    start: int
    stop: int


Piece = Rectangle | Span


@dataclass(frozen=True, eq=False)
class Occlusion:
    """One input, divided into pieces that can be hidden.

    Attributes:
        shown: What a person is shown: an image (H, W, 3) uint8, or the texts of the input.
        pieces: Places of the P smallest pieces in `shown`: the cells of a grid, row by row, or spans of text
            in order. What the network does not see is in none.
        groups: (G, P) bool, pieces that are worth hiding together. They show evidence that no piece holds
            alone; where no two share a piece, they only say where to look closer.
        hide: Gives the decoded example without the pieces of a mask (P,) bool.
    """

    shown: NDArray[np.uint8] | tuple[str, ...]
    pieces: tuple[Piece, ...]
    groups: NDArray[np.bool_]
    hide: Callable[[NDArray[np.bool_]], Example]


@runtime_checkable
class SupportsOcclusion(Protocol):
    """A decoder that can hide an input piece by piece, so that what is made of it can be explained."""

    def occlusion(self, item: Item) -> Occlusion:
        """The pieces of an item; with none of them hidden it is what `decode` gives.

        Raises:
            DecodeError: The item is unreadable.
        """
