"""`TextModality`: one text, or a tuple of texts that belong together."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autotl.config import Domain
from autotl.errors import BackboneError, DecodeError
from autotl.modalities.modality import Item
from autotl.modalities.preprocessing import PreprocessingSpec
from autotl.modalities.text import description as facts
from autotl.modalities.text import signature
from autotl.modalities.text.decoding import TOKENIZER_FILE, TextDecoder
from autotl.modalities.text.reading import read_texts

if TYPE_CHECKING:
    import onnx
    import torch

#: Tokens a word where the tokenizer has not been measured: English subwords and punctuation, with a margin.
_TOKENS_A_WORD = 1.6
_MARKERS = 4
_DEFAULT_LENGTH = 128
_LENGTH_MULTIPLE = 8
_PREVIEW_CHARACTERS = 160


class TextModality:
    """Texts and tuples of texts. Stateless; implements `Modality` and what modalities may support."""

    name = "text"
    #: Texts come in tables and lists, not one a file.
    extensions: frozenset[str] = frozenset()
    augmentations = ("none", "light")
    extent_unit = "characters"

    def parameters(self) -> dict[str, Domain]:
        """None that are searched: the length follows from the data."""
        return {}

    def sniff(self, values: Sequence[Item]) -> float:
        """How much raw values look like texts, 0 to 1; paths and numbers do not."""
        return facts.sniff(values)

    def fingerprint(self, item: Item) -> str:
        """sha256 of the text; white space normalised, case kept.

        Raises:
            DecodeError: The item is no text.
        """
        return signature.fingerprint(item)

    def near_key(self, item: Item) -> NDArray[np.uint64]:
        """A 256-bit similarity key, (4,) uint64.

        Raises:
            DecodeError: The item is no text.
        """
        return signature.near_key(item)

    def near_bits(self) -> int:
        """26 of 256 bits: four fifths of the character shingles are shared."""
        return signature.NEAR_BITS

    def is_empty(self, item: Item) -> bool:
        """Whether no part holds anything but white space.

        Raises:
            DecodeError: The item is no text.
        """
        return not any(text.strip() for text in read_texts(item))

    def attributes(self, item: Item) -> dict[str, str | float]:
        """How long its texts are together.

        Raises:
            DecodeError: The item is no text.
        """
        return {"number of characters": float(sum(map(len, read_texts(item))))}

    def extent(self, item: Item) -> int:
        """Characters of its longest text.

        Raises:
            DecodeError: The item is no text.
        """
        return max(map(len, read_texts(item)))

    def describe(self, items: Sequence[Item]) -> dict[str, Any]:
        """Lengths, vocabulary and languages of a sample; see `description.describe`."""
        return facts.describe(items)

    def preprocessing(
        self, requirements: Mapping[str, Any], description: Mapping[str, Any], params: Mapping[str, Any]
    ) -> PreprocessingSpec:
        """The specification for a network, a data set and a trial.

        Args:
            requirements: `tokenizer` (path of `tokenizer.json`), `max_length` (most tokens it takes) and
                `prefix` (put before each input).
            description: What `describe` returned: 1.6 tokens a word of `words.p99` give the length, rounded
                up to a multiple of 8.
            params: None matters here.

        Raises:
            BackboneError: There is no tokenizer.
        """
        if not requirements.get("tokenizer"):
            raise BackboneError(
                "a text backbone without a tokenizer",
                expected="requirements with the path of its tokenizer.json under 'tokenizer'",
                hint="Choose a backbone that has one: autotl backbones",
            )
        prefix = str(requirements.get("prefix") or "")
        wanted = _length_of_data(description, prefix)
        longest = math.ceil(max(int(wanted), _LENGTH_MULTIPLE) / _LENGTH_MULTIPLE) * _LENGTH_MULTIPLE
        limit = requirements.get("max_length")
        options = {
            "max_length": longest if limit is None else min(longest, int(limit)),
            "prefix": prefix,
        }
        return PreprocessingSpec(self.name, options, {TOKENIZER_FILE: Path(requirements["tokenizer"])})

    def decoder(self, spec: PreprocessingSpec) -> TextDecoder:
        """The decoder for a specification.

        Raises:
            BundleError: The tokenizer cannot be read.
        """
        return TextDecoder(spec)

    def graph(self, spec: PreprocessingSpec) -> None:
        """None: token ids are the network's input as they are."""

    def augment(
        self, batch: dict[str, torch.Tensor], strength: str, generator: torch.Generator
    ) -> dict[str, torch.Tensor]:
        """Hide random tokens of {"attention_mask": (B, T)}; see `augmentation.drop_tokens`."""
        from autotl.modalities.text.augmentation import drop_tokens

        return {**batch, "attention_mask": drop_tokens(batch["attention_mask"], strength, generator)}

    def raw_graph(self, spec: PreprocessingSpec) -> onnx.ModelProto:
        """From a text to token ids; see `raw.raw_graph`.

        Raises:
            ExportError: The tokenizer is not BERT's.
        """
        from autotl.modalities.text.raw import raw_graph

        return raw_graph(spec)

    def raw_value(self, item: Item) -> NDArray[Any]:
        """One text, (1,) object.

        Raises:
            DecodeError: The item is none, or several.
        """
        from autotl.modalities.text.raw import raw_value

        return raw_value(item)

    def text(self, item: Item) -> str:
        """What there is to read, whole: one text a line."""
        return "\n".join(read_texts(item))

    def preview(self, item: Item) -> str:
        """The beginning of the text, escaped; parts are set apart by a bar."""
        try:
            text = " | ".join(" ".join(part.split()) for part in read_texts(item))
        except DecodeError as error:
            return f"<em>{html.escape(str(error))}</em>"
        short = text if len(text) <= _PREVIEW_CHARACTERS else text[: _PREVIEW_CHARACTERS - 1] + "\u2026"
        return html.escape(short)


def _length_of_data(description: Mapping[str, Any], prefix: str) -> int:
    """Tokens that 99 % of the inputs need."""
    if "words" not in description:
        return _DEFAULT_LENGTH
    extra = _MARKERS + len(facts.words(prefix)) * 2
    return math.ceil(float(description["words"]["p99"]) * _TOKENS_A_WORD) + extra
