"""Pictures that were made from a few originals are told from others, and grouped by their pixels alone."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from autotl.audit.augmented import augmented_copies, looks_augmented, spread_of
from autotl.audit.copies import joined

SIZE = 96


def original(seed: int) -> Image.Image:
    """Blots of colour, larger than what is looked at, so that a turn brings no corners into sight."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (14, 14, 3), np.uint8))
    return coarse.resize((3 * SIZE // 2,) * 2, Image.Resampling.BICUBIC)


def middle(picture: Image.Image, edge: int = SIZE) -> Image.Image:
    start = (picture.width - edge) // 2
    return picture.crop((start, start, start + edge, start + edge)).resize((SIZE, SIZE))


def augmented(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Mirrored or not, turned by any angle, up to a tenth cropped, darker or lighter by a fifth."""
    if rng.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    turned = middle(picture.rotate(rng.uniform(0, 360), Image.Resampling.BICUBIC), int(rng.integers(87, 97)))
    return ImageEnhance.Brightness(turned).enhance(rng.uniform(0.8, 1.2))


def pictures(originals: int, copies: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures and the number of the original of each."""
    rng = np.random.default_rng(0)
    made = [augmented(original(seed), rng) for seed in range(originals) for _ in range(copies)]
    return np.stack([np.asarray(one) for one in made]), np.repeat(np.arange(originals), copies)


def test_copies_of_one_original_become_one_group_and_those_of_others_stay_apart():
    pixels, origins = pictures(12, 8)
    found = augmented_copies(pixels, np.arange(len(pixels)))
    assert (origins[found.pairs[:, 0]] == origins[found.pairs[:, 1]]).all()
    together = [np.bincount(found.groups[origins == number]).max() for number in range(12)]
    assert sum(together) >= 0.95 * len(pixels)


def test_many_copies_of_few_originals_are_no_chain():
    pixels, origins = pictures(2, 70)  # more than fifty a group, and half of all rows
    found = augmented_copies(pixels, np.arange(len(pixels)))
    assert [np.bincount(found.groups[origins == number]).max() for number in range(2)] >= [67, 67]
    assert not set(found.groups[:70]) & set(found.groups[70:])


def test_rows_that_are_known_to_be_copies_are_no_news():
    pixels, origins = pictures(6, 4)
    assert not len(augmented_copies(pixels, origins).pairs)


def test_a_sample_tells_whether_pictures_were_augmented():
    pixels, origins = pictures(10, 4)
    assert looks_augmented(pixels, origins % 2)
    assert looks_augmented(pixels, (origins[:, None] + np.arange(3)) % 2)
    assert not looks_augmented(pictures(60, 1)[0], np.zeros(60, int))
    assert not looks_augmented(pictures(1, 1)[0], np.zeros(1, int))


def test_pictures_that_are_alike_whatever_their_target_were_not_augmented():
    pixels, _ = pictures(10, 4)
    assert not looks_augmented(pixels, np.random.default_rng(0).integers(0, 4, len(pixels)))


def test_how_colours_are_spread_stays_when_a_picture_is_turned_mirrored_or_relit():
    plain = middle(original(0))
    changed = [plain.rotate(90), plain.transpose(Image.Transpose.FLIP_TOP_BOTTOM)]
    spread = spread_of(np.stack([np.asarray(one) for one in (plain, *changed, middle(original(1)))]))
    assert np.abs(spread[1:3] - spread[0]).max() < 0.01
    assert np.abs(spread[3] - spread[0]).max() > 0.1
    dark = spread_of(np.asarray(ImageEnhance.Brightness(plain).enhance(0.6))[None])
    assert np.abs(dark[0] - spread[0]).max() < 0.05


@pytest.mark.parametrize(("alike", "whole"), [(1.0, True), (0.0, False)])
def test_a_large_group_stays_whole_where_rows_taken_from_it_at_random_are_alike(alike, whole):
    chain = np.stack([np.arange(399), np.arange(1, 400)], axis=1)
    strength = np.linspace(0.94, 0.99, 399).astype(np.float32)
    found = joined(chain, strength, 0.93, 400, lambda pairs: np.full(len(pairs), alike))
    assert (np.bincount(found.groups).max() == 400) == whole
