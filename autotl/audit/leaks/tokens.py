"""Tokens of texts that stand in nearly all rows of one class and hardly elsewhere: tags, ids, boilerplate.

Natural vocabulary seldom does: no word is in nearly all texts of a class, but for the words that name it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.audit.leaks.leak import Leak

Array = NDArray[Any]

#: Share of the rows of a class that must hold the token, and of the other rows that may.
NEARLY_ALL, HARDLY = 0.95, 0.005
#: A share of so many rows says little.
_LEAST_ROWS = 20
_LONGEST = 4
#: Letters of a word that are compared with the name of a class.
_STEM = 4
_TOKEN = re.compile(r"\w+|[^\w\s]+")
_NAME = re.compile(r"[^\W_]+")


def token_leaks(texts: Sequence[str], indicators: Array, names: Sequence[str]) -> list[Leak]:
    """Runs of tokens that tell a class, the best one of each and of the best the longest.

    Args:
        texts: N texts.
        indicators: (N, K) bool, classes or labels.
        names: K class names, whose words are no leaks.
    """
    sizes = indicators.sum(axis=0)
    judged = np.flatnonzero(np.minimum(sizes, len(texts) - sizes) >= _LEAST_ROWS)
    common = _common(texts, indicators[:, judged])
    held = [set(_runs(text, common)) for text in texts]
    everywhere = Counter(token for tokens in held for token in tokens)
    found = []
    for column in map(int, judged):
        inside, name = np.flatnonzero(indicators[:, column]), names[column]
        others = len(texts) - len(inside)
        counts = Counter(token for row in inside for token in held[row])
        best = max(
            (
                (count / len(inside) - (everywhere[token] - count) / others, len(token), token)
                for token, count in counts.items()
                if count >= NEARLY_ALL * len(inside)
                and everywhere[token] - count <= HARDLY * others
                and not _names_class(token, name)
            ),
            default=None,
        )
        if best is not None:
            found.append(_leak(column, best[2], counts[best[2]], everywhere[best[2]], inside, held))
    return found


def _leak(column: int, token: str, count: int, total: int, inside: Array, held: Sequence[set[str]]) -> Leak:
    share = count / len(inside)
    measure = f"in {share:.0%} of its rows, and in {total - count:,} other rows"
    rows = np.array([row for row in inside if token in held[row]], np.int64)
    return Leak("token", column, f"the text {token!r}", share, measure, "take it out of the texts", rows)


def _common(texts: Sequence[str], indicators: Array) -> set[str]:
    """The tokens that nearly all rows of a class hold: runs of others cannot tell it (Agrawal 1994, Apriori).

    Runs of all tokens of long texts would take gigabytes.
    """
    counts: list[Counter[str]] = [Counter() for _ in range(indicators.shape[1])]
    for text, shown in zip(texts, indicators, strict=True):
        tokens = set(_tokens(text))
        for column in np.flatnonzero(shown):
            counts[column].update(tokens)
    least = NEARLY_ALL * indicators.sum(axis=0)
    return {
        token
        for of_class, at_least in zip(counts, least, strict=True)
        for token, count in of_class.items()
        if count >= at_least
    }


def _tokens(text: str) -> list[str]:
    """Words and marks of a text."""
    return _TOKEN.findall(text.casefold())


def _runs(text: str, common: Container[str]) -> Iterator[str]:
    """Tokens of a text that are common, and those of them that follow one another in it."""
    tokens = _tokens(text)
    for start in range(len(tokens)):
        for stop in range(start + 1, min(start + _LONGEST, len(tokens)) + 1):
            if tokens[stop - 1] not in common:
                break
            yield " ".join(tokens[start:stop])


def _names_class(token: str, name: str) -> bool:
    """Whether a token shares the beginning of a word with the name of the class, or is a short word of it."""
    words = {word[:_STEM] for word in _NAME.findall(name.casefold())}
    return any(word[:_STEM] in words for word in _NAME.findall(token))
