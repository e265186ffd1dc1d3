"""`TextDecoder`: texts to token ids with the backbone's own tokenizer, and padded batches of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from autotl.errors import BundleError, DataError
from autotl.modalities.modality import Example, Feeds, Item, Occlusion
from autotl.modalities.preprocessing import PreprocessingSpec
from autotl.modalities.text.occlusion import divide
from autotl.modalities.text.reading import read_texts

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

TOKENIZER_FILE = "tokenizer.json"
_PAD_TOKENS = ("[PAD]", "<pad>", "<|padding|>", "<|endoftext|>", "</s>")


def open_tokenizer(path: Path) -> Tokenizer:
    """Load a `tokenizer.json` with truncation and padding switched off.

    Raises:
        BundleError: The file is missing or no tokenizer.
    """
    from tokenizers import Tokenizer

    with _refusing(path):
        settings = json.loads(path.read_text(encoding="utf-8"))
        settings["truncation"] = settings["padding"] = None
        return Tokenizer.from_str(json.dumps(settings))


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Tell what a malformed tokenizer lets the library raise: bare `Exception`, or a panic, which is none."""
    try:
        yield
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise BundleError(
            "cannot read the tokenizer",
            found=f"{path} ({str(error)[:200]})",
            expected="a Hugging Face tokenizer.json",
        ) from error


def pad_id(path: Path, tokenizer: Tokenizer) -> int:
    """The id that fills short rows: the file's own, else the first usual name, else 0."""
    padding = json.loads(path.read_text(encoding="utf-8")).get("padding")
    if isinstance(padding, dict) and "pad_id" in padding:
        return int(padding["pad_id"])
    known = (tokenizer.token_to_id(token) for token in _PAD_TOKENS)
    return next((number for number in known if number is not None), 0)


class TextDecoder:
    """Tokenizes for one specification. Torch-free and thread-safe.

    Implements `Decoder` and `SupportsOcclusion`.

    Args:
        spec: Options `max_length` (tokens) and `prefix` (put before the first text); asset `tokenizer.json`.

    Raises:
        BundleError: The tokenizer cannot be read.
    """

    #: Texts of different length share a batch by padding.
    ragged = True

    def __init__(self, spec: PreprocessingSpec) -> None:
        self._path = Path(spec.assets[TOKENIZER_FILE])
        self._tokenizer = open_tokenizer(self._path)
        self._tokenizer.enable_truncation(int(spec.options["max_length"]))
        self._pad_id = pad_id(self._path, self._tokenizer)
        self._prefix = str(spec.options.get("prefix", ""))

    def decode(self, item: Item) -> Example:
        """One item as {"input_ids": (T,) int64}.

        A pair is joined by the tokenizer's own template; more than two texts are a first one and the rest,
        joined by line breaks. T is from 1 to `max_length`; a pair loses tokens of its longer text.

        Raises:
            DecodeError: The item is no text.
            BundleError: The tokenizer cannot be used on it.
        """
        first, second = self._sides(item)
        with _refusing(self._path):
            return self._example(self._tokenizer.encode(first, second))

    def decode_many(self, items: Sequence[Item]) -> list[Example]:
        """Like `decode` for each item, several times faster."""
        sides = [self._sides(item) for item in items]
        inputs = [first if second is None else (first, second) for first, second in sides]
        with _refusing(self._path):
            return [self._example(encoding) for encoding in self._tokenizer.encode_batch(inputs)]

    def collate(self, examples: Sequence[Example]) -> Feeds:
        """Pad to the longest: {"input_ids": (B, T), "attention_mask": (B, T)} int64, padding at the end.

        Raises:
            DataError: There is no example.
        """
        if not examples:
            raise DataError("cannot make a batch of texts", found="no text", expected="at least one")
        lengths = np.array([len(example["input_ids"]) for example in examples])
        longest = int(lengths.max())
        ids = np.full((len(examples), longest), self._pad_id, np.int64)
        for target, example in zip(ids, examples, strict=True):
            target[: len(example["input_ids"])] = example["input_ids"]
        mask = (np.arange(longest)[None, :] < lengths[:, None]).astype(np.int64)
        return {"input_ids": ids, "attention_mask": mask}

    def length(self, example: Example) -> tuple[int, ...]:
        """The number of tokens."""
        return (len(example["input_ids"]),)

    def occlusion(self, item: Item) -> Occlusion:
        """The words of a text or several, as far as the limit of tokens reaches; see `occlusion.divide`.

        Raises:
            DecodeError: The item is no text.
        """
        texts = read_texts(item)
        return divide(texts, self._seen(texts), self.decode)

    def _seen(self, texts: tuple[str, ...]) -> list[int]:
        """How many characters of each text have a token."""
        encoding = self._tokenizer.encode(*self._sides(texts))
        ends = [0, 0]
        for side, (_, end) in zip(encoding.sequence_ids, encoding.offsets, strict=True):
            if side is not None:
                ends[side] = max(ends[side], end)
        first, rest = ends[0] - len(self._prefix), ends[1]
        seen = [max(0, first)]
        for text in texts[1:]:  # the rest is one text to the tokenizer, joined by line breaks
            seen.append(min(max(0, rest), len(text)))
            rest -= len(text) + 1
        return seen

    def _sides(self, item: Item) -> tuple[str, str | None]:
        texts = read_texts(item)
        return self._prefix + texts[0], "\n".join(texts[1:]) if len(texts) > 1 else None

    def _example(self, encoding: Encoding) -> Example:
        return {"input_ids": np.array(encoding.ids or [self._pad_id], np.int64)}
