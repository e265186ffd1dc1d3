"""Texts to hide word by word: words and marks of the raw texts, and the texts without some of them.

A hidden word is taken out, not replaced: that needs no token that stands for nothing, which not every
tokenizer has, and leaves a text that someone might have written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from autotl.modalities.modality import Example, Occlusion, Span

Mask = NDArray[np.bool_]

#: Scripts that are written without blanks, and signs that belong to the letter before them.
_BLANKLESS = r"\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_SIGNS = r"\u0300-\u036f\u0591-\u05c7\u0610-\u065f\u0900-\u0dff"
_LETTERS = rf"[^\W{_BLANKLESS}](?:[^\W{_BLANKLESS}]|[{_SIGNS}])*"
#: A word with its apostrophes and hyphens, one character of a blankless script, or a run of other marks.
_WORD = re.compile(rf"[{_BLANKLESS}]|{_LETTERS}(?:['\u2019-]{_LETTERS})*|[^\w\s]+")
_SENTENCE_END = re.compile(r"[.!?\u2026\u3002\uff01\uff1f]|\n")
#: Words up to which each is hidden by itself at once; of longer inputs first about so many groups are.
_SINGLE_WORDS, _GROUPS = 64, 24
_SHORTEST_GROUP = 4


def divide(
    texts: tuple[str, ...], seen: Sequence[int], decode: Callable[[tuple[str, ...]], Example]
) -> Occlusion:
    """Divide an input of one text or several.

    Args:
        texts: The texts.
        seen: How many characters of each the network sees; the rest is cut off by its limit of tokens.
        decode: Decodes texts.
    """
    words = [span for number, text in enumerate(texts) for span in _words(number, text, seen[number])]
    ends = {word.text: word.stop for word in words}  # a word that is cut in the middle counts as seen

    def hide(hidden: Mask) -> Example:
        if not hidden.any():
            return decode(texts)
        gone = [word for word, is_hidden in zip(words, hidden, strict=True) if is_hidden]
        return decode(tuple(_without(text[: ends.get(i, 0)], i, gone) for i, text in enumerate(texts)))

    return Occlusion(texts, tuple(words), _groups(texts, words), hide)


def _words(number: int, text: str, seen: int) -> Iterator[Span]:
    for found in _WORD.finditer(text):
        if found.start() >= seen:
            return
        yield Span(number, found.start(), found.end())


def _without(text: str, number: int, gone: Sequence[Span]) -> str:
    """A text without spans of it, in order, and without the white space that would then stand double."""
    kept, position = "", 0
    for span in gone:
        if span.text == number:
            kept += text[position : span.start]
            position = span.stop
            if not kept or kept[-1].isspace():
                position += len(text[position:]) - len(text[position:].lstrip())
    return kept + text[position:] if position < len(text) else kept.rstrip()


def _groups(texts: Sequence[str], words: Sequence[Span]) -> Mask:
    """(G, P) neighbouring words, about as many in each, that end with a sentence where one ends nearby."""
    if len(words) <= _SINGLE_WORDS:
        return np.zeros((0, len(words)), np.bool_)
    wanted = max(_SHORTEST_GROUP, -(-len(words) // _GROUPS))
    numbers, number, size = [], 0, 0
    for word, following in zip(words, [*words[1:], None], strict=True):
        numbers.append(number)
        size += 1
        if following is None or following.text != word.text:
            is_end = True
        else:
            between = texts[word.text][word.start : following.start]
            is_end = 4 * size >= 3 * wanted and _SENTENCE_END.search(between) is not None
        if is_end or 2 * size >= 3 * wanted:
            number, size = number + 1, 0
    return np.asarray(np.array(numbers)[None, :] == np.arange(number)[:, None])
