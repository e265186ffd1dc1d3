"""What tells texts apart: exact fingerprints and similarity keys."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.modalities.modality import Item
from autotl.modalities.text.reading import normalised

_BITS = 256
_SHINGLE = 4
_CHUNK = 4096
#: Of 256 bits. Two texts whose sets of shingles overlap by a share J differ in 128 * (1 - J) bits on average,
#: with a deviation of about 5 for near copies: 26 admits J from 0.8 up, unrelated texts lie around 128.
NEAR_BITS = 26
_NOISE = re.compile(r"[\W_]+")


def fingerprint(item: Item) -> str:
    """sha256 of the texts, case kept, runs of white space made one, Unicode composed (NFC).

    Raises:
        DecodeError: The item is no text.
    """
    parts = [unicodedata.normalize("NFC", text) for text in normalised(item)]
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def near_key(item: Item) -> NDArray[np.uint64]:
    """A 256-bit similarity key, (4,) uint64: one bit of each of 256 minima over hashed shingles.

    Shingles are 4 characters of the text without case and punctuation. b-bit minwise hashing with b = 1
    (Li and Koenig 2010); hash functions are x * a + b modulo 2 ** 32 over mixed shingles (Dietzfelbinger et
    al. 1997), which vector units compute eight at a time.

    Raises:
        DecodeError: The item is no text.
    """
    hashes = (_shingle_hashes(_skeleton(item)) >> np.uint64(32)).astype(np.uint32)
    factors, summands = _hash_functions()
    minima = np.full(_BITS, np.iinfo(np.uint32).max, np.uint32)
    for start in range(0, len(hashes), _CHUNK):
        chunk = hashes[start : start + _CHUNK, None]
        minima = np.minimum(minima, (chunk * factors + summands).min(axis=0))
    bits = _mixed(minima.astype(np.uint64)) & np.uint64(1)
    return np.packbits(bits.astype(np.uint8)).view(np.uint64)


def _skeleton(item: Item) -> str:
    """Case-folded words with one blank between, at both ends too, so that short texts have shingles."""
    parts = [_NOISE.sub(" ", text.casefold()).strip() for text in normalised(item)]
    return f" {' | '.join(parts)} "


def _shingle_hashes(text: str) -> NDArray[np.uint64]:
    codes = np.frombuffer(text.ljust(_SHINGLE).encode("utf-32-le", "replace"), np.uint32).astype(np.uint64)
    windows = np.lib.stride_tricks.sliding_window_view(codes, _SHINGLE)
    value = np.zeros(len(windows), np.uint64)
    for place in range(_SHINGLE):
        value = _mixed(value ^ windows[:, place])
    return value


def _mixed(value: NDArray[Any]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele et al. 2014): a bijection of 64 bits that looks random."""
    value = value + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: NDArray[np.uint64] = value ^ (value >> np.uint64(31))
    return mixed


@cache
def _hash_functions() -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Odd factors and summands of 256 hash functions."""
    words = _mixed(np.arange(1, _BITS + 1, dtype=np.uint64))
    return (words >> np.uint64(32)).astype(np.uint32) | np.uint32(1), words.astype(np.uint32)
