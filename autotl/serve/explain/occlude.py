"""`explain`: runs a bundle on inputs of which pieces are hidden; the decoder of its modality hides them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autotl.errors import DataError
from autotl.modalities.modality import Item, Occlusion, SupportsOcclusion
from autotl.serve.explain.attribution import attribute, evidence, strongest, unit_of
from autotl.serve.explain.explanation import Check, Explanation
from autotl.serve.inputs import items_of
from autotl.task import Task, TaskKind

if TYPE_CHECKING:
    from autotl.serve.predictor import Predictor

Array = NDArray[Any]

#: Runs of the graph for the effects of an input's pieces: about a second of a small network on two cores.
_RUNS = 110
#: Inputs that run together; images are large.
_BATCH = 16
#: The check hides the pieces that hold this share of the evidence, at most this share of all pieces.
_CHECKED_EVIDENCE, _CHECKED_PIECES = 0.5, 0.25
#: Sets of other pieces that are hidden to compare with.
_COMPARED = 4
_NAMES_SHOWN = 20


def explain(predictor: Predictor, items: Iterable[Item], *, target: str | None = None) -> list[Explanation]:
    """Tell for each input which of its pieces speak for an output, and which against.

    Pieces of the raw input are hidden (cells of an image painted over, words of a text taken out), and the
    exported graph is run on what is left, about a hundred times for an input.

    Args:
        predictor: The exported model.
        items: N raw inputs, as `Predictor.predict_proba` takes them.
        target: Class or label to explain; None for the most probable one of each input. A regression has
            none to choose from.

    Returns:
        N explanations, in order.

    Raises:
        DataError: There is no such class, or inputs of this kind cannot be hidden piece by piece.
        DecodeError: An item is unreadable.
    """
    if isinstance(items, (str, bytes, bytearray, Path)):
        raise DataError("one input was given bare", found=repr(items)[:60], expected="a list of inputs")
    decoder, wanted = predictor.decoder, _index(predictor.task, target)
    if not isinstance(decoder, SupportsOcclusion):
        kind = predictor.bundle.spec.modality
        raise DataError(
            f"predictions on inputs of the modality {kind} cannot be explained",
            found=f"{type(decoder).__name__} without occlusion()",
            expected="a decoder that can hide pieces of its inputs",
        )
    given = items_of(predictor.bundle, items)
    return [_explained(predictor, decoder.occlusion(item), wanted) for item in given]


def _explained(predictor: Predictor, occlusion: Occlusion, wanted: int | None) -> Explanation:
    task, pieces = predictor.task, len(occlusion.pieces)
    outputs, features = predictor.run([occlusion.hide(np.zeros(pieces, np.bool_))])
    target = _most_probable(task, outputs[0]) if wanted is None else wanted
    unit = unit_of(task, occlusion.groups)
    whole = evidence(task, outputs, target, unit)

    def without(masks: Array) -> Array:
        """Outputs (B, K) or (B,) where pieces are hidden; few of the changed inputs are held at once."""
        parts = [masks[start : start + _BATCH] for start in range(0, len(masks), _BATCH)]
        return np.concatenate(
            [predictor.run([occlusion.hide(mask) for mask in part], _BATCH)[0] for part in parts]
        )

    effects = attribute(
        occlusion.groups, lambda masks: whole - evidence(task, without(masks), target, unit), _RUNS
    )
    columns = predictor.bundle.columns
    return Explanation(
        task=task,
        outputs=outputs[0],
        features=features[0],
        target=target,
        shown=occlusion.shown,
        columns=columns if len(columns) > 1 and isinstance(occlusion.shown, tuple) else (),
        pieces=occlusion.pieces,
        effects=effects.astype(np.float32),
        unit=unit,
        check=_check(effects, target, without),
    )


def _check(effects: Array, target: int | None, without: Callable[[Array], Array]) -> Check | None:
    """Hide the strongest pieces together, and as many others.

    Args:
        effects: (P,).
        target: Index of the class; None for regression, of which the side of the strongest piece is checked.
        without: Outputs where the pieces of masks are hidden.
    """
    lowers = target is None and float(-effects.min(initial=0)) > float(effects.max(initial=0))
    most = max(1, int(_CHECKED_PIECES * len(effects)))
    top = strongest(-effects if lowers else effects, _CHECKED_EVIDENCE, most)
    if not len(top):
        return None
    others = np.setdiff1d(np.arange(len(effects)), top)
    masks = np.zeros((1 + (_COMPARED if len(others) >= len(top) else 0), len(effects)), np.bool_)
    masks[0, top] = True
    rng = np.random.default_rng(0)
    for mask in masks[1:]:
        mask[rng.choice(others, len(top), replace=False)] = True
    outputs = without(masks)
    found = outputs if target is None else outputs[:, target]
    elsewhere = float(found[1:].mean()) if len(found) > 1 else None
    return Check(tuple(map(int, top)), float(found[0]), elsewhere)


def _most_probable(task: Task, outputs: Array) -> int | None:
    return None if task.kind is TaskKind.REGRESSION else int(outputs.argmax())


def _index(task: Task, name: str | None) -> int | None:
    """Which output a name means.

    Raises:
        DataError: None.
    """
    if name is None:
        return None
    if name in task.classes:
        return task.classes.index(name)
    known = ", ".join(task.classes[:_NAMES_SHOWN]) + (", ..." if len(task.classes) > _NAMES_SHOWN else "")
    raise DataError(
        "no such class", found=repr(name), expected=known or "none: the model predicts values, not classes"
    )
