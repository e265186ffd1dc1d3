"""Facts of a sample of texts for the profile, and how text-like raw values look."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from autotl.errors import DecodeError
from autotl.modalities.modality import Item
from autotl.modalities.text.language import languages
from autotl.modalities.text.reading import read_texts

#: A word: a run of letters and digits, or one character of a script that is written without blanks.
_WORD = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W_]+(?:['\u2019][^\W_]+)*")
_PATH_ENDING = re.compile(r"\.[A-Za-z0-9]{2,5}$")
#: First code point of the scripts from Thai on, many of which need no blanks between words.
_BLANKLESS_SCRIPTS = 0x0E00
_URL = re.compile(r"^[a-z][a-z0-9+.-]*://\S+$")


def words(text: str) -> list[str]:
    """The words of a text, in order; in Chinese, Japanese, Thai and Lao each character is one."""
    return _WORD.findall(text)


def describe(items: Sequence[Item]) -> dict[str, Any]:
    """JSON-ready facts of a sample of texts.

    Returns:
        `sampled`, `unreadable`, and where any could be read: `parts` (most texts of an input), `empty_share`,
        `characters` and `words` an input (`min`, `median`, `mean`, `p95`, `p99`, `max`), `vocabulary` (number
        of distinct words, without case), `ascii_share` of characters, `languages` (share by ISO 639 code).
    """
    rows = [texts for texts in map(_texts, items) if texts is not None]
    facts: dict[str, Any] = {"sampled": len(items), "unreadable": len(items) - len(rows)}
    if not rows:
        return facts
    joined = [" ".join(texts) for texts in rows]
    found = [words(text) for text in joined]
    characters = sum(map(len, joined))
    return facts | {
        "parts": max(map(len, rows)),
        "empty_share": sum(not text.strip() for text in joined) / len(joined),
        "characters": _quantiles([len(text) for text in joined]),
        "words": _quantiles([len(row) for row in found]),
        "vocabulary": len({word.casefold() for row in found for word in row}),
        "ascii_share": sum(len(text.encode("ascii", "ignore")) for text in joined) / max(characters, 1),
        "languages": languages(joined),
    }


def sniff(values: Sequence[Item]) -> float:
    """How much `values` look like texts, 0 to 1: strings count half, strings of several words whole.

    Names of files and addresses count nothing; missing values are left out.
    """
    present = [value for value in values if value is not None and not _is_nan(value)]
    if not present:
        return 0.0
    return sum(_likeness(value) for value in present) / len(present)


def _texts(item: Item) -> tuple[str, ...] | None:
    try:
        return read_texts(item)
    except DecodeError:
        return None


def _quantiles(values: Sequence[int]) -> dict[str, float]:
    counts = np.asarray(values, float)
    facts = {"min": counts.min(), "median": np.median(counts), "mean": counts.mean(), "max": counts.max()}
    facts |= {"p95": np.quantile(counts, 0.95), "p99": np.quantile(counts, 0.99)}
    return {name: float(value) for name, value in facts.items()}


def _is_nan(value: Item) -> bool:
    return isinstance(value, float) and value != value


def _likeness(value: Item) -> float:
    if isinstance(value, (tuple, list)):
        return min((_likeness(part) for part in value), default=0.0)
    if not isinstance(value, str):
        return 0.0
    text = value.strip()
    if not text or _URL.match(text) or _is_number(text):
        return 0.0
    blank = any(mark.isspace() for mark in text)
    if _PATH_ENDING.search(text) and (not blank or "/" in text or "\\" in text):
        return 0.0
    several = len(words(text)) > 1
    return 1.0 if several and (blank or ord(text[0]) >= _BLANKLESS_SCRIPTS) else 0.5


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
