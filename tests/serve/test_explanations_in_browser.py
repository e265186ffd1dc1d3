"""The page of explanations in a browser: no error, readable on a phone and in the dark, for everyone."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe

from autotl.serve.explain import explain
from autotl.serve.explain.neighbours import Neighbour
from autotl.serve.explain.page import card, failure, page
from autotl.serve.predictor import Predictor
from autotl.testing.bundles import write_lexicon_bundle, write_redness_bundle

pytestmark = pytest.mark.slow
LEXICON = {"great": 4.0, "bad": -3.0, "the": 0.0, "film": 0.0, "was": 0.0, "but": 0.0, "sound": 0.0}
TEXT = "The film was great but the sound bad. " + "A_word_that_is_longer_than_a_phone_is_wide" * 3
NEAREST = [Neighbour("train/good/0001_with_a_rather_long_name_of_a_file.txt", "train", "good", 0.987)]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A page of a picture, a text and an input that could not be read."""
    folder = tmp_path_factory.mktemp("explanations")
    picture = np.random.default_rng(0).integers(100, 140, (240, 420, 1)).repeat(3, axis=2).astype(np.uint8)
    picture[20:90, 30:110] = (220, 20, 20)
    (reds,) = explain(Predictor(write_redness_bundle(folder / "reds"), threads=1), [picture])
    (words,) = explain(Predictor(write_lexicon_bundle(folder / "texts", LEXICON), threads=1), [TEXT])
    cards = [card("photos/a.png", reds, NEAREST), card(TEXT, words, NEAREST), failure("b.png", "no image")]
    path = folder / "explanations.html"
    path.write_text(page("Explanations of runs/photos", cards), encoding="utf-8")
    return path


@pytest.fixture
def opened(written, open_file):
    """Opens the page; what it complains of, or asks for, is collected in `page.complaints`."""

    return partial(open_file, written)


def test_pictures_and_words_are_shown_with_what_speaks_for_the_answer(opened):
    shown = opened()
    assert shown.locator("article").count() == 3
    assert shown.locator("article img").evaluate("image => image.naturalWidth") > 1
    great = shown.locator("article", has_text="The film was").get_by_text("great", exact=True).first
    colour = great.evaluate("word => getComputedStyle(word).backgroundColor")
    assert colour not in ("rgba(0, 0, 0, 0)", "transparent")
    assert "no image" in shown.locator("article").last.inner_text()
    assert shown.locator("table").first.inner_text().startswith("nearest training rows")
    assert shown.complaints == []


@pytest.mark.parametrize("width", [360, 1440])
def test_the_page_is_never_wider_than_the_window(opened, width):
    assert opened(width).evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_axe_finds_nothing_that_keeps_people_out(opened, width, scheme):
    found = Axe().run(opened(width, color_scheme=scheme))
    assert found.violations_count == 0, found.generate_report()
