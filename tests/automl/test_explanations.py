"""The errors that a report shows are explained for what was judged wrongly in them."""

from __future__ import annotations

import math
import time
from types import SimpleNamespace

import numpy as np
import pytest

from autotl.automl import explanations
from autotl.automl.delivery import SeenRows
from autotl.automl.explanations import explained_errors
from autotl.data.dataset import Dataset
from autotl.errors import DecodeError
from autotl.serve.explain.neighbours import Neighbour
from autotl.task import Task, TaskKind
from autotl.trial.run_folder import RunFolder

LABELS = ("joy", "anger", "fear")
EMPTY = np.empty(0)


@pytest.fixture
def explained(tmp_path, monkeypatch):
    """Explains errors; an explanation says which item and which label were asked for."""

    def explain(predictor, items, *, target=None):
        if items == ["unreadable"]:
            raise DecodeError("cannot be read")
        return [SimpleNamespace(said=f"{items[0]}: {target}", task=None, features=EMPTY)]

    monkeypatch.setattr(explanations, "explain", explain)
    monkeypatch.setattr(explanations, "html_of", lambda explanation: explanation.said)

    def run(kind, targets, outputs, items, until=math.inf, preview=None):
        dataset = Dataset("text", Task(kind, LABELS, "accuracy"), items, np.asarray(targets), list("abcdef"))
        runner = SimpleNamespace(dataset=dataset, folder=RunFolder(tmp_path))
        delivery = SimpleNamespace(runner=runner, preview=lambda: preview)
        seen = SeenRows(np.arange(len(items)), np.asarray(outputs), EMPTY, EMPTY, EMPTY)
        return explained_errors(delivery, SimpleNamespace(bundle=None), seen, until=until)

    return run


def test_of_several_labels_the_one_that_is_farthest_off_is_explained(explained):
    targets = [[1, 0, 1], [1, 0, 0]]
    outputs = [[0.99, 0.0, 0.02], [0.9, 0.97, 0.0]]
    found = explained(TaskKind.MULTILABEL, targets, outputs, ["missed fear", "wrongly anger"])
    assert found == {"a": "missed fear: fear", "b": "wrongly anger: anger"}


def test_of_classes_the_answer_that_was_given_is_explained(explained):
    found = explained(TaskKind.MULTICLASS, [0, 1], [[0.1, 0.8, 0.1], [0.1, 0.8, 0.1]], ["wrong", "right"])
    assert found == {"a": "wrong: None"}


def test_an_input_that_cannot_be_explained_costs_no_other(explained):
    outputs = [[0.1, 0.8, 0.1], [0.1, 0.7, 0.2]]
    found = explained(TaskKind.MULTICLASS, [0, 0], outputs, ["unreadable", "wrong"])
    assert found == {"b": "wrong: None"}


def test_no_error_is_explained_after_the_time_is_over(explained):
    outputs = [[0.1, 0.8, 0.1]]
    assert explained(TaskKind.MULTICLASS, [0], outputs, ["wrong"], until=time.monotonic() - 1) == {}


def test_a_neighbour_that_cannot_be_shown_is_named(explained, monkeypatch):
    near = SimpleNamespace(nearest=lambda *_: [Neighbour("<n>", "train", "joy", 0.9)])
    monkeypatch.setattr(explanations.Examples, "read", lambda *_: near)

    def preview(name):
        raise ValueError("a plug-in's fault")

    found = explained(TaskKind.MULTICLASS, [0], [[0.1, 0.8, 0.1]], ["wrong"], preview=preview)
    assert "wrong: None" in found["a"]
    assert "&lt;n&gt; <small>joy, 0.90" in found["a"]
