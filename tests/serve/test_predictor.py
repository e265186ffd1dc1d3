"""A predictor keeps the order, needs no torch, and treats every way of handing inputs over alike."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from autotl.errors import DataError, DecodeError, MissingExtraError
from autotl.modalities.text.decoding import TextDecoder
from autotl.serve import predictor as predictor_module
from autotl.serve.predictor import Predictor
from autotl.task import TaskKind

PROOF = """
import sys, time
start = time.perf_counter()
from autotl.serve.predictor import Predictor
predictor = Predictor(sys.argv[1], threads=1)
print(predictor.predict(sys.argv[2:]), file=sys.stderr)
print(f"cold start to first prediction: {time.perf_counter() - start:.2f} s", file=sys.stderr)
heavy = set("torch torchvision timm transformers pandas sklearn scipy onnx ray optuna pyarrow".split())
print(sorted(heavy & {name.partition(".")[0] for name in sys.modules}))
"""


def _heavy_modules(folder, *items) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROOF, str(folder), *map(str, items)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    sys.stdout.write(done.stderr)
    return done.stdout.strip()


def test_images_are_predicted_without_torch_or_any_training_library(image_bundle, images):
    assert _heavy_modules(image_bundle, *images[:2]) == "[]"


def test_texts_are_predicted_without_torch_or_any_training_library(text_bundles):
    assert _heavy_modules(text_bundles(), "a good film", "so sad") == "[]"


@settings(deadline=None, max_examples=20)
@given(data=st.data(), batch_size=st.integers(1, 40))
def test_the_order_of_texts_is_kept_whatever_the_batches(text_bundles, texts, data, batch_size):
    rows = data.draw(st.lists(st.integers(0, len(texts) - 1), max_size=60))
    predictor = Predictor(text_bundles(), threads=1)
    alone = predictor.predict_proba(texts, batch_size=1)
    found = predictor.predict_proba([texts[row] for row in rows], batch_size)
    assert found.shape == (len(rows), 3)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, alone[rows], atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 3, 32])
def test_the_order_of_images_of_many_sizes_is_kept(image_bundle, images, batch_size):
    predictor = Predictor(image_bundle, threads=1)
    alone = np.concatenate([predictor.predict_proba([path]) for path in images])
    np.testing.assert_allclose(predictor.predict_proba(images, batch_size), alone, atol=1e-5)
    assert np.ptp(alone, axis=0).max() > 1e-3  # else order could not be seen


def test_small_windows_change_nothing(image_bundle, images, monkeypatch):
    predictor = Predictor(image_bundle, threads=1)
    whole = predictor.predict_proba(images)
    monkeypatch.setattr(predictor_module, "_DECODED_TOGETHER", 3)
    monkeypatch.setattr(predictor_module, "_WINDOW_BYTES", 10_000)
    np.testing.assert_allclose(predictor.predict_proba(images), whole, atol=1e-5)


def test_paths_strings_bytes_arrays_and_pillow_images_are_one(image_bundle, images):
    path = images[1]
    array = np.asarray(Image.open(path))
    kinds = [path, str(path), path.read_bytes(), array, Image.fromarray(array)]
    found = Predictor(image_bundle, threads=1).predict_proba(kinds)
    np.testing.assert_allclose(found, np.repeat(found[:1], len(kinds), axis=0), atol=1e-6)


def test_predictions_are_class_names(text_bundles, texts):
    predictor = Predictor(text_bundles(), threads=1)
    names = predictor.predict(texts)
    best = predictor.predict_proba(texts).argmax(axis=1)
    assert names == [predictor.classes[k] for k in best]
    assert set(names) <= {"red", "grün", "blue"}


def test_labels_of_at_least_a_half_are_predicted(text_bundles, texts):
    predictor = Predictor(text_bundles(TaskKind.MULTILABEL), threads=1)
    probabilities = predictor.predict_proba(texts)
    for labels, row in zip(predictor.predict(texts), probabilities, strict=True):
        assert labels == [name for name, p in zip(predictor.classes, row, strict=True) if p >= 0.5]


def test_values_are_predicted_as_floats(text_bundles, texts):
    predictor = Predictor(text_bundles(TaskKind.REGRESSION), threads=1)
    values = predictor.predict(texts[:3])
    assert [type(value) for value in values] == [float] * 3
    assert predictor.predict_proba(texts[:3]).shape == (3,)
    assert predictor.classes == ()


def test_pairs_are_tuples_and_their_order_counts(text_bundles):
    predictor = Predictor(text_bundles(columns=("a", "b")), threads=1)
    found = predictor.predict_proba([("a good film", "so sad"), ("so sad", "a good film")])
    assert not np.allclose(found[0], found[1])


def test_features_come_in_order_too(text_bundles, texts):
    predictor = Predictor(text_bundles(), threads=1)
    features = predictor.embed(texts)
    assert features.shape == (len(texts), 32)
    np.testing.assert_allclose(predictor.embed(texts[5:6])[0], features[5], atol=1e-5)


def test_nothing_in_gives_nothing_of_the_right_shape(text_bundles):
    predictor = Predictor(text_bundles(), threads=1)
    assert predictor.predict([]) == []
    assert predictor.predict_proba([]).shape == (0, 3)
    assert predictor.embed([]).shape == (0, 32)
    assert Predictor(text_bundles(TaskKind.REGRESSION), threads=1).predict_proba([]).shape == (0,)


def test_generators_and_arrays_are_taken(text_bundles, texts):
    predictor = Predictor(text_bundles(), threads=1)
    expected = predictor.predict(texts[:4])
    assert predictor.predict(text for text in texts[:4]) == expected
    assert predictor.predict(np.array(texts[:4], dtype=object)) == expected


def test_a_bare_text_is_not_taken_for_a_list_of_letters(text_bundles):
    with pytest.raises(
        DataError, match="one input was given bare; found 'great film'; expected a list of inputs"
    ):
        Predictor(text_bundles(), threads=1).predict("great film")


def test_an_impossible_batch_size(text_bundles):
    with pytest.raises(DataError, match="impossible batch size; found 0; expected at least 1"):
        Predictor(text_bundles(), threads=1).predict(["a"], batch_size=0)


def test_an_unreadable_item_is_named(image_bundle, images, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(images[0].read_bytes()[:50])
    with pytest.raises(DecodeError, match=r"broken\.png"):
        Predictor(image_bundle, threads=1).predict([images[0], broken])


@pytest.mark.parametrize(("module", "package"), [("PIL", "Pillow"), ("tokenizers", "tokenizers")])
def test_a_package_that_is_not_installed_is_named_with_the_line_to_install_it(
    text_bundles, monkeypatch, module, package
):
    def missing(*_args):
        raise ModuleNotFoundError(f"No module named '{module}'", name=f"{module}.part")

    monkeypatch.setattr(TextDecoder, "__init__", missing)
    with pytest.raises(MissingExtraError, match=rf"Install it: pip install {package}$"):
        Predictor(text_bundles(), threads=1)
