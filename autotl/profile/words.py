"""Shifts in words for a person: "far from ImageNet: grey texture"."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from autotl.profile.coverage import TextCoverage

_DISTANCE = {"near": "close to", "moderate": "somewhat off", "far": "far from"}
_SMALL_EDGE = 64
_GREY_SHARE = 0.9
_BRIGHT = 0.8
_DARK = 0.2
_FLAT = 0.1


def image_words(
    level: str, pretraining: str, distances: Sequence[float], description: Mapping[str, Any]
) -> str:
    """Words for images.

    Args:
        level: "near", "moderate" or "far".
        pretraining: `BackboneInfo.pretraining`; its first part names the source.
        distances: Distance of each layer, input to output.
        description: `Modality.describe` of the images; may be empty.
    """
    source = re.split(r"[,;(]", pretraining, maxsplit=1)[0].strip() or "its pretraining images"
    words = f"{_DISTANCE[level]} {source}: {_looks(description)}"
    return words if level == "near" else f"{words}; {_where(distances)}"


def text_words(level: str, coverage: TextCoverage, foreign: str | None, known: Sequence[str]) -> str:
    """Words for texts.

    Args:
        level: "near", "moderate" or "far".
        coverage: What the tokenizer made of them.
        foreign: ISO code of the texts' language where the network does not know it.
        known: Languages that the network knows.
    """
    words = f"{_DISTANCE[level]} its pretraining text: {coverage.fertility:.1f} pieces a word"
    if coverage.unknown_share >= 0.001:
        words += f", {coverage.unknown_share:.1%} unknown"
    if foreign is not None:
        words += f"; the texts are in {foreign!r}, the network knows {', '.join(known)}"
    return words


def _looks(description: Mapping[str, Any]) -> str:
    """The look of the images: colour, size, and brightness where extreme."""
    if "grey_share" not in description:
        return "images"
    grey = description["grey_share"] >= _GREY_SHARE
    small = description["shortest_edge"]["median"] < _SMALL_EDGE
    size = "small " if small else ""
    if grey and description["brightness"] >= _BRIGHT:
        return f"{size}dark strokes on white"
    if grey and description["brightness"] <= _DARK:
        return f"{size}bright shapes on black"
    if grey:
        return f"{size}grey texture"
    tone = "pale " if description["contrast"] < _FLAT else ""
    return f"{size}{tone}colour images"


def _where(distances: Sequence[float]) -> str:
    """The third of the network that differs most."""
    third = max(1, len(distances) // 3)
    parts = [distances[:third], distances[third : 2 * third], distances[2 * third :]]
    means = [sum(part) / len(part) if part else 0.0 for part in parts]
    names = (
        "most in the first layers (colour, edges)",
        "most in the middle layers (texture, parts)",
        "most in the last layers (shapes, objects)",
    )
    return names[means.index(max(means))]
