"""Explanations as safe HTML: an image under a coloured map, or texts with marked words. Pillow only.

Orange is for, blue against (after Okabe and Ito, which colour-blind readers can tell apart); words are also
underlined, solid for and dotted against. All styles are inline and need no sheet; both themes are readable.
"""

from __future__ import annotations

import base64
import io
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from autotl.modalities.modality import Span
from autotl.serve.explain.explanation import Explanation
from autotl.serve.explain.words import summary

Array = NDArray[Any]

FOR, AGAINST = (230, 159, 0), (0, 114, 178)
#: Longest edge of an image with its map, and the most bytes that it takes: 15 kB of a page in base64.
_EDGE, _MOST_BYTES = 288, 11_000
_QUALITIES = (80, 65, 50, 35)
#: How much of its own colour an image keeps below its map, and how much the map covers it at most.
_COLOUR, _COVERED = 0.2, 0.7
#: Exponent of what is covered: small effects are to be seen beside large ones.
_RISE = 0.7
#: Effects below this share of the largest are not shown.
_FAINT = 0.08
#: Characters shown of what the network does not read.
_UNREAD = 200


def html_of(explanation: Explanation) -> str:
    """One explanation as a piece of safe HTML: an `<img>` with its data inside, or marked text."""
    found = explanation.map
    if found is None or isinstance(explanation.shown, tuple):
        return marked_text(explanation)
    data = overlay(explanation.shown, found)
    with Image.open(io.BytesIO(data)) as image:
        size = f'width="{image.width}" height="{image.height}"'
    source = f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
    return f'<img alt="{escape(summary(explanation))}" {size} src="{source}">'


def overlay(image: Array, heat: Array) -> bytes:
    """An image under a map of what speaks for and against an output, as JPEG of at most 11 kB.

    Args:
        image: (H, W, 3) uint8.
        heat: (H, W) float, positive for and negative against; only relative sizes count.
    """
    edge = float(_EDGE)
    while True:
        painted = _painted(image, heat, max(1, round(edge)))
        for quality in _QUALITIES:
            buffer = io.BytesIO()
            painted.save(buffer, "JPEG", quality=quality)
            if buffer.tell() <= _MOST_BYTES or edge <= 1:
                return buffer.getvalue()
        edge *= 0.75


def marked_text(explanation: Explanation) -> str:
    """The texts of an explanation, escaped, with marks at the words that count.

    Several columns are separate paragraphs under their names; what the network does not read is faint.
    """
    assert isinstance(explanation.shown, tuple), "images have no words"
    largest = float(np.abs(explanation.effects).max(initial=0)) or 1.0
    parts = [_marked(explanation, number, largest) for number in range(len(explanation.shown))]
    if len(parts) == 1:
        return parts[0]
    names = explanation.columns or [str(number) for number in range(1, len(parts) + 1)]
    return "".join(f"<p><b>{escape(n)}</b> {part}</p>" for n, part in zip(names, parts, strict=True))


def strengths(explanation: Explanation) -> Array:
    """(P,) effects over the largest of them, -1 to 1; zero where they are too small to be shown."""
    relative = explanation.effects / (float(np.abs(explanation.effects).max(initial=0)) or 1.0)
    return np.asarray(np.where(np.abs(relative) < _FAINT, 0, relative))


def _painted(image: Array, heat: Array, edge: int) -> Image.Image:
    """The image, at most `edge` pixels long and pale, with the map in colour over it."""
    picture = Image.fromarray(image)
    picture.thumbnail((edge, edge))
    pale = np.asarray(ImageEnhance.Color(picture).enhance(_COLOUR), np.float32)
    values = np.asarray(
        Image.fromarray(heat.astype(np.float32)).resize(picture.size, Image.Resampling.BILINEAR)
    )
    relative = values / (float(np.abs(heat).max()) or 1.0)
    share = np.maximum(np.abs(relative) - _FAINT, 0) / (1 - _FAINT)
    covered = _COVERED * share[:, :, None] ** _RISE
    colour = np.where(relative[:, :, None] > 0, np.array(FOR, np.float32), np.array(AGAINST, np.float32))
    return Image.fromarray((pale * (1 - covered) + colour * covered).round().astype(np.uint8))


def _marked(explanation: Explanation, number: int, largest: float) -> str:
    text, shares = explanation.shown[number], strengths(explanation)
    parts, position = [], 0
    for piece, share, effect in zip(explanation.pieces, shares, explanation.effects, strict=True):
        if not isinstance(piece, Span) or piece.text != number:
            continue
        parts.append(escape(text[position : piece.start]))
        word, position = escape(text[piece.start : piece.stop]), piece.stop
        parts.append(_mark(word, float(share), f"{effect:+.3g} {explanation.unit}") if share else word)
    rest = text[position:]
    if not any(letter.isalnum() for letter in rest):
        return "".join([*parts, escape(rest)])
    cut = rest if len(rest) <= _UNREAD else f"{rest[:_UNREAD]}\u2026"
    parts.append(f'<span style="opacity: 0.5" title="not read by the model">{escape(cut)}</span>')
    return "".join(parts)


def _mark(word: str, share: float, effect: str) -> str:
    """A word in colour: `share` from -1 to 1 says how strong, and which."""
    red, green, blue = FOR if share > 0 else AGAINST
    kind, line = ("for", "solid") if share > 0 else ("against", "dotted")
    style = (
        f"background: rgba({red}, {green}, {blue}, {0.1 + 0.4 * abs(share):.2f}); color: inherit; "
        f"border-bottom: 2px {line} rgb({red}, {green}, {blue})"
    )
    return f'<mark class="{kind}" style="{style}" title="{effect}">{word}</mark>'
