"""The image modality: contract, preprocessing, pixel graph, keys, description, augmentation."""

import io
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from autotl.errors import DataError, DecodeError, SpaceError
from autotl.modalities.image import MODALITY
from autotl.modalities.registry import modality as modality_named
from autotl.testing.data import make_images, write_image_folder
from autotl.testing.modality_contract import ModalityContract

DATA = Path(__file__).parents[3] / "shared" / "data"


def picture(seed: int, size: tuple[int, int] = (120, 90)) -> np.ndarray:
    """A random picture with shapes of all sizes, as photos have, (height, width, 3)."""
    generator = np.random.default_rng(seed)
    layers = [generator.integers(0, 256, (edge, edge, 3), np.uint8) for edge in (4, 8, 16, 32)]
    scaled = [Image.fromarray(layer).resize(size[::-1], Image.Resampling.BICUBIC) for layer in layers]
    return np.mean([np.asarray(layer) for layer in scaled], axis=0).astype(np.uint8)


def jpeg(image: np.ndarray, quality: int = 60) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def session(spec: Any) -> onnxruntime.InferenceSession:
    graph = MODALITY.graph(spec)
    return onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])


class TestImageModality(ModalityContract):
    @pytest.fixture
    def modality(self) -> Any:
        return MODALITY

    @pytest.fixture
    def items(self) -> list[Any]:
        return [*(picture(seed) for seed in range(4)), picture(9, (50, 70))]

    @pytest.fixture
    def alike(self, items: list[Any]) -> tuple[Any, Any]:
        return items[0], jpeg(items[0])

    @pytest.fixture
    def empty_item(self) -> Any:
        return np.full((20, 20, 3), 130, np.uint8)

    @pytest.fixture
    def bad_item(self) -> Any:
        return b"<script>not an image</script>"

    @pytest.fixture
    def requirements(self) -> dict[str, Any]:
        return {"size": 32, "filter": "cubic", "crop_share": 0.875}


def test_it_is_found_by_the_registry() -> None:
    assert modality_named("image") is MODALITY


def test_preprocessing_follows_the_network_and_the_trial() -> None:
    needs = {"size": 224, "filter": "bicubic", "crop_share": 0.875, "mean": [0.5] * 3}
    assert dict(MODALITY.preprocessing(needs, {}, {}).options) == {
        "size": 224,
        "fit": "squash",
        "crop_share": 1.0,
        "filter": "cubic",
        "draft": 448,
    }
    cropped = MODALITY.preprocessing(needs, {}, {"input_size": 128, "fit": "crop"}).options
    assert (cropped["size"], cropped["crop_share"], cropped["draft"]) == (128, 0.875, 293)
    assert (
        MODALITY.preprocessing({**needs, "fixed_size": True}, {}, {"input_size": 64}).options["size"] == 224
    )
    assert MODALITY.preprocessing({"filter": "bilinear"}, {}, {}).options["filter"] == "linear"


def test_impossible_preprocessing_is_refused() -> None:
    with pytest.raises(SpaceError, match="unknown image preprocessing; found fit 'stretch'"):
        MODALITY.preprocessing({}, {}, {"fit": "stretch"})
    with pytest.raises(SpaceError, match="impossible image size; found size -3"):
        MODALITY.preprocessing({}, {}, {"input_size": -3})


def test_images_of_two_sizes_do_not_stack() -> None:
    decoder = MODALITY.decoder(MODALITY.preprocessing({}, {}, {}))
    examples = [decoder.decode(picture(0)), decoder.decode(picture(1, (50, 70)))]
    assert [decoder.length(example) for example in examples] == [(120, 90), (50, 70)]
    with pytest.raises(DataError, match=r"found shapes \(50, 70, 3\) and \(120, 90, 3\)"):
        decoder.collate(examples)
    with pytest.raises(DataError, match="found no image"):
        decoder.collate([])


@pytest.mark.parametrize("name", ["cubic", "linear"])
def test_the_graph_resizes_as_pillow_does(name: str) -> None:
    run = session(MODALITY.preprocessing({"size": 40, "filter": name}, {}, {}))
    method = {"cubic": Image.Resampling.BICUBIC, "linear": Image.Resampling.BILINEAR}[name]
    for size in ((120, 90), (20, 25), (40, 40), (1, 70)):
        image = picture(3, size)
        ours = run.run(None, {"image": image[None]})[0][0].astype(int)
        pillow = np.asarray(Image.fromarray(image).resize((40, 40), method)).astype(int)
        assert np.abs(ours - pillow).max() <= 3
        assert np.abs(ours - pillow).mean() < 0.5


def test_the_graph_leaves_an_image_of_its_size_alone() -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    run = session(MODALITY.preprocessing({"size": 32}, {}, {}))
    assert np.array_equal(run.run(None, {"image": image[None]})[0][0], image)


def test_a_sharp_edge_neither_wraps_around_nor_overflows() -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, 32:] = 255
    result = session(MODALITY.preprocessing({"size": 48}, {}, {})).run(None, {"image": image[None]})[0][0]
    assert (result[:, :20] < 30).all()
    assert (result[:, -20:] > 225).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.sampled_from([0.5, 0.875, 1.0]))
def test_the_crop_is_the_centred_square(height: int, width: int, share: float) -> None:
    side = max(1, int(np.round(np.float32(min(height, width)) * np.float32(share))))
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    top, left = (height - side) // 2, (width - side) // 2
    spec = MODALITY.preprocessing({"size": side, "crop_share": share}, {}, {"fit": "crop"})
    result = session(spec).run(None, {"image": image[None]})[0][0]
    assert np.array_equal(result, image[top : top + side, left : left + side])


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 5), st.sampled_from(["squash", "crop"]))
def test_any_size_and_batch_agree_with_batch_one(height: int, width: int, batch: int, fit: str) -> None:
    images = np.random.default_rng(1).integers(0, 256, (batch, height, width, 3), np.uint8)
    run = session(MODALITY.preprocessing({"size": 24}, {}, {"fit": fit}))
    together = run.run(None, {"image": images})[0]
    assert together.shape == (batch, 24, 24, 3)
    assert together.dtype == np.uint8
    for row, image in enumerate(images):
        assert np.array_equal(run.run(None, {"image": image[None]})[0][0], together[row])


@pytest.mark.parametrize("shape", [(1, 8000), (8000, 1), (8000, 40), (1, 1)])
@pytest.mark.parametrize("fit", ["squash", "crop"])
def test_extreme_shapes_go_through(shape: tuple[int, int], fit: str) -> None:
    spec = MODALITY.preprocessing({"size": 224}, {}, {"fit": fit})
    decoder = MODALITY.decoder(spec)
    example = decoder.decode(np.full((*shape, 3), 200, np.uint8))
    result = session(spec).run(None, decoder.collate([example]))[0]
    assert result.shape == (1, 224, 224, 3)
    assert (result == 200).all()


def test_drafting_a_large_jpeg_saves_time_and_changes_little() -> None:
    data = jpeg(picture(5, (2400, 3200)), quality=90)
    spec = MODALITY.preprocessing({"size": 224}, {}, {})
    exact = MODALITY.decoder(type(spec)(spec.modality, {**spec.options, "draft": None}))
    fast = MODALITY.decoder(spec)
    seconds = []
    for decoder in (fast, exact):
        started = time.perf_counter()
        decoder.decode(data)
        seconds.append(time.perf_counter() - started)
    run = session(spec)
    small, full = (run.run(None, d.collate([d.decode(data)]))[0].astype(int) for d in (fast, exact))
    assert np.abs(small - full).mean() < 2
    assert seconds[0] < seconds[1] / 1.5


def test_a_near_key_survives_recompression_and_resizing_of_real_photos() -> None:
    files = sorted((DATA / "trashnet256").rglob("*.jpg"))[::80]
    if not files:
        pytest.skip("no trashnet256 beside the repository")
    keys = [MODALITY.near_key(file) for file in files]
    for file, key in zip(files, keys, strict=True):
        with Image.open(file) as image:
            array = np.asarray(image.convert("RGB"))
        half = np.asarray(Image.fromarray(array).resize((array.shape[1] * 2 // 3, array.shape[0] * 2 // 3)))
        for copy in (jpeg(array, 60), half, jpeg(half, 80)):
            assert np.bitwise_count(MODALITY.near_key(copy) ^ key).sum() <= MODALITY.near_bits()
    gaps = [np.bitwise_count(a ^ b).sum() for i, a in enumerate(keys) for b in keys[:i]]
    assert np.mean(np.array(gaps) <= MODALITY.near_bits()) < 0.01


@pytest.mark.parametrize("turn", tuple(Image.Transpose))
def test_keys_of_mirrored_and_turned_photos_follow_from_their_own(turn: Image.Transpose) -> None:
    files = sorted((DATA / "trashnet256").rglob("*.jpg"))[::80]
    if not files:
        pytest.skip("no trashnet256 beside the repository")
    keys = np.stack([MODALITY.near_key(file) for file in files])
    images = [Image.open(file).convert("RGB").transpose(turn) for file in files]
    turned = np.stack([MODALITY.near_key(jpeg(np.asarray(image), 80)) for image in images])
    found = MODALITY.turned_keys(keys)
    assert found.shape == (len(Image.Transpose), *keys.shape)
    near = np.bitwise_count(found ^ turned[None]).sum(axis=2) <= MODALITY.near_bits()
    assert near.any(axis=0).mean() > 0.9
    others = np.bitwise_count(found ^ np.roll(turned, 1, axis=0)[None]).sum(axis=2)
    assert (others <= MODALITY.near_bits()).mean() < 0.01


def test_attributes_are_read_from_the_head_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(picture(0)[:, :, 0]).save(path)
    assert MODALITY.attributes(path) == {
        "file format": "PNG",
        "colour mode": "L",
        "width in pixels": 90.0,
        "height in pixels": 120.0,
        "file size": float(path.stat().st_size),
    }
    assert MODALITY.attributes(path.read_bytes()) == MODALITY.attributes(path)
    assert MODALITY.attributes(picture(0)) == {"width in pixels": 90.0, "height in pixels": 120.0}
    path.write_bytes(b"no image")
    with pytest.raises(DecodeError):
        MODALITY.attributes(path)


def test_fingerprints_look_at_pixels_not_at_files(tmp_path: Path) -> None:
    image = picture(0)
    Image.fromarray(image).save(tmp_path / "a.png")
    Image.fromarray(image).save(tmp_path / "b.bmp")
    prints = {MODALITY.fingerprint(item) for item in (tmp_path / "a.png", tmp_path / "b.bmp", image)}
    assert len(prints) == 1
    assert MODALITY.fingerprint(image.swapaxes(0, 1)) not in prints
    assert MODALITY.fingerprint(image.reshape(60, 180, 3)) not in prints


def test_a_description_counts_what_is_there(tmp_path: Path) -> None:
    grey = np.repeat(picture(0)[:, :, :1], 3, axis=2)
    facts = MODALITY.describe([grey, picture(1), picture(2, (60, 60)), b"broken"])
    assert (facts["sampled"], facts["unreadable"]) == (4, 1)
    assert facts["height"] == {"min": 60, "median": 120, "max": 120}
    assert facts["aspect"]["max"] == 1
    assert facts["grey_share"] == pytest.approx(1 / 3)
    assert facts["formats"] == {"array": 1.0}
    assert not facts["one_size"]
    root = write_image_folder(tmp_path, classes=2, rows_per_class=2, size=20)
    facts = MODALITY.describe(sorted(root.rglob("*.png")))
    assert facts["formats"] == {"PNG": 1.0}
    assert facts["one_size"]


def test_brightness_and_channels_are_shares_of_white() -> None:
    facts = MODALITY.describe([np.full((8, 8, 3), (255, 0, 51), np.uint8)])
    assert facts["mean"] == pytest.approx([1, 0, 0.2])
    assert facts["std"] == pytest.approx([0, 0, 0], abs=1e-3)
    assert facts["brightness"] == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("values", "score"),
    [
        (["a/b.jpg", "C.PNG", Path("d.webp")], 1.0),
        (["a.jpg", None, float("nan")], 1.0),
        (["a.jpg", "a text"], 0.5),
        (["a text about b.jpg files", "b.csv"], 0.0),
        ([b"\x89PNG\r\n", np.zeros((4, 4), np.uint8), Image.new("L", (2, 2))], 1.0),
        ([np.zeros(4), 3, b"text"], 0.0),
    ],
)
def test_sniffing_knows_images_and_their_paths(values: list[Any], score: float) -> None:
    assert MODALITY.sniff(values) == score


@pytest.mark.parametrize("strength", ["light", "strong"])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_augmentation_changes_images_one_by_one_within_range(strength: str, dtype: torch.dtype) -> None:
    pixels = torch.from_numpy(np.stack([picture(1, (32, 32))] * 8)).to(dtype)
    changed = MODALITY.augment({"pixels": pixels}, strength, torch.Generator().manual_seed(0))["pixels"]
    assert changed.dtype == dtype
    assert changed.is_contiguous()
    assert changed.float().min() >= 0
    assert changed.float().max() <= 255
    assert len({tuple(row.flatten().tolist()) for row in changed}) == 8
    other = MODALITY.augment({"pixels": pixels}, strength, torch.Generator().manual_seed(1))["pixels"]
    assert not torch.equal(changed, other)


def test_light_augmentation_flips_half_and_keeps_the_picture() -> None:
    pixels = torch.zeros(200, 32, 32, 3, dtype=torch.uint8)
    pixels[:, :, 16:] = 250
    changed = MODALITY.augment({"pixels": pixels}, "light", torch.Generator().manual_seed(0))[
        "pixels"
    ].float()
    flipped = changed[:, :, :6].mean(dim=(1, 2, 3)) > changed[:, :, -6:].mean(dim=(1, 2, 3))
    assert 70 < int(flipped.sum()) < 130
    assert 100 < changed.mean() < 150


def test_strong_augmentation_leaves_one_colour_nearly_one_colour() -> None:
    pixels = torch.full((16, 24, 24, 3), 120, dtype=torch.uint8)
    changed = MODALITY.augment({"pixels": pixels}, "strong", torch.Generator().manual_seed(0))["pixels"].int()
    assert (changed.amax(dim=(1, 2, 3)) - changed.amin(dim=(1, 2, 3)) <= 1).all()


def test_other_entries_of_a_batch_pass_and_an_empty_batch_too() -> None:
    batch = {"pixels": torch.zeros(0, 8, 8, 3, dtype=torch.uint8), "row": torch.arange(3)}
    changed = MODALITY.augment(batch, "strong", torch.Generator())
    assert changed["row"] is batch["row"]
    assert changed["pixels"].shape == (0, 8, 8, 3)


def test_a_preview_holds_a_small_jpeg() -> None:
    shown = MODALITY.preview(picture(0, (400, 200)))
    assert shown.startswith('<img alt="" width="32" height="64" src="data:image/jpeg;base64,')
    assert "cannot decode" in MODALITY.preview(b"nothing")


def test_synthetic_images_can_be_told_apart() -> None:
    images, names = make_images(30, classes=3, size=32)
    waves = np.stack([np.abs(np.fft.fft2(image.mean(axis=2)))[1:].ravel() for image in images])
    centres = {name: waves[[n == name for n in names]].mean(axis=0) for name in set(names)}
    nearest = [min(centres, key=lambda name: np.abs(centres[name] - wave).sum()) for wave in waves]
    assert np.mean([a == b for a, b in zip(nearest, names, strict=True)]) > 0.9
