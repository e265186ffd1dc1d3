"""What the trained network answered travels in the bundle, and is read from nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from autotl.automl import verify
from autotl.errors import BundleError, DataError
from autotl.serve.bundle import read_bundle
from autotl.serve.evidence import ANSWERS, Answers, Certificate, raw_digest
from autotl.testing.bundles import reseal, write_lexicon_bundle

DIGESTS = ("a" * 64, "b" * 64)


def test_the_answers_are_read_back_as_they_were_written(bundle):
    outputs = np.random.default_rng(0).random((2, 3)).astype(np.float32)
    Answers(DIGESTS, outputs, 2.5).write(bundle)
    reseal(bundle)
    found = Answers.read(read_bundle(bundle))
    assert found.digests == DIGESTS
    assert found.scale == 2.5
    np.testing.assert_array_equal(found.outputs, outputs)


def test_rows_are_known_by_their_content_wherever_they_stand(bundle, texts):
    known = Answers.read(read_bundle(bundle))
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


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x93NUMPY"])
def test_answers_that_cannot_be_read_are_named(bundle, content):
    (bundle / ANSWERS).write_bytes(content)
    with pytest.raises(BundleError, match=r"parity\.npz is malformed"):
        Answers.read(read_bundle(bundle, check=False))


GOOD = {"digests": np.array(DIGESTS), "outputs": np.zeros((2, 3), np.float32), "scale": np.array(1.0)}


@pytest.mark.parametrize(
    "change",
    [
        {"outputs": np.zeros((3, 3), np.float32)},
        {"outputs": np.zeros((2, 4), np.float32)},
        {"outputs": np.zeros(2, np.float32)},
        {"digests": np.array(DIGESTS)[None]},
        {"digests": np.array([1.0, 2.0])},
        {"scale": np.ones(2)},
        {"scale": np.array("1")},
        {"scale": None},
    ],
    ids=lambda change: "-".join(
        f"{name} {getattr(value, 'shape', 'none')}" for name, value in change.items()
    ),
)
def test_answers_that_do_not_fit_the_model_are_named(bundle, change):
    arrays = {name: array for name, array in {**GOOD, **change}.items() if array is not None}
    np.savez(bundle / ANSWERS, **arrays)
    with pytest.raises(BundleError, match=r"parity\.npz is malformed; found digests .* of the same rows"):
        Answers.read(read_bundle(bundle, check=False))


def test_a_bundle_that_holds_no_answers_says_so(tmp_path):
    folder = write_lexicon_bundle(tmp_path / "model", {"good": 1.0})
    with pytest.raises(
        BundleError, match=r"does not tell what the trained network answered; found no parity"
    ):
        verify(folder, ["good"], labels=["good"])


def test_a_file_that_is_not_listed_is_not_read_wherever_it_leads(bundle, tmp_path):
    (bundle / ANSWERS).rename(tmp_path / "outside.npz")
    (bundle / ANSWERS).symlink_to(tmp_path / "outside.npz")
    with pytest.raises(BundleError, match=r"parity\.npz is a link"):
        read_bundle(bundle, check=False)
    reseal(bundle, lambda manifest: manifest["files"].pop(ANSWERS))
    with pytest.raises(BundleError, match=r"found no parity\.npz in"):
        verify(bundle, ["a"], labels=["red"])


def test_a_certificate_tells_flips_and_whether_answers_had_to_be_the_same(bundle):
    found = Certificate.read(read_bundle(bundle))
    assert (found.label_flips, found.is_exact, found.rows) == (0, True, 8)
    assert 0 <= found.largest_difference < 1e-5
    reseal(bundle, lambda m: m["parity"]["model.onnx"].update(tolerance=None, label_flips=2))
    found = Certificate.read(read_bundle(bundle))
    assert (found.label_flips, found.is_exact) == (2, False)


def test_a_certificate_of_an_older_bundle_tells_less(bundle):
    def shorten(manifest):
        for name in ("rows", "largest_difference"):
            del manifest["parity"]["model.onnx"][name]

    reseal(bundle, shorten)
    assert Certificate.read(read_bundle(bundle)) == Certificate(label_flips=0, is_exact=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.pop("parity"), r"found no certificate of model\.onnx"),
        (lambda m: m["parity"].clear(), r"found no certificate of model\.onnx"),
        (
            lambda m: m["parity"].update({"model.onnx": 3}),
            r"found parity\.model\.onnx = 3; expected an object",
        ),
        (lambda m: m["parity"]["model.onnx"].pop("label_flips"), r"label_flips = None; expected an integer"),
        (lambda m: m["parity"]["model.onnx"].update(label_flips=True), r"label_flips = True"),
        (
            lambda m: m["parity"]["model.onnx"].update(tolerance="a"),
            r"tolerance = 'a'; expected a number",
        ),
    ],
)
def test_verifying_without_a_certificate_says_what_is_missing(bundle, texts, change, message):
    reseal(bundle, change)
    with pytest.raises(BundleError, match=message):
        verify(bundle, texts, labels=["red", "grün", "blue", "red"] * 25)
