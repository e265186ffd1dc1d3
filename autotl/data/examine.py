"""Looks at every input once: can it be read, what is its fingerprint, its signature, is it empty."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.cores import usable_cores
from autotl.errors import DecodeError
from autotl.modalities.modality import Item, Modality, SupportsExamine

Array = NDArray[Any]
_CHUNK = 64


@dataclass(frozen=True)
class Examination:
    """What was seen of N inputs.

    Attributes:
        errors: Message by row number for inputs that cannot be read.
        fingerprints: N content hashes, "" for unreadable inputs.
        keys: (N, W) uint64 signatures, zero for unreadable inputs.
        empty: (N,) bool.
    """

    errors: dict[int, str]
    fingerprints: list[str]
    keys: Array
    empty: Array


def examine(items: Sequence[Item], modality: Modality, *, threads: int | None = None) -> Examination:
    """Look at all inputs, on several threads.

    Args:
        items: N raw inputs.
        modality: Their modality.
        threads: Number of threads, by default one a core.
    """
    workers = threads or usable_cores()
    chunks = [items[i : i + _CHUNK] for i in range(0, len(items), _CHUNK)]
    if workers > 1 and len(chunks) > 1:
        with ThreadPoolExecutor(workers) as pool:
            seen = list(pool.map(lambda chunk: [_look(item, modality) for item in chunk], chunks))
    else:
        seen = [[_look(item, modality) for item in chunk] for chunk in chunks]
    looks = [look for chunk in seen for look in chunk]
    good = next((look for look in looks if not isinstance(look, str)), None)
    blank = ("", np.zeros(1 if good is None else len(good[1]), np.uint64), False)
    filled = [blank if isinstance(look, str) else look for look in looks]
    return Examination(
        errors={i: look for i, look in enumerate(looks) if isinstance(look, str)},
        fingerprints=[look[0] for look in filled],
        keys=np.stack([look[1] for look in filled]),
        empty=np.array([look[2] for look in filled], dtype=bool),
    )


def _look(item: Item, modality: Modality) -> tuple[str, Array, bool] | str:
    """Fingerprint, signature and emptiness of an input, or why it cannot be read."""
    try:
        if isinstance(modality, SupportsExamine):
            return modality.examine(item)
        return modality.fingerprint(item), modality.near_key(item), modality.is_empty(item)
    except DecodeError as error:
        return str(error)
