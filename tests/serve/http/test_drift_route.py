"""A server tells whether its last inputs still look like the rows that the model was measured on."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from autotl.export.bundle import add_reference
from autotl.serve.http.drift import ROWS, Window
from autotl.serve.monitoring.reference import Reference
from autotl.serve.predictor import Predictor
from autotl.testing.backbones import WORDS


@pytest.fixture
def watched(text_bundles, tmp_path):
    """A bundle that describes two hundred short texts, and a maker of such texts."""
    rng = np.random.default_rng(0)

    def texts(count, words=(4, 8)):
        return [" ".join(rng.choice(WORDS, rng.integers(*words))) for _ in range(count)]

    folder = shutil.copytree(text_bundles(), tmp_path / "watched")
    predictor = Predictor(folder, threads=1)
    add_reference(folder, Reference.of(predictor.task, *predictor.outputs(texts(200))))
    return folder, texts


def _ask(client, texts):
    assert client.post("/predict", json={"inputs": texts}).status_code == 200


def test_inputs_like_those_of_the_reference_are_no_drift_and_others_are(serve, watched):
    folder, texts = watched
    client = serve(folder)
    assert client.get("/drift").json() == {"verdict": "too few rows", "rows": 0}
    _ask(client, texts(200))
    found = client.get("/drift").json()
    assert (found["verdict"], found["rows"]) == ("no drift found", 200)
    for _ in range(4):
        _ask(client, [WORDS[0]] * 200)
    found = client.get("/drift").json()
    assert (found["verdict"], found["rows"]) == ("drift", ROWS)
    assert found["drifted"]


def test_the_same_rows_are_checked_once(serve, watched, monkeypatch):
    folder, texts = watched
    client = serve(folder)
    _ask(client, texts(50))
    first = client.get("/drift").json()
    monkeypatch.setattr(Window, "rows", lambda self: pytest.fail("looked at again"))
    assert client.get("/drift").json() == first


def test_few_rows_tell_nothing(serve, watched):
    folder, texts = watched
    client = serve(folder)
    _ask(client, texts(3))
    assert client.get("/drift").json()["verdict"] == "too few rows"


def test_only_a_bundle_that_describes_rows_has_the_route(serve, text_bundles, watched):
    assert "/drift" in serve(watched[0]).get("/openapi.json").json()["paths"]
    client = serve(text_bundles())
    assert "/drift" not in client.get("/openapi.json").json()["paths"]
    assert client.get("/drift").status_code == 404


def test_rows_that_are_not_finite_cost_no_other_their_check(serve, watched):
    folder, texts = watched
    client = serve(folder)
    window = next(take.__self__ for take in client.service.observers if isinstance(take.__self__, Window))
    outputs, features = client.service.predictor.outputs(texts(2))
    window.take([], [outputs * [[np.nan], [1]], features])
    window.take([], [outputs, features * np.float32([[1], [np.inf]])])
    assert window.seen == 2
    _ask(client, texts(200))
    answer = client.get("/drift")
    assert (answer.status_code, answer.json()["rows"]) == (200, 202)


def test_rows_of_which_none_is_finite_are_too_few(serve, watched):
    client = serve(watched[0])
    window = Window()
    window.take([], [np.full((2, 4), np.nan), np.ones((2, 5))])
    assert window.seen == 0
    assert client.get("/drift").json()["verdict"] == "too few rows"


def test_a_window_holds_the_last_rows_and_no_inputs():
    window = Window(3)
    for number in range(3):
        window.take([{"text": number}] * 2, [np.full((2, 4), number), np.full((2, 5), number, np.float64)])
    outputs, features = window.rows()
    assert outputs[:, 0].tolist() == [1, 2, 2]
    assert (features.shape, features.dtype) == ((3, 5), np.float32)
    assert window.seen == 6
