"""Augmented pictures and reworded texts are found to be copies; different ones of like things are not."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance

from autotl.audit.copies import joined, picture_copies, text_copies
from autotl.audit.neighbours import directions
from autotl.audit.registration import Pictures, likeness, turns

SIZE, SCENES = 96, 24


def scene(seed: int) -> Image.Image:
    """Shapes of many colours on a gradient: like the others in kind, and in nothing else."""
    rng = np.random.default_rng(seed)
    across, down = np.meshgrid(*[np.linspace(0, 1, SIZE)] * 2)
    ground = np.stack([across * rng.uniform(50, 200) + down * rng.uniform(0, 50)] * 3, axis=2)
    picture = Image.fromarray(ground.astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    for _ in range(12):
        x, y, width, height = rng.integers(0, SIZE, 2).tolist() + rng.integers(8, 36, 2).tolist()
        shape = draw.ellipse if rng.random() < 0.5 else draw.rectangle
        shape((x, y, x + width, y + height), fill=tuple(rng.integers(0, 256, 3).tolist()))
    return picture


def recompressed(picture: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=60)
    return Image.open(buffer).convert("RGB")


def cropped(picture: Image.Image) -> Image.Image:
    edge = int(0.92 * SIZE)
    return picture.crop((3, 5, 3 + edge, 5 + edge)).resize((SIZE, SIZE), Image.Resampling.BICUBIC)


CHANGES = {
    "recompressed": recompressed,
    "mirrored": lambda p: recompressed(p.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
    "upside down": lambda p: p.transpose(Image.Transpose.ROTATE_180),
    "turned": lambda p: p.transpose(Image.Transpose.ROTATE_90),
    "turned by any angle": lambda p: p.rotate(37, Image.Resampling.BILINEAR),
    "relit": lambda p: ImageEnhance.Brightness(p).enhance(0.75),
    "cropped": cropped,
    "mirrored and cropped": lambda p: cropped(p.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
}


def stacked(pictures) -> np.ndarray:
    return np.stack([np.asarray(picture) for picture in pictures])


def features_of(pixels: np.ndarray) -> np.ndarray:
    """Colours of a picture, which no turn changes much: what a network would see in place of it."""
    return directions(np.sort(pixels.reshape(len(pixels), -1, 3)[:, ::7], axis=1).reshape(len(pixels), -1))


@pytest.fixture(scope="module")
def scenes() -> list[Image.Image]:
    return [scene(seed) for seed in range(SCENES)]


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_picture_is_a_copy_of_its_original_and_of_no_other(scenes, change):
    pixels = stacked([*scenes, *map(CHANGES[change], scenes)])
    found = picture_copies(features_of(pixels), pixels, np.arange(len(pixels)))
    right = (found.pairs[:, 1] - found.pairs[:, 0]) == SCENES
    assert right.all()
    assert right.sum() >= 0.9 * SCENES


def test_several_copies_of_one_picture_are_one_group(scenes):
    pixels = stacked([change(picture) for picture in scenes[:6] for change in CHANGES.values()])
    found = picture_copies(features_of(pixels), pixels, np.arange(len(pixels)))
    groups = found.groups.reshape(6, len(CHANGES))
    together = [np.bincount(group).max() for group in groups]
    assert np.mean(together) >= 0.6 * len(CHANGES)
    assert len(np.unique(groups)) >= 6


def test_rows_that_are_known_to_belong_together_are_no_news(scenes):
    pixels = stacked([*scenes, *map(recompressed, scenes)])
    found = picture_copies(features_of(pixels), pixels, np.tile(np.arange(SCENES), 2))
    assert not len(found.pairs)


def test_the_turn_between_two_pictures_is_found(scenes):
    pictures = Pictures.of(stacked([scenes[0], scenes[0].rotate(-60, Image.Resampling.BILINEAR)]))
    rough, angles, mirrored = turns(pictures, np.array([0]), np.array([1]))
    assert rough[0] > 0.9
    assert not mirrored[0]
    assert np.degrees(angles[0]) == pytest.approx(60, abs=8)


def test_pictures_of_one_colour_are_like_nothing():
    pictures = Pictures.of(np.full((2, 32, 32, 3), 90, np.uint8))
    fine, _ = likeness(pictures, np.array([0]), np.array([1]), np.zeros(1), np.zeros(1, bool))
    assert fine[0] == 0


def test_texts_in_other_order_or_with_a_word_less_are_copies():
    texts = [
        "I never got the parcel that I ordered two weeks ago",
        "the parcel that I ordered two weeks ago I never got!",
        "I never got the parcel that I ordered two weeks",
        "The parcel came broken and nobody answers my calls",
        "How do I change the address of my account",
    ]
    vectors = directions(np.array([[1, 0.1, 0], [1, 0, 0.1], [1, 0.1, 0.1], [0.9, 0.5, 0], [0, 1, 5]]))
    found = text_copies(vectors, texts, np.arange(5))
    assert {tuple(pair) for pair in found.pairs.tolist()} >= {(0, 1), (0, 2)}
    assert found.groups[3] not in found.groups[:3]


def test_groups_that_grow_too_large_are_asked_for_more():
    count = 400
    chain = np.stack([np.arange(count - 1), np.arange(1, count)], axis=1)
    strength = np.full(count - 1, 0.94, np.float32)
    strength[:3] = 0.99
    found = joined(chain, strength, 0.93, count)
    assert np.bincount(found.groups).max() == 4


def test_units_grow_by_copies_that_were_found_among_some_rows():
    found = joined(np.array([[0, 1]]), np.array([0.99], np.float32), 0.9, 2)
    units = found.united(np.array([0, 0, 1, 2, 3]), rows=np.array([1, 3]))
    assert units[0] == units[1] == units[3]
    assert len(set(units.tolist())) == 3
