"""Augmented copies of few originals: the audit finds the groups, its index names them, a fit keeps them."""

from __future__ import annotations

import csv
import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from typer.testing import CliRunner

from autotl.automl import originals
from autotl.automl.estimator import AutoTL
from autotl.automl.inspect import read_data
from autotl.automl.originals import AUGMENTED, with_originals
from autotl.automl.settings import Settings
from autotl.cli import app
from autotl.data.audit import audit
from autotl.data.dataset import Dataset, Splits
from autotl.data.open import open_dataset
from autotl.data.splits import split
from autotl.modalities.registry import modality
from autotl.testing.data import write_image_folder

CELLS = Path(__file__).parents[3] / "shared" / "data" / "bccd_det"
EDGE, ORIGINALS, COPIES = 96, 8, 12


def cells(kind: str) -> Iterator[Image.Image]:
    """Photos of cells with half again as much around them as is shown, so that a turn brings no corners."""
    for file in sorted((CELLS / "Annotations").glob("*.xml")):
        for box in ElementTree.parse(file).getroot().iter("object"):
            left, top, right, bottom = (int(box.findtext(f"bndbox/{name}")) for name in
                                        ("xmin", "ymin", "xmax", "ymax"))  # fmt: skip
            half = round(0.83 * max(right - left, bottom - top))
            x, y = (left + right) // 2, (top + bottom) // 2
            if box.findtext("name") != kind or min(x, y, 640 - x, 480 - y) < half or half < 30:
                continue
            with Image.open(CELLS / "JPEGImages" / f"{file.stem}.jpg") as photo:
                cell = photo.convert("RGB").crop((x - half, y - half, x + half, y + half))
            yield cell.resize((3 * EDGE // 2,) * 2, Image.Resampling.BICUBIC)
            break  # one of each photo: neighbours may show the same


def augmented(cell: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Mirrored or not, turned by any angle, up to a tenth cropped, darker or lighter by a fifth."""
    if rng.random() < 0.5:
        cell = cell.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    edge = int(rng.integers(87, EDGE + 1))
    left, top = (int((cell.width - edge) // 2 + rng.integers(edge - EDGE, EDGE - edge + 1)) for _ in range(2))
    turned = cell.rotate(rng.uniform(0, 360), Image.Resampling.BICUBIC)
    part = turned.crop((left, top, left + edge, top + edge)).resize((EDGE, EDGE), Image.Resampling.BICUBIC)
    return ImageEnhance.Brightness(part).enhance(rng.uniform(0.8, 1.2))


def original_of(name: str) -> str:
    return Path(name).name.split("-")[0]


def divided(dataset: Dataset, splits: Splits) -> set[str]:
    """Originals of which several parts have copies."""
    parts = [{original_of(dataset.names[row]) for row in rows} for rows in vars(splits).values()]
    return (parts[0] & parts[1]) | (parts[0] & parts[2]) | (parts[1] & parts[2])


def settings(**parameters) -> Settings:
    return Settings.of(AutoTL(offline=True, **parameters).get_params())


@pytest.fixture(scope="module")
def augmented_cells(tmp_path_factory) -> Path:
    """Class folders of white and red blood cells, 8 originals of each, 12 copies of each original."""
    if not CELLS.is_dir():
        pytest.skip("no bccd_det beside the repository")
    folder, rng = tmp_path_factory.mktemp("augmented") / "cells", np.random.default_rng(0)
    for kind in ("WBC", "RBC"):
        (folder / kind).mkdir(parents=True)
        for number, cell in zip(range(ORIGINALS), cells(kind), strict=False):
            for copy in range(COPIES):
                augmented(cell, rng).save(folder / kind / f"{kind}{number}-{copy}.jpg", quality=90)
    return folder


def test_a_fit_keeps_copies_of_one_original_in_one_part(augmented_cells):
    dataset, splits = read_data(augmented_cells, settings())
    assert len(divided(dataset, splits)) <= 1
    assert all(len(set(dataset.targets[rows].tolist())) == 2 for rows in vars(splits).values())
    found = {finding.kind: finding for finding in dataset.findings}[AUGMENTED]
    assert found.message.startswith("Pictures were augmented from common originals: 16 groups")
    assert found.repaired == "kept together when parts are drawn"
    assert len(found.rows) >= 0.95 * len(dataset)
    for group in found.groups:
        assert len(set(map(original_of, group))) == 1


def test_without_a_closer_look_copies_would_be_parted(augmented_cells):
    dataset = audit(open_dataset(augmented_cells), modality("image"))
    plain = replace(with_originals(dataset), clusters=dataset.clusters)
    assert len(divided(plain, split(plain))) > ORIGINALS


@pytest.mark.slow
def test_the_audit_names_the_groups_and_a_fit_of_its_index_keeps_them(augmented_cells, tmp_path, monkeypatch):
    index = tmp_path / "index.csv"
    command = ["audit", str(augmented_cells), "--offline", "--json", "--fix", str(index)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 3, result.stderr
    kinds = {finding["kind"] for finding in json.loads(result.stdout)["findings"]}
    assert AUGMENTED in kinds
    with index.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * ORIGINALS * COPIES
    groups: dict[str, list[str]] = {}
    for row in rows:
        groups.setdefault(original_of(row["path"]), []).append(row["group"])
    together = [max(names.count(name) for name in names if name) for names in groups.values()]
    assert sum(together) >= 0.97 * len(rows)
    monkeypatch.setattr(originals, "looks_augmented", lambda *_: False)  # the index alone must do
    dataset, splits = read_data(index, settings(group="group"))
    assert len(divided(dataset, splits)) <= 1


def test_copies_across_official_parts_are_told_and_nothing_is_said_to_be_repaired(augmented_cells, tmp_path):
    for part, numbers in (("train", (0, 1, 2, 3, 4)), ("val", (4, 5)), ("test", (6, 7))):
        for file in augmented_cells.rglob("*.jpg"):
            if int(original_of(file.name)[3:]) in numbers and (part, file.name[5] > "5") != ("val", True):
                target = tmp_path / "parts" / part / file.parent.name / file.name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(file.read_bytes())
    for file in (tmp_path / "parts" / "train").rglob("*4-*.jpg"):
        if file.name[5] <= "5":
            file.unlink()
    dataset, _ = read_data(tmp_path / "parts", settings())
    across = {finding.kind: finding for finding in dataset.findings}["copy_across_parts"]
    assert across.repaired is None
    assert {original_of(name) for name in across.rows} == {"WBC4", "RBC4"}
    assert all(name.startswith("train/") for name in across.rows)


def test_too_many_rows_are_told_with_the_command_that_helps(augmented_cells, monkeypatch):
    dataset = audit(open_dataset(augmented_cells), modality("image"))
    found = with_originals(dataset, seconds=2.0)
    (told,) = found.findings[len(dataset.findings) :]
    assert (told.kind, told.severity) == ("unsought_copies", "warning")
    assert "autotl audit DATA --rows" in told.message
    assert np.array_equal(found.clusters, dataset.clusters)


def test_pictures_without_copies_are_sampled_and_left_as_they_are(tmp_path, monkeypatch):
    folder = write_image_folder(tmp_path / "photos", classes=2, rows_per_class=20)
    dataset = audit(open_dataset(folder), modality("image"))
    monkeypatch.setattr(originals, "augmented_copies", lambda *_: pytest.fail("all rows were looked at"))
    assert with_originals(dataset) is dataset


def test_a_group_that_is_most_of_a_class_can_still_be_divided(tmp_path):
    if not CELLS.is_dir():
        pytest.skip("no bccd_det beside the repository")
    rng, (cell, other, *_) = np.random.default_rng(0), (*cells("WBC"),)
    for kind, sources in (("one", [cell]), ("many", [other, *list(cells("RBC"))[:7]])):
        (tmp_path / kind).mkdir()
        for number, source in enumerate(sources * (32 // len(sources))):
            augmented(source, rng).save(tmp_path / kind / f"{number}.png")
    dataset, splits = read_data(tmp_path, settings())
    found = {finding.kind: finding for finding in dataset.findings}[AUGMENTED]
    assert found.repaired == "kept together when parts are drawn, but for groups that hold most of a class"
    assert all(len(set(dataset.targets[rows].tolist())) == 2 for rows in vars(splits).values())


def test_texts_are_left_as_they_are(tmp_path):
    path = tmp_path / "texts.csv"
    path.write_text("\n".join(["text,label", *(f"word{n} again,{n % 2}" for n in range(30))]) + "\n")
    dataset = audit(open_dataset(path), modality("text"))
    assert with_originals(dataset) is dataset
