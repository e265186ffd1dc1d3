"""Copies that content hashes miss: augmented pictures, and texts with a few words changed.

Features propose pairs, and a closer look at pixels or words decides: features alone take pictures of like
things for copies. Pairs join into groups, as rows that were augmented from one original do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.audit.neighbours import directions, nearest
from autotl.audit.registration import Pictures, likeness, turns
from autotl.data.components import components, rows_by_code, same_code
from autotl.data.duplicates import most_copies

Array = NDArray[Any]

#: Neighbours that are looked at, by features and by what no turn changes.
_NEIGHBOURS = 6
#: Pictures: pairs that get a closer look, and least agreement of their details. Over photos, textures and
#: hands, copies agree by 0.95 (flipped, turned, recompressed, a tenth cropped), others seldom by 0.9.
_MOST_PAIRS, _PAIRS_A_ROW = 10_000, 2.5
ALIKE = 0.93
#: Agreement in the large from which a pair is also tried the other way round.
_WORTH_A_SECOND_LOOK = 0.6
#: Pairs at random of a group that is large, and the share of them that must be alike for it to be left whole.
_RANDOM_PAIRS, _MOSTLY = 32, 0.5
#: Texts: least cosine, share of their words that are the same, and words a text must have.
_LEAST_COSINE, SAME_WORDS, _LEAST_WORDS = 0.8, 0.75, 4
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Copies:
    """Pairs of copies, and what they join into.

    Attributes:
        pairs: (P, 2) int64 row numbers, the lower one first.
        likeness: (P,) from 0 to 1.
        groups: (N,) int64 codes; rows without a copy have a code of their own.
    """

    pairs: Array
    likeness: Array
    groups: Array

    def united(self, units: Array, rows: Array | None = None) -> Array:
        """Units in which rows that are copies, or share one of the given units, are together.

        Args:
            units: (M,) int64.
            rows: (N,) which of the M rows were looked at; all of them where None.

        Returns:
            (M,) int64.
        """
        pairs = self.pairs if rows is None else rows[self.pairs]
        return components([same_code(units), pairs.T], len(units))

    def among(self, units: Array, rows: Array) -> Copies:
        """The same copies among all rows of the units that were looked at.

        Args:
            units: (M,) int64.
            rows: (N,) which of the M rows were looked at.
        """
        pairs = rows[self.pairs]
        copied = np.isin(units, units[pairs])
        groups = components([same_code(units)[:, copied], pairs.T], len(units))
        return Copies(pairs, self.likeness, groups)


def picture_copies(unit: Array, pixels: Array, units: Array) -> Copies:
    """Pictures that show the same, mirrored, turned by any angle, slightly cropped, or relit.

    Args:
        unit: (N, F) float32 features of length 1, as of `directions`.
        pixels: (N, S, S, 3) uint8.
        units: (N,) int64; rows of one unit are known to be copies, and no news.
    """
    pictures = Pictures.of(pixels)
    by_turn = nearest(directions(pictures.descriptors()), _NEIGHBOURS)
    pairs = proposed((nearest(unit, _NEIGHBOURS).rows, by_turn.rows), units)
    pairs = pairs[: min(_MOST_PAIRS, int(_PAIRS_A_ROW * len(unit)))]
    return joined(pairs, agreement(pictures, pairs), ALIKE, len(unit), lambda some: agreement(pictures, some))


def text_copies(unit: Array, texts: Sequence[str], units: Array) -> Copies:
    """Texts that say the same in nearly the same words.

    Args:
        unit: (N, F) float32 features of length 1.
        texts: N texts.
        units: (N,) int64, as for `picture_copies`.
    """
    near = nearest(unit, _NEIGHBOURS)
    rows = np.where(near.cosines >= _LEAST_COSINE, near.rows, -1)
    pairs = proposed((rows,), units)
    words = {row: frozenset(_WORD.findall(texts[row].casefold())) for row in np.unique(pairs).tolist()}
    shares = np.array([_shared(words[a], words[b]) for a, b in pairs.tolist()], np.float32)
    return joined(pairs, shares, SAME_WORDS, len(unit))


def agreement(pictures: Pictures, pairs: Array, least_turn: float = -1.0) -> Array:
    """Agreement (P,) of the details of pairs, laid upon one another, each upon the other.

    Args:
        pictures: N pictures.
        pairs: (P, 2) row numbers.
        least_turn: Correlation of the rings from which a pair is looked at; those below have 0.
    """
    found = np.zeros(len(pairs), np.float32)
    rough, angles, mirrored = turns(pictures, *pairs.T)
    tried = np.flatnonzero(rough >= least_turn)
    found[tried] = _likeness(pictures, pairs[tried], angles[tried], mirrored[tried])
    return found


def _likeness(pictures: Pictures, pairs: Array, angles: Array, mirrored: Array) -> Array:
    fine, coarse = likeness(pictures, pairs[:, 0], pairs[:, 1], angles, mirrored)
    again = np.flatnonzero((fine < ALIKE) & (coarse >= _WORTH_A_SECOND_LOOK))
    left, right = pairs[again].T
    back = np.where(mirrored, angles, -angles)[again]  # a mirrored turn undoes itself
    fine[again] = np.maximum(fine[again], likeness(pictures, right, left, back, mirrored[again])[0])
    return fine


def joined(
    pairs: Array,
    strength: Array,
    least: float,
    count: int,
    look: Callable[[Array], Array] | None = None,
) -> Copies:
    """Pairs of at least some strength, and their groups.

    A group that grows too large is a chain through rows that look alike, unless rows taken from it at random
    are alike too, as copies of one original are. Of a chain more is asked, until it falls apart.

    Args:
        pairs: (P, 2) int64.
        strength: (P,) up to 1.
        least: Least strength.
        count: N rows.
        look: Gives the strength of further pairs; without it every large group counts as a chain.
    """
    kept = strength >= least
    while True:
        groups = components([pairs[kept].T], count)
        large = [rows for rows in rows_by_code(groups) if len(rows) > most_copies(count)]
        chains = [rows for rows in large if look is None or not _are_alike(rows, look, least)]
        if not chains:
            order = np.argsort(-strength[kept], kind="stable")
            return Copies(pairs[kept][order], strength[kept][order], groups)
        inside = kept & np.isin(pairs[:, 0], np.concatenate(chains))
        kept &= ~inside | (strength > np.median(strength[inside]))


def _are_alike(rows: Array, look: Callable[[Array], Array], least: float) -> bool:
    """Whether most pairs of rows, taken at random, are as strong as asked for."""
    rng = np.random.default_rng(0)
    pairs = np.stack([rng.choice(rows, 2, replace=False) for _ in range(_RANDOM_PAIRS)])
    return bool((look(pairs) >= least).mean() >= _MOSTLY)


def proposed(lists: Sequence[Array], units: Array) -> Array:
    """Distinct pairs (P, 2) of rows of several units and their neighbours, the nearest neighbours first.

    Args:
        lists: Neighbours (N, k) of each row, nearest first; negative ones are left out.
        units: (N,) int64.
    """
    count = len(units)
    near = np.stack(lists, axis=2).reshape(count, -1)  # the first of each list, then the second of each
    pairs = np.stack([np.tile(np.arange(count), near.shape[1]), near.T.ravel()], axis=1)
    pairs = np.sort(pairs[pairs[:, 1] >= 0], axis=1)
    pairs = pairs[units[pairs[:, 0]] != units[pairs[:, 1]]]
    first = np.unique(pairs[:, 0] * count + pairs[:, 1], return_index=True)[1]
    return np.asarray(pairs[np.sort(first)])


def _shared(one: frozenset[str], other: frozenset[str]) -> float:
    """Share of the words of two texts that stand in both; 0 of texts too short to tell."""
    if min(len(one), len(other)) < _LEAST_WORDS:
        return 0.0
    return len(one & other) / len(one | other)
