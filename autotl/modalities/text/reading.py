"""From a raw item to its one or more texts; what counts as a text and what does not."""

from __future__ import annotations

from autotl.errors import DecodeError
from autotl.modalities.modality import Item


def read_texts(item: Item) -> tuple[str, ...]:
    """The texts of an item: (text,), or all of a tuple or list.

    Lone surrogates, which have no UTF-8 form, become "?".

    Raises:
        DecodeError: The item, or a part of it, is no string; missing values (None, NaN) are named as such.
    """
    parts = tuple(item) if isinstance(item, (tuple, list)) else (item,)
    if not parts:
        raise DecodeError("cannot use an input without any text", found=repr(item), expected="a string")
    return tuple(_text(part, item) for part in parts)


def normalised(item: Item) -> tuple[str, ...]:
    """The texts of an item with runs of white space made one blank and none at the ends."""
    return tuple(" ".join(text.split()) for text in read_texts(item))


def _text(part: object, item: Item) -> str:
    if isinstance(part, str):
        return part if part.isascii() else part.encode("utf-8", "replace").decode("utf-8")
    missing = part is None or part != part
    what = "a missing text cannot be used" if missing else "an input is not a text"
    where = repr(part) if part is item else f"{part!r} in {item!r}"
    hint = "Fill it with an empty string or drop the row." if missing else "Convert it with str() first."
    raise DecodeError(what, found=where[:200], expected="a string", hint=hint)
