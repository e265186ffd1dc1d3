"""Small synthetic data sets on disk that a network can learn: class folders of images, tables of texts."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

#: Subjects whose words tell classes of synthetic texts apart.
_SUBJECTS = (
    ("weather", "rain sun cloud storm wind snow fog thunder frost breeze"),
    ("cooking", "soup bread oven salt pepper onion butter recipe knife flour"),
    ("football", "goal match team referee striker league pass keeper corner season"),
    ("banking", "card account transfer balance loan payment deposit fee currency cash"),
    ("garden", "rose tree soil seed leaf spade hedge flower root lawn"),
    ("music", "song guitar piano drum melody concert chord singer band violin"),
)
_FILLERS = ("the", "a", "my", "this", "about", "with", "and", "very", "some", "please", "today", "really")


def class_names(classes: int) -> list[str]:
    """Names of synthetic classes: "class_0", "class_1", ..."""
    return [f"class_{number}" for number in range(classes)]


def make_images(
    rows: int, *, classes: int = 3, size: int = 48, seed: int = 0
) -> tuple[list[NDArray[np.uint8]], list[str]]:
    """Images of stripes, a direction and a colour a class, on noise; with their class names.

    Returns:
        `rows` images (size, size, 3) uint8, classes in turn, and as many names.
    """
    generator = np.random.default_rng(seed)
    names = class_names(classes)
    labels = [row % classes for row in range(rows)]
    return [_stripes(label, classes, size, generator) for label in labels], [names[label] for label in labels]


def write_image_folder(
    root: Path,
    *,
    classes: int = 3,
    rows_per_class: int = 12,
    size: int = 48,
    parts: Sequence[str] = (),
    seed: int = 0,
) -> Path:
    """Write class folders of PNG files, below part folders ("train", "test") where `parts` are given.

    Returns:
        `root`.
    """
    for offset, part in enumerate(parts or ("",)):
        images, names = make_images(rows_per_class * classes, classes=classes, size=size, seed=seed + offset)
        for number, (image, name) in enumerate(zip(images, names, strict=True)):
            folder = root / part / name
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(folder / f"{number:04d}.png")
    return root


def make_texts(rows: int, *, classes: int = 3, seed: int = 0) -> tuple[list[str], list[str]]:
    """Short English texts, a subject a class (at most 6), with the names of the subjects.

    Raises:
        ValueError: More classes than subjects.
    """
    if classes > len(_SUBJECTS):
        raise ValueError(f"classes <= {len(_SUBJECTS)} must hold, but got classes={classes}")
    generator = np.random.default_rng(seed)
    labels = [row % classes for row in range(rows)]
    texts = [_sentence(_SUBJECTS[label][1].split(), generator) for label in labels]
    return texts, [_SUBJECTS[label][0] for label in labels]


def odd_images(folder: Path, *, seed: int = 0) -> list[Path]:
    """Images as cameras, scanners and web pages leave them, which many decoders get wrong.

    Grey, grey with alpha, transparent, palettes with a transparent entry, CMYK, 16 bits, turned by EXIF, an
    animation, one pixel high, one pixel wide, and 8,000 pixels wide.

    Returns:
        Their paths.
    """
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)

    def noise(height: int, width: int, *channels: int) -> NDArray[np.uint8]:
        patches = generator.integers(0, 256, (6, 8, *channels), np.uint8)
        return patches.repeat(-(-height // 6), 0).repeat(-(-width // 8), 1)[:height, :width]

    colour = Image.fromarray(noise(90, 120, 3))
    turned = Image.Exif()
    turned[0x0112] = 6
    palette = colour.quantize(16)
    found: dict[str, tuple[Image.Image, dict[str, Any]]] = {
        "grey.png": (Image.fromarray(noise(90, 120)), {}),
        "grey.jpg": (Image.fromarray(noise(90, 120)), {"quality": 90}),
        "grey_alpha.png": (Image.fromarray(noise(90, 120, 2), "LA"), {}),
        "alpha.png": (Image.fromarray(noise(90, 120, 4), "RGBA"), {}),
        "palette.png": (palette, {"transparency": 3}),
        "palette.gif": (palette, {}),
        "cmyk.jpg": (colour.convert("CMYK"), {"quality": 90}),
        "sixteen.png": (Image.fromarray(noise(90, 120).astype(np.uint16) * 257), {}),
        "bits.png": (colour.convert("1"), {}),
        "turned.jpg": (colour, {"exif": turned, "quality": 90}),
        "animation.gif": (colour, {"save_all": True, "append_images": [colour.rotate(90)]}),
        "high.png": (Image.fromarray(noise(300, 1, 3)), {}),
        "wide.png": (Image.fromarray(noise(1, 300, 3)), {}),
        "panorama.jpg": (Image.fromarray(noise(60, 8000, 3)), {"quality": 90}),
        "web.webp": (colour, {"lossless": True}),
    }
    for name, (image, options) in found.items():
        image.save(folder / name, **options)
    return [folder / name for name in found]


def write_text_table(
    path: Path, *, kind: str = "multiclass", classes: int = 3, rows: int = 60, seed: int = 0
) -> Path:
    """Write a CSV file of texts.

    Args:
        path: The file.
        kind: "multiclass" (columns text, label), "multilabel" (text, labels separated by commas),
            "regression" (text, score: the share of words on the first subject) or "pair" (text_a, text_b,
            label: same subject or not).
        classes: Subjects.
        rows: Rows.
        seed: Of the random words.

    Returns:
        `path`.

    Raises:
        ValueError: Unknown kind, or too many classes.
    """
    texts, names = make_texts(rows, classes=classes, seed=seed)
    others, other_names = make_texts(rows, classes=classes, seed=seed + 1)
    shift = [(row + row // classes % 2) % rows for row in range(rows)]
    table: list[dict[str, Any]]
    if kind == "multiclass":
        table = [{"text": text, "label": name} for text, name in zip(texts, names, strict=True)]
    elif kind == "multilabel":
        table = [
            {"text": f"{texts[i]}. {others[j]}", "labels": ",".join(sorted({names[i], other_names[j]}))}
            for i, j in enumerate(shift)
        ]
    elif kind == "regression":
        first = set(_SUBJECTS[0][1].split())
        joined = [f"{texts[i]} {others[j]}" for i, j in enumerate(shift)]
        table = [{"text": text, "score": _share(text.split(), first)} for text in joined]
    elif kind == "pair":
        table = [
            {
                "text_a": texts[i],
                "text_b": others[j],
                "label": "same" if names[i] == other_names[j] else "different",
            }
            for i, j in enumerate(shift)
        ]
    else:
        raise ValueError(f"kind must be multiclass, multilabel, regression or pair, but got {kind!r}")
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    return path


def _stripes(label: int, classes: int, size: int, generator: np.random.Generator) -> NDArray[np.uint8]:
    angle = np.pi * label / classes
    y, x = np.mgrid[:size, :size] / size
    phase = generator.uniform(0, 2 * np.pi)
    wave = np.sin(2 * np.pi * 5 * (x * np.cos(angle) + y * np.sin(angle)) + phase) * 0.5 + 0.5
    colour = np.array([np.cos(angle) ** 2, np.sin(angle) ** 2, 0.5])
    image = 40 + 160 * wave[:, :, None] * colour + generator.normal(0, 12, (size, size, 3))
    pixels: NDArray[np.uint8] = np.clip(image, 0, 255).astype(np.uint8)
    return pixels


def _sentence(subject: list[str], generator: np.random.Generator) -> str:
    words = [*generator.choice(subject, 4), *generator.choice(_FILLERS, 5)]
    return " ".join(generator.permutation(words).tolist())


def _share(words: list[str], wanted: set[str]) -> float:
    return round(sum(word in wanted for word in words) / len(words), 4)
