"""Why the worst errors of a run were made: what the delivered model looked at, and what it knows like that.

For the report; made at the end, in time that is left.
"""

from __future__ import annotations

import time
from html import escape

import numpy as np

from autotl.automl.delivery import Delivery, SeenRows
from autotl.errors import AutotlError
from autotl.report.mistakes import mistakes
from autotl.report.previews import Preview, previews
from autotl.report.recorded import plain
from autotl.serve.explain import Explanation, explain
from autotl.serve.explain.neighbours import Examples
from autotl.serve.explain.rendering import html_of
from autotl.serve.predictor import Predictor

#: Training rows shown beside an error.
_NEAREST = 2


def explained_errors(
    delivery: Delivery, predictor: Predictor, seen: SeenRows, *, until: float
) -> dict[str, str]:
    """Safe HTML of each error that the report shows singly, by name of its row, the worst first.

    What is explained is the answer that was given; of several labels, the one that was judged most wrongly.

    Args:
        delivery: Holds data and splits.
        predictor: The delivered bundle.
        seen: The test part, as the bundle answered it.
        until: Time (`time.monotonic`) after which no more are explained.
    """
    dataset = delivery.runner.dataset
    names, targets = np.array(dataset.take(seen.rows).names), dataset.targets[seen.rows]
    found = mistakes(dataset.task.kind, dataset.task.classes, targets, seen.outputs, names)
    places = {plain(name): row for name, row in zip(names, seen.rows.tolist(), strict=True)}
    preview = delivery.preview()
    examples = Examples.read(delivery.runner.folder.path, predictor.bundle)
    shown: dict[str, str] = {}
    for miss in () if found is None else found.misses:
        if time.monotonic() >= until:
            break
        label = None if miss.label is None else dataset.task.classes[miss.label.index]
        try:
            (explanation,) = explain(predictor, [dataset.items[places[miss.name]]], target=label)
        except AutotlError:
            continue  # an input that cannot be explained is no loss for the others
        shown[miss.name] = html_of(explanation) + _nearest(explanation, examples, preview)
    return shown


def _nearest(explanation: Explanation, examples: Examples | None, preview: Preview | None) -> str:
    """The rows most like an input that the model was fitted on, with their labels."""
    if examples is None:
        return ""
    near = examples.nearest(explanation.task, explanation.features, _NEAREST)
    seen = previews(preview, (plain(row.name) for row in near))
    rows = [
        f"<div>{seen.get(plain(row.name)) or escape(row.name)} "
        f"<small>{escape(row.label)}, {row.similarity:.2f}</small></div>"
        for row in near
    ]
    return f'<div class="near"><small>most like, in training:</small>{"".join(rows)}</div>'
