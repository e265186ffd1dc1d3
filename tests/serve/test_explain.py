"""Explanations find what is known to decide, for every kind of task, and can be shown."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import weakref
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from autotl.errors import DataError, DecodeError, RunError
from autotl.serve.explain import Explanation, explain
from autotl.serve.explain.attribution import Unit, attribute, evidence, strongest
from autotl.serve.explain.neighbours import FILE, Examples
from autotl.serve.explain.page import card, page, row
from autotl.serve.explain.rendering import html_of, marked_text, overlay
from autotl.serve.explain.words import summary
from autotl.serve.predictor import Predictor
from autotl.task import Task, TaskKind
from autotl.testing.bundles import write_lexicon_bundle, write_redness_bundle

LEXICON = {"great": 4.0, "bad": -3.0, "the": 0.0, "film": 0.0, "was": 0.0, "but": 0.0, "sound": 0.0, "a": 0.0}


@pytest.fixture(scope="module")
def redness(tmp_path_factory):
    folder = tmp_path_factory.mktemp("redness")
    return lambda kind=TaskKind.BINARY: Predictor(write_redness_bundle(folder / kind.value, kind), threads=1)


@pytest.fixture(scope="module")
def lexicon(tmp_path_factory):
    def make(kind=TaskKind.BINARY, **more) -> Predictor:
        folder = tmp_path_factory.mktemp("lexicon")
        return Predictor(write_lexicon_bundle(folder, LEXICON, kind, **more), threads=1)

    return make


def square(top: int, left: int, edge: int = 32, size: tuple[int, int] = (140, 210)) -> np.ndarray:
    """Grey noise with a red square."""
    image = np.random.default_rng(0).integers(100, 140, (*size, 1)).repeat(3, axis=2).astype(np.uint8)
    image[top : top + edge, left : left + edge] = (220, 20, 20)
    return image


def words_of(found: Explanation, numbers) -> list[str]:
    return [found.words(number) for number in numbers]


# --- images ---


@pytest.mark.parametrize(("top", "left", "place"), [(4, 6, "upper left"), (100, 170, "lower right")])
def test_the_map_lies_where_the_square_is(redness, top, left, place):
    image = square(top, left)
    (found,) = explain(redness(), [image])
    assert (found.name, found.unit) == ("red", "probability")
    assert found.map.shape == image.shape[:2]
    assert found.map.dtype == np.float32
    for_it = np.maximum(found.map, 0)
    near = np.zeros(for_it.shape, bool)
    near[max(0, top - 20) : top + 52, max(0, left - 30) : left + 62] = True
    assert for_it[near].sum() > 0.8 * for_it.sum()
    assert place in summary(found)


def test_hiding_what_was_named_takes_the_output_and_hiding_elsewhere_does_not(redness):
    (found,) = explain(redness(), [square(20, 30, edge=60)])
    assert found.output > 0.8
    assert found.check.output < found.output - 0.05
    assert abs(found.check.elsewhere - found.output) < (found.output - found.check.output) / 3
    assert 0.4 < found.share_of_evidence <= 1
    assert 0 < found.share_of_input < 0.3


def test_what_speaks_for_one_class_speaks_against_the_other(redness):
    image = square(20, 30)
    (red,), (grey,) = (explain(redness(), [image], target=name) for name in ("red", "grey"))
    assert np.allclose(red.effects, -grey.effects, atol=1e-3)
    assert grey.name == "grey"


def test_a_bare_square_says_where_it_speaks_against(redness):
    (found,) = explain(redness(), [square(4, 170)], target="grey")
    assert found.map[20, 185] < 0
    assert found.map.min() < -5 * found.map.max()


def test_few_of_the_changed_images_are_held_at_once(redness, monkeypatch):
    predictor = redness()
    whole, made, most = type(predictor.decoder).occlusion, [], 0

    def counted(self, item):
        found = whole(self, item)

        def hide(mask):
            nonlocal most
            example = {name: array.copy() for name, array in found.hide(mask).items()}
            made.extend(weakref.ref(array) for array in example.values())
            most = max(most, sum(ref() is not None for ref in made))
            return example

        return replace(found, hide=hide)

    monkeypatch.setattr(type(predictor.decoder), "occlusion", counted)
    explain(predictor, [square(20, 20)])
    assert len(made) > 64
    assert most <= 16


def test_a_map_of_a_cropped_image_is_zero_where_the_network_does_not_look():
    from autotl.modalities.image.occlusion import divide

    image = square(4, 6)
    cells = divide(image, crop_share=0.5).pieces
    assert (cells[0].top, cells[0].left) == (35, 70)
    assert (cells[-1].bottom, cells[-1].right) == (105, 140)


@pytest.mark.parametrize("size", [(1, 1), (1, 30), (3, 500), (9, 8)])
def test_images_of_any_size_are_explained(redness, size):
    (found,) = explain(redness(), [np.full((*size, 3), 90, np.uint8)])
    assert found.map.shape == size
    assert np.isfinite(found.map).all()
    assert html_of(found).startswith("<img ")


# --- texts ---


def test_the_word_that_decides_has_the_effect_it_has(lexicon):
    (found,) = explain(lexicon(), ["The film was GREAT, but the sound bad"])
    by_word = dict(zip(words_of(found, range(len(found.pieces))), found.effects, strict=True))
    assert by_word["GREAT"] == pytest.approx(4.0, abs=0.01)
    assert by_word["bad"] == pytest.approx(-3.0, abs=0.01)
    assert max(abs(effect) for word, effect in by_word.items() if word not in ("GREAT", "bad")) < 0.01
    assert words_of(found, found.check.pieces) == ["GREAT"]
    assert found.check.output < 0.1 < 0.7 < found.output
    assert '"GREAT"' in summary(found)
    assert '"bad"' in summary(found)
    assert "Without that the probability of good is" in summary(found)
    wrong = replace(found, check=replace(found.check, output=1.0, elsewhere=1e-9))
    assert "Do not rely on this: without that the probability of good is 1 in place of" in summary(wrong)
    assert "and less than 0.001 with as much hidden elsewhere" in summary(wrong)
    sure = replace(found, check=replace(found.check, output=found.output))
    assert "Hiding that changes hardly anything: the probability of good is still 0." in summary(sure)


def test_in_a_long_text_the_word_is_found_among_hundreds(lexicon):
    text = "The film was a film. " * 30 + "It was great! " + "But the sound was a sound. " * 30
    (found,) = explain(lexicon(max_length=1000), [text])
    assert len(found.pieces) > 300
    assert words_of(found, found.check.pieces) == ["great"]
    assert found.effects.max() == pytest.approx(4.0, abs=0.1)
    assert np.partition(np.abs(found.effects), -2)[-2] < 0.05


def test_what_the_network_does_not_read_is_no_piece_and_has_no_effect(lexicon):
    (found,) = explain(lexicon(max_length=8), ["the film was great the film was bad bad bad"])
    assert "bad" not in words_of(found, range(len(found.pieces)))
    assert found.check is not None
    shown = marked_text(found)
    assert 'title="not read by the model"> was bad bad bad</span>' in shown


def test_several_columns_are_explained_together_under_their_names(lexicon):
    predictor = lexicon(columns=("title", "body"))
    (found,) = explain(predictor, [("the <film>", "was great & bad")])
    assert {piece.text for piece in found.pieces} == {0, 1}
    assert words_of(found, found.check.pieces) == ["great"]
    shown = html_of(found)
    assert "<b>title</b> the &lt;film&gt;" in shown
    assert "<b>body</b>" in shown
    (table,) = explain(predictor, pd.DataFrame({"body": ["was great & bad"], "title": ["the"]}))
    assert table.shown == ("the", "was great & bad")


def test_a_text_without_words_has_nothing_to_hide(lexicon):
    (found,) = explain(lexicon(), [" "])
    assert (found.pieces, found.check) == ((), None)
    assert "nothing in this input that could be hidden" in summary(found)
    assert html_of(found) == " "
    (neutral,) = explain(lexicon(), ["the film"], target="good")
    assert neutral.check is None
    assert "Nothing in this input speaks for good" in summary(neutral)


# --- kinds of task ---


def test_a_regression_is_explained_in_its_own_unit_and_direction(redness, lexicon):
    (up,) = explain(redness(TaskKind.REGRESSION), [square(4, 6)])
    assert (up.target, up.unit, up.direction) == (None, "value", 1)
    assert up.output == pytest.approx(float(up.outputs))
    assert up.check.output < up.output / 2
    assert "raises label" in summary(up)
    (down,) = explain(lexicon(TaskKind.REGRESSION), ["the film was bad"])
    assert down.direction == -1
    assert words_of(down, down.check.pieces) == ["bad"]
    assert "lowers label" in summary(down)
    assert down.check.output == pytest.approx(0, abs=1e-5)


def test_a_label_of_several_is_explained(lexicon):
    predictor = lexicon(TaskKind.MULTILABEL)
    (good,) = explain(predictor, ["the film was great but bad"])
    assert good.name == "good"
    (bad,) = explain(predictor, ["the film was great but bad"], target="bad")
    assert words_of(bad, bad.check.pieces) == ["bad"]


def test_real_networks_are_explained(image_bundle, text_bundles, images, texts):
    found = explain(Predictor(image_bundle, threads=1), images[:2], target="blue")
    assert [explanation.name for explanation in found] == ["blue", "blue"]
    predictor = Predictor(text_bundles(), threads=1)
    (one,) = explain(predictor, texts[:1])
    assert np.allclose(one.outputs, predictor.predict_proba(texts[:1])[0], atol=1e-6)
    assert np.allclose(one.features, predictor.embed(texts[:1])[0], atol=1e-5)
    assert np.isfinite(one.effects).all()


def test_explanations_are_repeatable(image_bundle, images):
    first, second = (explain(Predictor(image_bundle, threads=1), images[:1])[0] for _ in range(2))
    assert np.array_equal(first.effects, second.effects)
    assert first.check == second.check


# --- refusals ---


def test_wrong_questions_are_answered_with_what_to_ask(lexicon):
    with pytest.raises(DataError, match=r"no such class; found 'fine'; expected good, bad"):
        explain(lexicon(), ["the film"], target="fine")
    with pytest.raises(DataError, match="predicts values, not classes"):
        explain(lexicon(TaskKind.REGRESSION), ["the film"], target="good")
    with pytest.raises(DataError, match="expected a list of inputs"):
        explain(lexicon(), "the film")
    with pytest.raises(DecodeError):
        explain(lexicon(), [float("nan")])


def test_a_decoder_that_cannot_hide_is_named(lexicon):
    class Plain:
        def __init__(self, predictor):
            self.decoder, self.task, self.bundle = object(), predictor.task, predictor.bundle

    with pytest.raises(DataError, match="modality text cannot be explained; found object without occlusion"):
        explain(Plain(lexicon()), ["the film"])


def test_explaining_needs_no_training_library(tmp_path):
    folder = write_lexicon_bundle(tmp_path, LEXICON)
    code = (
        "import sys; from autotl.serve.explain import explain; from autotl.serve.predictor import Predictor;"
        "from autotl.serve.explain.rendering import html_of;"
        "html_of(explain(Predictor(sys.argv[1]), ['the film was great'])[0]);"
        "sys.exit(any(n in sys.modules for n in ('torch', 'onnx', 'pandas', 'sklearn', 'matplotlib')))"
    )
    assert subprocess.run([sys.executable, "-c", code, str(folder)], check=False).returncode == 0


# --- arithmetic ---


def test_effects_that_add_up_are_recovered_from_overlapping_groups():
    rng = np.random.default_rng(0)
    true = rng.normal(size=16)
    groups = np.zeros((9, 16), bool)
    for number, (down, across) in enumerate(np.ndindex(3, 3)):
        groups.reshape(9, 4, 4)[number, down : down + 2, across : across + 2] = True
    assert np.allclose(attribute(groups, lambda masks: masks @ true, 25), true, atol=1e-3)


def test_no_more_masks_are_measured_than_allowed_and_the_costly_group_comes_first():
    true = np.zeros(30)
    true[17] = 3.0
    groups = np.equal(np.arange(30)[None, :] // 10, np.arange(3)[:, None])
    asked = []

    def loss(masks):
        asked.append(masks)
        return masks @ true

    found = attribute(groups, loss, 3 + 10)
    assert sum(map(len, asked)) == 13
    assert asked[1][:, 10:20].any(axis=1).all()
    assert found[17] == pytest.approx(3.0, abs=0.01)


def test_words_of_a_group_that_was_not_opened_share_what_it_costs():
    groups = np.equal(np.arange(8)[None, :] // 4, np.arange(2)[:, None])
    true = np.array([1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.0, 0.0])
    found = attribute(groups, lambda masks: masks @ true, 2 + 4)
    assert np.allclose(found[:4], 1.0, atol=0.01)
    assert np.allclose(found[4:], 0.25, atol=0.01)


def test_evidence_stays_finite_and_exact_near_certainty():
    task = Task(TaskKind.MULTICLASS, ("a", "b", "c"), "accuracy")
    outputs = np.array([[1.0, 0.0, 0.0], [0.999998, 1e-6, 1e-6], [0.5, 0.25, 0.25]], np.float32)
    found = evidence(task, outputs, 0, Unit.LOG_ODDS)
    assert np.isfinite(found).all()
    shares = evidence(task, np.array([[1.0, 1e-12, 0.0], [1.0, 3e-12, 0.0]], np.float32), 0, Unit.PROBABILITY)
    assert shares[0] - shares[1] == pytest.approx(2e-12, rel=0.01)
    assert found[1] == pytest.approx(np.log(0.999998 / 2e-6), rel=1e-4)
    assert found[2] == pytest.approx(0.0, abs=1e-6)


def test_the_strongest_pieces_are_as_few_as_hold_the_share():
    effects = np.array([1.0, 5.0, -9.0, 3.0, 1.0])
    assert strongest(effects, 0.5, 5).tolist() == [1]
    assert strongest(effects, 0.8, 5).tolist() == [1, 3]
    assert strongest(effects, 0.9, 2).tolist() == [1, 3]
    assert strongest(-np.abs(effects), 0.5, 5).tolist() == []
    assert strongest(np.zeros(0), 0.5, 5).tolist() == []


# --- showing ---


def test_an_overlay_is_a_small_image_orange_where_it_speaks_for_and_blue_against():
    image = np.full((300, 600, 3), 128, np.uint8)
    heat = np.zeros((300, 600), np.float32)
    heat[:100, :200], heat[-100:, -200:] = 1.0, -1.0
    data = overlay(image, heat)
    with Image.open(io.BytesIO(data)) as opened:
        shown = np.asarray(opened.convert("RGB")).astype(int)
    assert shown.shape == (144, 288, 3)
    red, _, blue = shown[10, 10]
    assert red > blue + 60
    red, _, blue = shown[-10, -10]
    assert blue > red + 60
    assert np.ptp(shown[72, 144]) < 10


def test_even_noise_stays_below_fifteen_kilobytes(redness):
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8)
    (found,) = explain(redness(), [noise])
    assert len(html_of(found)) < 15_500


def test_text_of_others_cannot_become_markup(lexicon):
    (found,) = explain(lexicon(), ["<script>alert('great')</script> great & <b>bad"])
    shown = html_of(found)
    tags = re.findall(r"<(/?\w+)", shown)
    assert set(tags) == {"mark", "/mark"}
    assert "&lt;" in shown
    texts: list[str] = []
    parser = HTMLParser()
    parser.handle_data = texts.append
    parser.feed(shown)
    assert "".join(texts) == "<script>alert('great')</script> great & <b>bad"


def test_marks_have_another_sign_than_colour(lexicon):
    (found,) = explain(lexicon(), ["the film was great but bad"])
    assert re.search(
        r'<mark class="for" style="[^"]*solid[^"]*" title="\+4[^"]*">great</mark>', marked_text(found)
    )
    assert re.search(
        r'<mark class="against" style="[^"]*dotted[^"]*" title="-3[^"]*">bad</mark>', marked_text(found)
    )


def test_a_page_holds_everything_itself(lexicon, redness):
    (text,), (image,) = explain(lexicon(), ["the film was great"]), explain(redness(), [square(4, 6)])
    shown = page("Why <so>?", [card("a.txt", text, []), card("b.png", image, [])])
    assert "<h1>Why &lt;so&gt;?</h1>" in shown
    assert "prefers-color-scheme: dark" in shown
    assert set(re.findall(r'(?:src|href)="(\w+):', shown)) == {"data"}
    assert "<script" not in shown


def test_a_row_of_json_has_pieces_with_their_words(lexicon, redness):
    (text,), (image,) = explain(lexicon(), ["the film was great"]), explain(redness(), [square(4, 6)])
    told = row("a", text, [])
    assert told["label"] == told["explained"] == "good"
    assert [piece["word"] for piece in told["pieces"]] == ["the", "film", "was", "great"]
    assert told["pieces"][3]["effect"] == pytest.approx(4, abs=0.01)
    assert told["check"]["hidden"] == [3]
    told = row("b", image, [])
    assert told["size"] == [140, 210]
    assert set(told["pieces"][0]) == {"top", "left", "bottom", "right", "effect"}


# --- neighbours ---


@pytest.fixture
def examples(lexicon) -> tuple[Predictor, Examples]:
    predictor = lexicon()
    texts = ["the film was great", "bad sound", "a great film"]
    names, parts = np.array(["x:1", "x:2", "x:3"]), np.array(["train", "val", "train"])
    return predictor, Examples.of(predictor.bundle, names, parts, np.array([0, 1, 0]), predictor.embed(texts))


def test_the_nearest_rows_come_first_with_their_labels(examples):
    predictor, known = examples
    (found,) = explain(predictor, ["the sound was bad"])
    first, second = known.nearest(predictor.task, found.features, 2)
    assert (first.name, first.part, first.label) == ("x:2", "val", "bad")
    assert 1 >= first.similarity >= second.similarity > 0
    (same,) = explain(predictor, ["the film was great"])
    assert known.nearest(predictor.task, same.features, 1)[0].similarity == pytest.approx(1, abs=1e-3)


def test_rows_survive_the_disk_but_not_another_model(examples, lexicon, tmp_path):
    predictor, known = examples
    assert Examples.read(tmp_path, predictor.bundle) is None
    np.savez(tmp_path / FILE, **known.arrays())
    read = Examples.read(tmp_path, predictor.bundle)
    assert read.names.tolist() == ["x:1", "x:2", "x:3"]
    assert np.array_equal(read.features, known.features)
    other = lexicon(TaskKind.REGRESSION)
    assert Examples.read(tmp_path, other.bundle) is None


def test_damaged_rows_are_an_error(examples, tmp_path):
    (tmp_path / FILE).write_bytes(b"no archive")
    with pytest.raises(RunError, match=r"cannot read .*examples\.npz"):
        Examples.read(tmp_path, examples[0].bundle)
    np.savez(tmp_path / FILE, **{**examples[1].arrays(), "names": np.array(["x"])})
    with pytest.raises(RunError, match="malformed"):
        Examples.read(tmp_path, examples[0].bundle)


@pytest.mark.parametrize(
    ("kind", "target", "label"),
    [
        (TaskKind.MULTILABEL, [1, 1], "good, bad"),
        (TaskKind.MULTILABEL, [0, 0], "none"),
        (TaskKind.REGRESSION, 2.5, "2.5"),
    ],
)
def test_other_targets_are_put_in_words(examples, kind, target, label):
    known = examples[1]
    task = Task(kind, () if kind is TaskKind.REGRESSION else ("good", "bad"), "")
    rows = Examples(known.names[:1], known.parts[:1], np.array([target]), known.features[:1], known.model)
    assert rows.nearest(task, known.features[0].astype(np.float32), 5)[0].label == label
