"""Odd images, each with its exact result or its exact message."""

import contextlib
import io
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, features

from autotl.errors import DecodeError
from autotl.modalities.image import reading
from autotl.modalities.image.reading import count_pixels, read_image

DAMAGED_KINDS = ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", *(["AVIF"] if features.check("avif") else [])]


@pytest.fixture
def photo() -> np.ndarray:
    y, x = np.mgrid[:30, :40]
    return np.stack([x * 6, y * 8, (x + y) * 3], axis=2).astype(np.uint8)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pixels(item: object, **options: object) -> np.ndarray:
    return read_image(item, **options).pixels


def test_path_bytes_image_and_array_give_the_same_pixels(tmp_path: Path, photo: np.ndarray) -> None:
    path = tmp_path / "photo.png"
    Image.fromarray(photo).save(path)
    for item in (path, str(path), path.read_bytes(), bytearray(path.read_bytes()), Image.open(path), photo):
        assert np.array_equal(pixels(item), photo)
        assert pixels(item).dtype == np.uint8


@pytest.mark.parametrize("turn", range(1, 9))
def test_exif_orientation_is_undone(photo: np.ndarray, turn: int) -> None:
    stored = {
        1: photo,
        2: photo[:, ::-1],
        3: photo[::-1, ::-1],
        4: photo[::-1],
        5: photo.swapaxes(0, 1),
        6: np.rot90(photo),
        7: np.rot90(photo, 2).swapaxes(0, 1),
        8: np.rot90(photo, -1),
    }[turn]
    exif = Image.Exif()
    exif[0x0112] = turn
    picture = read_image(encoded(Image.fromarray(np.ascontiguousarray(stored)), "PNG", exif=exif))
    assert np.array_equal(picture.pixels, photo)
    assert (picture.height, picture.width) == (30, 40)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_a_broken_exif_block_is_ignored(photo: np.ndarray) -> None:
    data = encoded(Image.fromarray(photo), "JPEG", quality=95, exif=b"Exif\x00\x00II*\x00garbage")
    assert np.array_equal(pixels(data), pixels(encoded(Image.fromarray(photo), "JPEG", quality=95)))


def test_transparent_pixels_are_blended_over_white(photo: np.ndarray) -> None:
    alpha = np.full((30, 40, 1), 255, np.uint8)
    alpha[:10], alpha[10:20] = 0, 51
    result = pixels(np.concatenate([photo, alpha], axis=2))
    assert (result[:10] == 255).all()
    assert np.array_equal(result[10:20], np.rint(photo[10:20] * 0.2 + 255 * 0.8).astype(np.uint8))
    assert np.array_equal(result[20:], photo[20:])
    file = encoded(Image.fromarray(np.concatenate([photo, alpha], axis=2)), "PNG")
    assert np.array_equal(pixels(file), result)


def test_grey_with_alpha_is_blended_over_white() -> None:
    image = np.array([[[100, 255], [100, 0]]], np.uint8)
    assert pixels(image).tolist() == [[[100] * 3, [255] * 3]]


def test_a_transparent_palette_entry_becomes_white() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    assert pixels(encoded(image, "PNG")).tolist() == [[[10, 20, 30], [200, 100, 50]]]
    assert pixels(encoded(image, "PNG", transparency=1)).tolist() == [[[10, 20, 30], [255, 255, 255]]]


def test_cmyk_is_converted() -> None:
    ink = Image.new("CMYK", (4, 4), (0, 255, 255, 0))
    assert pixels(encoded(ink, "TIFF"))[0, 0].tolist() == [255, 0, 0]
    red, green, blue = pixels(encoded(ink, "JPEG", quality=100))[0, 0].astype(int)
    assert red > 250
    assert green < 5
    assert blue < 5


def test_sixteen_bit_values_are_divided_by_257() -> None:
    values = np.array([[0, 128, 129, 257, 32768, 65535]], np.uint16)
    wanted = [0, 0, 1, 1, 128, 255]
    image = Image.fromarray(values)
    big_endian = Image.frombytes("I;16B", image.size, values.astype(">u2").tobytes())
    for item in (values, values.astype(">u2"), encoded(image, "PNG"), encoded(image, "TIFF"), big_endian):
        assert pixels(item)[0].tolist() == [[value] * 3 for value in wanted]


@pytest.mark.parametrize(
    ("array", "wanted"),
    [
        (np.array([[True, False]]), [255, 0]),
        (np.array([[0.0, 0.5, 1.0]]), [0, 128, 255]),
        (np.array([[[7], [9]]], np.uint8), [7, 9]),
    ],
)
def test_other_arrays_are_scaled_to_bytes(array: np.ndarray, wanted: list[int]) -> None:
    assert pixels(array)[0].tolist() == [[value] * 3 for value in wanted]


def test_one_bit_grey_and_colour_modes_become_rgb() -> None:
    assert pixels(Image.new("1", (2, 2), 1)).tolist() == [[[255] * 3] * 2] * 2
    assert pixels(Image.new("L", (1, 1), 77)).tolist() == [[[77] * 3]]
    assert pixels(Image.new("F", (1, 1), 0.2)).tolist() == [[[51] * 3]]
    assert pixels(Image.new("I", (1, 1), 257)).tolist() == [[[1] * 3]]
    assert pixels(Image.new("RGB", (1, 1), (1, 2, 3)).convert("HSV")).shape == (1, 1, 3)


def test_the_first_frame_of_an_animation_counts() -> None:
    frames = [Image.new("RGB", (5, 4), colour) for colour in ("red", "lime", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert np.array_equal(pixels(data), np.tile(np.array([255, 0, 0], np.uint8), (4, 5, 1)))


def test_a_truncated_jpeg_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cut.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    data = encoded(Image.fromarray(noise), "JPEG")
    path.write_bytes(data[: len(data) * 3 // 4])
    with pytest.raises(DecodeError, match=r"^cannot decode the image .*cut\.jpg; found .*truncated"):
        read_image(path)


@pytest.mark.parametrize("content", [b"", b"no image at all", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0"])
def test_files_that_are_no_images_are_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "fake.png"
    path.write_bytes(content)
    with pytest.raises(
        DecodeError, match=r"cannot decode the image .*fake\.png; found .+; expected a complete"
    ):
        read_image(path)


@pytest.mark.skipif(not features.check("avif"), reason="this build of Pillow writes no AVIF")
def test_a_damaged_avif_is_named(photo: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "photo.avif"
    whole = encoded(Image.fromarray(photo), "AVIF")
    path.write_bytes(whole[:-40] + bytes(40))
    with pytest.raises(DecodeError, match=r"cannot decode the image .*photo\.avif; found "):
        read_image(path)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(DecodeError, match=r"gone\.png; found .*No such file"):
        read_image(tmp_path / "gone.png")
    with pytest.raises(DecodeError, match="Is a directory"):
        read_image(tmp_path)


def test_things_that_are_no_images_are_refused() -> None:
    with pytest.raises(DecodeError, match="cannot decode an image of type NoneType; expected a path, bytes"):
        read_image(None)
    with pytest.raises(DecodeError, match=r"array of shape \(3, 40, 40\) .*; expected shape .*transpose"):
        read_image(np.zeros((3, 40, 40), np.uint8))
    with pytest.raises(DecodeError, match="no empty axis"):
        read_image(np.zeros((0, 4, 3), np.uint8))
    with pytest.raises(DecodeError, match=r"found float64 values from -1\.0 to 2\.0; expected uint8"):
        read_image(np.array([[-1.0, 2.0]]))
    with pytest.raises(DecodeError, match="found float64 values from nan to nan"):
        read_image(np.full((2, 2), np.nan))


def test_a_decompression_bomb_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(Image.new("1", (4000, 3000)), "PNG")
    monkeypatch.setattr(reading, "MAX_PIXELS", 10_000_000)
    with pytest.raises(
        DecodeError, match="too large to decode; found 12000000 pixels; expected at most 10,000,000"
    ):
        read_image(data)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000_000)
    with pytest.raises(DecodeError, match="too large to decode; found 12000000 pixels"):
        read_image(data)


def test_pillows_own_warning_turned_into_an_error_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DecodeError, match="too large to decode; found 1500 pixels"):
            read_image(encoded(Image.new("1", (50, 30)), "PNG"))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 500), st.integers(1, 500), st.integers(8, 80), st.sampled_from(["squash", "crop"]))
def test_a_draft_never_shrinks_below_its_edge(height: int, width: int, draft: int, fit: str) -> None:
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    for item in (image, encoded(Image.fromarray(image), "JPEG", quality=50)):
        picture = read_image(item, draft=draft, fit=fit)
        assert (picture.height, picture.width) == (height, width)
        shown = picture.pixels.shape[:2]
        if fit == "squash":
            for before, after in zip((height, width), shown, strict=True):
                assert min(before, draft) <= after < 2 * draft or after == before
        else:
            assert min(shown) >= min(draft, height, width)


def test_a_large_jpeg_is_drafted_to_a_bounded_size() -> None:
    large = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)).resize(
        (3000, 2000)
    )
    small = pixels(encoded(large, "JPEG"), draft=448)
    assert small.shape == (500, 750, 3)
    exact = np.asarray(large.resize((750, 500), Image.Resampling.BOX)).astype(int)
    assert np.abs(small.astype(int) - exact).mean() < 2


def test_long_thin_images_are_read(tmp_path: Path) -> None:
    for shape in ((1, 8000), (8000, 1)):
        path = tmp_path / "line.png"
        Image.fromarray(np.zeros((*shape, 3), np.uint8)).save(path)
        assert pixels(path).shape == (*shape, 3)
        assert max(pixels(path, draft=448).shape) <= 896


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(DAMAGED_KINDS), st.data())
def test_damaged_files_decode_or_raise_a_decode_error(kind: str, data: st.DataObject) -> None:
    image = Image.fromarray(np.arange(20 * 20 * 3, dtype=np.uint8).reshape(20, 20, 3))
    damaged = bytearray(encoded(image, kind))
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.suppress(DecodeError):
            assert pixels(bytes(damaged)).shape[2] == 3


def test_threads_read_the_same_pixels(photo: np.ndarray) -> None:
    data = encoded(Image.fromarray(photo), "JPEG")
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(pixels, [data] * 32))
    assert all(np.array_equal(result, results[0]) for result in results)


@pytest.mark.parametrize("kind", ["ICO", "PCX", "EPS", "PDF"])
def test_formats_that_are_not_listed_stay_closed(photo: np.ndarray, kind: str, tmp_path: Path) -> None:
    data = encoded(Image.fromarray(photo), kind)
    path = tmp_path / "photo.png"
    path.write_bytes(data)
    for item in (data, path):
        with pytest.raises(DecodeError, match="found no known image format"):
            read_image(item)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM", "JPEG2000", "TGA"])
def test_pixels_are_counted_from_the_head(photo: np.ndarray, kind: str) -> None:
    image = Image.fromarray(photo)
    assert count_pixels(encoded(image, kind)) == read_image(encoded(image, kind)).pixels[..., 0].size == 1200
    assert count_pixels(photo) == count_pixels(image) == 1200
