"""Shortcuts to labels are named: marks in pictures, attributes of files, tokens; natural evidence is not."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy.special import ndtri

from autotl.audit.leaks.attributes import attribute_leaks
from autotl.audit.leaks.leak import auc
from autotl.audit.leaks.regions import region_leaks
from autotl.audit.leaks.tokens import token_leaks

ROWS, SIDE = 240, 112


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    """Blocks of random colours (N, 112, 112, 3), three classes that differ in brightness a little."""
    rng = np.random.default_rng(0)
    blocks = rng.integers(20, 180, (ROWS, 14, 14, 3)) + 15 * (np.arange(ROWS) % 3)[:, None, None, None]
    return blocks.repeat(8, axis=1).repeat(8, axis=2).astype(np.uint8)


@pytest.fixture
def indicators() -> np.ndarray:
    return np.arange(ROWS)[:, None] % 3 == np.arange(3)


def corner(picture: np.ndarray) -> None:
    picture[97:107, 96:110] = 240


def writing(picture: np.ndarray) -> None:
    rng = np.random.default_rng(int(picture[0, 0, 0]))
    picture[100:108, 6:44][rng.random((8, 38)) < 0.5] = (250, 150, 20)


def upper_edge(picture: np.ndarray) -> None:
    picture[:1] = 0


def frame(picture: np.ndarray) -> None:
    picture[[0, -1]] = picture[:, [0, -1]] = 255


@pytest.mark.parametrize(
    ("mark", "words"),
    [
        (corner, "the region at the lower right"),
        (writing, "the region at the lower left"),
        (upper_edge, "the outermost pixels at the upper edge"),
        (frame, "the outermost pixels at the edges"),
    ],
)
def test_a_mark_on_one_class_is_named_with_its_place(pictures, indicators, mark, words):
    marked = pictures.copy()
    for row in np.flatnonzero(indicators[:, 1]):
        mark(marked[row])
    leaks = {leak.column: leak for leak in region_leaks(marked, indicators, np.arange(ROWS))}
    leak = leaks[1]
    assert leak.what.startswith(words)
    assert leak.strength > 0.98
    assert "AUC" in leak.measure
    assert set(leak.rows.tolist()) == set(np.flatnonzero(indicators[:, 1]).tolist())


def test_pictures_that_tell_their_class_everywhere_leak_nothing(pictures, indicators):
    assert region_leaks(pictures, indicators, np.arange(ROWS)) == []
    brighter = pictures.copy()
    brighter[indicators[:, 1]] //= 3
    assert region_leaks(brighter, indicators, np.arange(ROWS)) == []


def test_what_is_in_the_middle_and_around_it_is_no_leak(pictures, indicators):
    shown = pictures.copy()
    shown[indicators[:, 1], 30:80, 30:80] //= 4
    assert region_leaks(shown, indicators, np.arange(ROWS)) == []


def test_a_file_format_of_one_class_is_named(indicators):
    rng = np.random.default_rng(0)
    attributes = [
        {"file format": "PNG" if inside else "JPEG", "file size": float(size)}
        for inside, size in zip(indicators[:, 2], rng.integers(1000, 9000, ROWS), strict=True)
    ]
    (leak,) = attribute_leaks(attributes, indicators)
    assert (leak.column, leak.what) == (2, "the file format PNG")


def test_numbers_that_are_larger_in_one_class_are_named(indicators):
    rng = np.random.default_rng(0)
    sizes = rng.normal(100, 10, ROWS) + 90 * indicators[:, 0]
    (leak,) = attribute_leaks([{"file size": float(size)} for size in sizes], indicators)
    assert (leak.column, leak.what) == (0, "a large file size")
    blurred = sizes / 2 + 60 * rng.random(ROWS) - 30
    assert attribute_leaks([{"file size": float(size)} for size in blurred], indicators[:, 1:]) == []


def test_few_rows_must_tell_a_class_the_better_to_be_named():
    told = []
    for rows in (60, 600):
        inside = np.arange(rows) % 3 == 0
        sizes = np.where(inside, 2.85, 0.0) + ndtri((np.arange(rows) // 3 + 0.5) / (rows / 3))
        told.append(attribute_leaks([{"file size": float(size)} for size in sizes], inside[:, None]))
    assert [len(leaks) for leaks in told] == [0, 1]


def texts() -> list[str]:
    rng = np.random.default_rng(0)
    words = [
        "the",
        "a",
        "card",
        "money",
        "bank",
        "parcel",
        "lost",
        "new",
        "account",
        "please",
        "when",
        "how",
        "my",
        "is",
        "it",
        "not",
    ]
    return [" ".join(rng.choice(words, 9)) for _ in range(ROWS)]


def test_boilerplate_of_one_class_is_named(indicators):
    marked = [
        f"{text} Sent by v7" if inside else text
        for text, inside in zip(texts(), indicators[:, 0], strict=True)
    ]
    (leak,) = token_leaks(marked, indicators, ["a", "b", "c"])
    assert leak.column == 0
    assert leak.what == "the text 'sent by v7'"
    assert leak.measure == "in 100% of its rows, and in 0 other rows"


def test_long_texts_take_little_memory():
    rng = np.random.default_rng(0)
    texts = [
        " ".join(map(str, rng.integers(0, 20_000, 3000))) + " sent by v7" * (row % 2) for row in range(60)
    ]
    inside = np.arange(60) % 2 == 1
    tracemalloc.start()
    (leak,) = token_leaks(texts, np.stack([inside, np.zeros(60, bool)], axis=1), ["a", "b"])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert leak.what == "the text 'sent by v7'"
    assert peak < 12 * 2**20, "all runs of up to four tokens take 90 MiB"


def test_words_that_name_a_class_are_no_leak(indicators):
    named = [
        f"{text} passcodes" if inside else text
        for text, inside in zip(texts(), indicators[:, 0], strict=True)
    ]
    assert token_leaks(named, indicators, ["passcode_forgotten", "b", "c"]) == []


def test_words_of_many_rows_of_a_class_but_not_of_all_are_no_leak(indicators):
    some = [f"{text} refund" if inside and i % 5 else text for i, (text, inside) in
            enumerate(zip(texts(), indicators[:, 0], strict=True))]  # fmt: skip
    assert token_leaks(some, indicators, ["a", "b", "c"]) == []


def test_auc_counts_ties_half():
    scores = np.array([[0.0, 1.0], [0.0, 2.0], [0.0, 3.0], [0.0, 3.0]])
    indicators = np.array([[1, 0], [0, 0], [1, 0], [0, 1]])
    np.testing.assert_allclose(auc(scores, indicators), [0.5, 2.5 / 3])
