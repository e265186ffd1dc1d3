"""The data sets of the benchmarks: how each is read, and how smaller versions of it are written."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class DataSet:
    """One data set.

    Attributes:
        options: Parameters of `AutoTL` beyond the defaults.
        images: Whether its items are images.
        rows: Only so many training rows; None for all.
        rows_per_class: Only so many training rows of each class; None for all.
        train_file: The table that holds its training rows.
    """

    options: tuple[tuple[str, Any], ...] = ()
    images: bool = False
    rows: int | None = None
    rows_per_class: int | None = None
    train_file: str = "train.csv"

    @property
    def flags(self) -> list[str]:
        """Its options as `autotl fit` takes them."""
        return [word for name, value in self.options for word in (f"--{name.replace('_', '-')}", str(value))]


_HELD_OUT = (("test_share", 0.25),)
#: The packaged text encoder knows English only, and takes no part in others unless it is named.
_ENGLISH_ENCODER = ("backbones", "all-minilm-l6")
SETS = {
    "signdigits": DataSet(_HELD_OUT, images=True),
    "trashnet256": DataSet(images=True),
    "neu_defects": DataSet(_HELD_OUT, images=True),
    "cifar10": DataSet(images=True),
    "textile": DataSet(images=True),
    "banking77": DataSet(),
    "banking77_16": DataSet(rows_per_class=16),
    "sst2": DataSet(),
    "germeval2018": DataSet((("target", "label"), ("text", "text"), _ENGLISH_ENCODER)),
    "clinc150_small": DataSet(train_file="train_small.csv"),
    "goemotions": DataSet((("target", "labels"),), rows=10_000),
    "stsb_en": DataSet((("target", "score"),)),
    "sms_spam": DataSet(),
    "umsab_english": DataSet(),
    "umsab_german": DataSet((_ENGLISH_ENCODER,)),
    "omniglot_small1": DataSet(images=True),
}


def prepare(name: str, data: Path, folder: Path, *, rows: int | None = None) -> Path:
    """Where a set can be read from: its own folder, or a smaller copy.

    Args:
        name: One of `SETS`.
        data: Folder of all data sets; textile comes from the package conformal-clip-data.
        folder: Where a copy may be written.
        rows: At most so many training rows, and at least one of each class.
    """
    described = SETS[name]
    if name == "textile":
        from autotl.console.demo_data import write_images

        source = write_images(folder / "photos").train
    else:
        source = data / name.removesuffix("_16").removesuffix("_small")
    if rows is None and described == DataSet(described.options, described.images):
        return source
    target = folder / name
    target.mkdir(parents=True)
    if described.images:
        _copy_images(source, target, rows)
    else:
        _copy_tables(source, target, described, rows)
    return target


def _copy_images(source: Path, target: Path, rows: int | None) -> None:
    """Class folders, an equal number of training files of each class."""
    parts = [part for part in ("train", "val", "test") if (source / part).is_dir()]
    for part in parts or ["."]:
        classes = sorted(path for path in (source / part).iterdir() if path.is_dir())
        for folder in classes:
            files = sorted(folder.iterdir())
            few = files if part in ("val", "test") or rows is None else files[: -(-rows // len(classes))]
            (target / part / folder.name).mkdir(parents=True)
            for file in few:
                shutil.copy(file, target / part / folder.name / file.name)


def _copy_tables(source: Path, target: Path, described: DataSet, rows: int | None) -> None:
    """The tables of the parts, of the training rows a sample that is always the same."""
    import pandas as pd

    for name, part in ((described.train_file, "train"), ("val.csv", "val"), ("test.csv", "test")):
        if not (source / name).is_file():
            continue
        table = pd.read_csv(source / name, keep_default_na=False)
        if part == "train" and described.rows_per_class is not None:
            table = table.groupby("label").sample(described.rows_per_class, random_state=0)
        if part == "train" and described.rows is not None:
            table = table.head(described.rows)
        if part == "train" and rows is not None and "label" in table:
            turn = table.groupby("label").cumcount()  # first one row of each class, then another
            table = table.loc[turn.sort_values(kind="stable").index].head(max(rows, table["label"].nunique()))
        table.to_csv(target / f"{part}.csv", index=False)
