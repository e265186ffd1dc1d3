"""Explanations in sentences: where the evidence lies, and what the output is without it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.modalities.modality import Rectangle
from autotl.serve.explain.explanation import Check, Explanation

Array = NDArray[Any]

_EVERYWHERE = "spread over the image"
#: Words that are named at most.
_NAMED = 5
#: Root mean square distance, in edges of the image, from which on evidence lies in no one place; that of the
#: whole image is 0.41.
_SPREAD = 0.3
#: Pieces against are named where the strongest has this share of the strongest effect for the output, and
#: those that have half of its effect.
_WORTH_NAMING = 0.2
#: A probability below it is not told apart from 0.
_LEAST_PROBABILITY = 0.001


def summary(explanation: Explanation) -> str:
    """What an explanation says, in up to three sentences of plain text."""
    check = explanation.check
    if not explanation.pieces:
        return "There is nothing in this input that could be hidden."
    if check is None:
        changed = "changes it" if explanation.target is None else "makes it less probable"
        return f"Nothing in this input {_speaks(explanation)}: no piece, hidden alone, {changed}."
    describe = _in_texts if isinstance(explanation.shown, tuple) else _in_image
    where = describe(explanation, check)
    return " ".join(filter(None, [where, _checked(explanation, check), _against(explanation)]))


def legend(explanation: Explanation) -> str:
    """What the two colours of a rendering mean."""
    if explanation.target is None:
        return f"Orange raises {explanation.name}, blue lowers it."
    return f"Orange speaks for {explanation.name}, blue against it."


def place(explanation: Explanation, numbers: Sequence[int]) -> str:
    """Where cells of an image lie, weighed by their effects: "in the upper left", "in the centre"."""
    cells = [piece for piece in explanation.pieces if isinstance(piece, Rectangle)]
    chosen = np.array([cells[number] for number in numbers], float)
    height, width = np.shape(explanation.shown)[:2]
    centres = np.stack(
        [(chosen[:, 0] + chosen[:, 2]) / (2 * height), (chosen[:, 1] + chosen[:, 3]) / (2 * width)], axis=1
    )
    weights = np.abs(explanation.effects[list(numbers)]).astype(float)
    middle = np.average(centres, axis=0, weights=weights)
    spread = np.sqrt(np.average(((centres - middle) ** 2).sum(axis=1), weights=weights))
    if spread >= _SPREAD:
        return _EVERYWHERE
    down, across = (min(2, int(3 * value)) for value in middle)
    row, column = ("upper", "", "lower")[down], ("left", "", "right")[across]
    if row and column:
        return f"mostly in the {row} {column}"
    if row:
        return f"mostly in the {row} middle"
    return f"mostly on the {column}" if column else "mostly in the centre"


def _in_image(explanation: Explanation, check: Check) -> str:
    where = place(explanation, check.pieces)
    return (
        f"{explanation.share_of_evidence:.0%} of what {_speaks(explanation)} lies in "
        f"{explanation.share_of_input:.0%} of the image, {where}."
    )


def _in_texts(explanation: Explanation, check: Check) -> str:
    count, words = len(check.pieces), len(explanation.pieces)
    named = _listed([explanation.words(number) for number in check.pieces[:_NAMED]])
    more = f" and {count - _NAMED} more" if count > _NAMED else ""
    return (
        f"{explanation.share_of_evidence:.0%} of what {_speaks(explanation)} lies in {count} of {words} "
        f"words: {named}{more}."
    )


def _checked(explanation: Explanation, check: Check) -> str:
    """What hiding the evidence did; where it did the opposite, that the explanation is not borne out."""

    def figure(value: float) -> str:
        if explanation.target is None:
            return f"{value:.4g}"
        return "less than 0.001" if value < _LEAST_PROBABILITY else f"{value:.3g}"

    what = explanation.name if explanation.target is None else f"the probability of {explanation.name}"
    elsewhere = check.elsewhere
    compared = "" if elsewhere is None else f", and {figure(elsewhere)} with as much hidden elsewhere"
    without, whole = figure(check.output), figure(explanation.output)
    if without == whole:
        return f"Hiding that changes hardly anything: {what} is still {whole}{compared}."
    is_borne_out = explanation.direction * (explanation.output - check.output) > 0
    doubt = "" if is_borne_out else "Do not rely on this: "
    begun = "Without" if is_borne_out else "without"
    return f"{doubt}{begun} that {what} is {without} in place of {whole}{compared}."


def _against(explanation: Explanation) -> str:
    """What speaks against the output, where it counts; of a regression what moves it the other way."""
    signed = explanation.direction * explanation.effects
    if -signed.min() < _WORTH_NAMING * signed.max():
        return ""
    numbers = [int(n) for n in np.argsort(signed, kind="stable") if signed[n] <= signed.min() / 2]
    if isinstance(explanation.shown, tuple):
        where = _listed([explanation.words(number) for number in numbers[:_NAMED]])
    else:
        where = place(explanation, numbers)
    if where == _EVERYWHERE:
        return ""
    what = "What speaks against it" if explanation.target is not None else "What moves it the other way"
    return f"{what}: {where}."


def _speaks(explanation: Explanation) -> str:
    if explanation.target is None:
        return f"{'raises' if explanation.direction > 0 else 'lowers'} {explanation.name}"
    return f"speaks for {explanation.name}"


def _listed(words: Sequence[str]) -> str:
    return ", ".join(f'"{word}"' for word in words)
