"""What the trained network answered travels in the bundle, and is compared with again where the rows are."""

from __future__ import annotations

import numpy as np
import pytest

from autotl.automl import verify
from autotl.errors import BundleError, DataError, ParityError
from autotl.serve.parity import ANSWERS, Answers, prove, raw_digest
from autotl.serve.predictor import Predictor

ROWS = 8  # whose answers a bundle of these tests holds


def test_the_answers_are_read_back_as_they_were_written(tmp_path):
    outputs = np.random.default_rng(0).random((3, 4)).astype(np.float32)
    Answers(("a", "b", "c"), outputs, 2.5).write(tmp_path)
    found = Answers.read(tmp_path)
    assert found.digests == ("a", "b", "c")
    assert found.scale == 2.5
    np.testing.assert_array_equal(found.outputs, outputs)


def test_rows_are_known_by_their_content_wherever_they_stand(bundle, texts):
    known = Answers.read(bundle)
    shuffled = ["another text", *texts[5:2:-1], texts[3]]
    numbers, kept = known.among(shuffled, "text")
    assert numbers.tolist() == [1, 2, 3]  # a copy of a row proves nothing more
    np.testing.assert_array_equal(kept.outputs, known.outputs[[5, 4, 3]])


def test_raw_inputs_are_told_apart_by_their_bytes(images):
    content = images[0].read_bytes()
    assert raw_digest(images[0], "image") == raw_digest(content, "image")
    assert raw_digest(images[0], "image") != raw_digest(images[1], "image")
    assert raw_digest(("a", "bc"), "text") != raw_digest(("ab", "c"), "text")
    assert raw_digest("\ud800", "text")
    with pytest.raises(DataError, match="cannot read"):
        raw_digest(images[0].with_name("none.png"), "image")


def test_a_certificate_tells_rows_flips_and_both_scores(bundle, texts):
    predictor = Predictor(bundle)
    numbers, expected = Answers.read(bundle).among(texts, "text")
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
    known = Answers.read(bundle)
    numbers, expected = known.among(texts, "text")
    turned = Answers(expected.digests, expected.outputs[:, ::-1], expected.scale)
    items = [texts[number] for number in numbers]
    with pytest.raises(ParityError, match="differ from the trained model's"):
        prove(Predictor(bundle), turned, items, list(map(str, numbers)))


def test_data_without_any_of_the_rows_prove_nothing(bundle):
    with pytest.raises(DataError, match="none of the 8 rows whose answers it holds, in 3 rows"):
        verify(bundle, ["un", "deux", "trois"], labels=["red", "grün", "blue"])


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x93NUMPY"])
def test_answers_that_cannot_be_read_are_named(bundle, content):
    (bundle / ANSWERS).write_bytes(content)
    with pytest.raises(BundleError, match=r"parity\.npz is malformed"):
        Answers.read(bundle)
