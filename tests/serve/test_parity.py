"""A bundle is compared with what the trained network answered, where the rows are."""

from __future__ import annotations

import pytest

from autotl.automl import verify
from autotl.errors import DataError, ParityError
from autotl.serve.bundle import read_bundle
from autotl.serve.evidence import Answers
from autotl.serve.parity import prove
from autotl.serve.predictor import Predictor

ROWS = 8  # whose answers a bundle of these tests holds


def test_a_certificate_tells_rows_flips_and_both_scores(bundle, texts):
    predictor = Predictor(bundle)
    numbers, expected = Answers.read(read_bundle(bundle)).among(texts, "text")
    items = [texts[number] for number in numbers]
    targets = expected.outputs.argmax(axis=1)
    found = prove(predictor, expected, items, list(map(str, numbers)), targets)
    assert (found.rows, found.single_rows, found.label_flips, found.ties) == (ROWS, ROWS, 0, 0)
    assert found.largest_difference < 1e-5
    assert found.score_trained == found.score_exported == 1.0
    assert prove(predictor, expected, items, list(map(str, numbers))).score_trained is None


def test_verifying_finds_the_rows_again_and_says_what_runs_here(bundle, texts):
    labels = ["red", "grün", "blue", "red"] * 25
    found = verify(bundle, ["something else", *texts], labels=["red", *labels])
    assert (found["rows"], found["known"], found["label_flips"]) == (ROWS, ROWS, 0)
    assert found["runs_with"]["onnxruntime"] == found["exported_with"]["onnxruntime"]


def test_other_answers_than_those_of_the_training_are_refused(bundle, texts):
    known = Answers.read(read_bundle(bundle))
    numbers, expected = known.among(texts, "text")
    turned = Answers(expected.digests, expected.outputs[:, ::-1], expected.scale)
    items = [texts[number] for number in numbers]
    with pytest.raises(ParityError, match="differ from the trained model's"):
        prove(Predictor(bundle), turned, items, list(map(str, numbers)))


def test_data_without_any_of_the_rows_prove_nothing(bundle):
    with pytest.raises(DataError, match="none of the 8 rows whose answers it holds, in 3 rows"):
        verify(bundle, ["un", "deux", "trois"], labels=["red", "grün", "blue"])
