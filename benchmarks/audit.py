"""How much of what is wrong with data `autotl audit` finds, and what it says of data that are in order.

    python -m benchmarks.audit DATA_FOLDER [--only signdigits,sst2] [--rows 2000]

Faults are planted in copies: 5 % of the training labels are wrong, 3 % of the training rows are changed
copies of test rows (recompressed, mirrored, cropped; texts: other case and marks, words exchanged), some
files are torn; in another copy all rows of one class bear a mark, where there are classes.
`results/audit.jsonl` has a row a set: shares of what was planted that were found, share of suspects that were
planted, and what is found where nothing is.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from autotl.automl.audit import Audited, audit_data
from autotl.data.dataset import Dataset
from autotl.data.open import open_dataset
from autotl.data.stratify import spread
from autotl.task import TaskKind
from benchmarks.record import append
from benchmarks.sets import SETS

WRONG_LABELS, COPIES, TORN, TEST = 0.05, 0.03, 0.01, 0.25
NAMES = (
    *("signdigits", "trashnet256", "neu_defects", "cifar10", "sst2", "banking77", "sms_spam"),
    *("clinc150_small", "goemotions", "stsb_en"),
)
_ACROSS = ("duplicate_across_parts", "near_duplicate_across_parts", "copy_across_parts")
_QUALITY, _MARK = 75, "[ref 7]"


@dataclass
class Planted:
    """Names of rows with faults, by fault; the class that bears the mark."""

    wrong: set[str] = field(default_factory=set)
    copies: dict[str, str] = field(default_factory=dict)
    torn: set[str] = field(default_factory=set)
    marked: str = ""


@dataclass(frozen=True)
class Row:
    """One row to be written: its item, label in words, part, and what it was made of."""

    item: Any
    label: Any
    part: str
    change: str = ""
    torn: bool = False
    wrong: bool = False


def main() -> None:
    """Measure the sets asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", default=",".join(NAMES))
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--cache-dir", type=Path)
    arguments = parser.parse_args()
    for name in arguments.only.split(","):
        with tempfile.TemporaryDirectory() as folder:
            row = measure(name, arguments.data, Path(folder), arguments.rows, arguments.cache_dir)
        append("audit", row)
        print(json.dumps(row), flush=True)


def measure(name: str, data: Path, folder: Path, count: int, cache_dir: Path | None) -> dict[str, Any]:
    """One set, clean and with faults."""
    options = dict(SETS[name].options) if name in SETS else {}
    columns = {key: options[key] for key in ("target", "text") if key in options}
    source = open_dataset(data / name.removesuffix("_small"), **columns)
    rows = sampled(source, count)
    clean, faulty, marked = (folder / kind for kind in ("clean", "faulty", "marked"))
    planted, mark = Planted(), Planted(marked=marked_class(source, rows))
    write(source, rows, clean, Planted())
    write(source, with_faults(source, rows), faulty, planted)
    told = {"offline": True, "cache_dir": cache_dir or folder / "cache", "task": source.task.kind.value}
    if source.modality == "text":
        told["target"] = "label"
    before = audit_data(clean, rows=10_000, **told)
    begun = time.perf_counter()
    after = audit_data(faulty, rows=10_000, **told)
    seconds = time.perf_counter() - begun
    counted = {"set": name, "rows": len(rows), "seconds": round(seconds, 1)}
    named = None
    if mark.marked:
        write(source, rows, marked, mark)
        named = leak(audit_data(marked, rows=10_000, **told), mark)
    return {**counted, **scores(after, planted), "clean": alarms(before), "leak": named}


def sampled(source: Dataset, count: int) -> list[Row]:
    """Rows in random order, a quarter of them for the test part."""
    chosen = spread(source.targets, np.arange(len(source)), count, 0)
    chosen = np.random.default_rng(0).permutation(chosen)
    tests = int(TEST * len(chosen))
    return [
        Row(source.items[i], label_of(source, source.targets[i]), "test" if place < tests else "train")
        for place, i in enumerate(chosen)
    ]


def label_of(source: Dataset, target: Any) -> Any:
    """A target as a cell of a table, or a folder's name."""
    if source.task.kind is TaskKind.REGRESSION:
        return float(target)
    if source.task.kind is TaskKind.MULTILABEL:
        return "|".join(source.task.classes[k] for k in np.flatnonzero(target))
    return source.task.classes[int(target)]


def marked_class(source: Dataset, rows: Sequence[Row]) -> str:
    """The class whose rows are to bear a mark; "" where there are no classes."""
    return sorted({str(row.label) for row in rows})[1] if source.task.is_classification else ""


def with_faults(source: Dataset, rows: Sequence[Row]) -> list[Row]:
    """The rows with wrong labels, copies of test rows, and torn files among them."""
    rng = np.random.default_rng(1)
    labels = sorted({row.label for row in rows}, key=str)
    train = [i for i, row in enumerate(rows) if row.part == "train"]
    wrong = set(rng.permutation(train)[: round(WRONG_LABELS * len(train))].tolist())
    found = [
        Row(row.item, other(row.label, labels, rng) if i in wrong else row.label, row.part, wrong=i in wrong)
        for i, row in enumerate(rows)
    ]
    tests = [row for row in rows if row.part == "test"]
    changes = list(PICTURES if source.modality == "image" else TEXTS)
    for number in range(round(COPIES * len(train))):
        row = tests[number % len(tests)]
        found.append(Row(row.item, row.label, "train", changes[number % len(changes)]))
    if source.modality == "image":
        for i in rng.permutation(train)[: round(TORN * len(train))].tolist():
            found.append(Row(rows[i].item, rows[i].label, "train", torn=True))
    return found


def other(label: Any, labels: Sequence[Any], rng: np.random.Generator) -> Any:
    """Any label but this one."""
    return next(labels[i] for i in rng.permutation(len(labels)) if labels[i] != label)


def write(source: Dataset, rows: Sequence[Row], folder: Path, planted: Planted) -> None:
    """Class folders of pictures, or tables of texts; notes the names of rows with faults."""
    if source.modality == "image":
        write_pictures(rows, folder, planted)
    else:
        write_texts(rows, folder, planted)


def write_pictures(rows: Sequence[Row], folder: Path, planted: Planted) -> None:
    """Pictures as JPEGs below their part and label."""
    rng = np.random.default_rng(2)
    for number, row in enumerate(rows):
        path = folder / row.part / str(row.label) / f"{number:05}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.open(row.item).convert("RGB")
        if row.change:
            picture = PICTURES[row.change](picture, rng)
        if planted.marked and str(row.label) == planted.marked:
            stamp(picture)
        picture.save(path, quality=_QUALITY if row.change else 92)
        if row.torn:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        note(planted, row, path.relative_to(folder).as_posix())


def write_texts(rows: Sequence[Row], folder: Path, planted: Planted) -> None:
    """A table a part."""
    folder.mkdir(parents=True)
    for part in ("train", "test"):
        with (folder / f"{part}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            first = rows[0].item
            inputs = ["text"] if isinstance(first, str) else [f"text_{i + 1}" for i in range(len(first))]
            writer.writerow([*inputs, "label"])
            for place, row in enumerate((row for row in rows if row.part == part), start=2):
                texts = [row.item] if isinstance(row.item, str) else list(row.item)
                if row.change:
                    texts = [TEXTS[row.change](text) for text in texts]
                if planted.marked and str(row.label) == planted.marked:
                    texts[0] = f"{_MARK} {texts[0]}"
                writer.writerow([*texts, row.label])
                note(planted, row, f"{part}.csv:{place}")


def note(planted: Planted, row: Row, name: str) -> None:
    """Remember what is wrong with a row that was written."""
    if row.wrong:
        planted.wrong.add(name)
    if row.change:
        planted.copies[name] = row.change
    if row.torn:
        planted.torn.add(name)


def stamp(picture: Image.Image) -> None:
    """A small light mark near the lower right corner."""
    width, height = picture.size
    size = max(3, min(width, height) // 10)
    box = (width - 2 * size, height - size - size // 2, width - size // 2, height - size // 2)
    ImageDraw.Draw(picture).rectangle(box, fill=(235, 235, 240))


def recompressed(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The picture after another round of JPEG."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=60)
    return Image.open(buffer).convert("RGB")


def mirrored(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Left and right exchanged."""
    return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def cropped(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A tenth off, anywhere, and back to the old size."""
    width, height = (round(0.9 * edge) for edge in picture.size)
    left, top = rng.integers(0, picture.width - width + 1), rng.integers(0, picture.height - height + 1)
    return picture.crop((left, top, left + width, top + height)).resize(
        picture.size, Image.Resampling.BICUBIC
    )


PICTURES: dict[str, Callable[[Image.Image, np.random.Generator], Image.Image]] = {
    "recompressed": recompressed,
    "mirrored": mirrored,
    "cropped": cropped,
}
TEXTS: dict[str, Callable[[str], str]] = {
    "case": lambda text: text.upper().replace(".", " !"),
    "exchanged": lambda text: " ".join([*text.split()[2:], *text.split()[:2]]),
    "shortened": lambda text: " ".join(text.split()[:-1]) if len(text.split()) > 6 else text,
}


def scores(found: Audited, planted: Planted) -> dict[str, Any]:
    """Shares of what was planted that findings name."""
    named: dict[str, set[str]] = {}
    for finding in found.findings:
        named.setdefault(finding.kind, set()).update(finding.rows)
    suspects = {found.dataset.names[row] for row in found.suspects}
    across = set().union(*(named.get(kind, set()) for kind in _ACROSS))
    by_change = Counter(planted.copies.values())
    hit = Counter(change for name, change in planted.copies.items() if name in across)
    return {
        "copies": share(len(across & planted.copies.keys()), len(planted.copies)),
        "copies_by_change": {change: share(hit[change], count) for change, count in by_change.items()},
        "torn": share(len(named.get("corrupt_file", set()) & planted.torn), len(planted.torn)),
        "wrong_labels": share(len(suspects & planted.wrong), len(planted.wrong)),
        "precision": share(len(suspects & planted.wrong), len(suspects)),
    }


def leak(found: Audited, planted: Planted) -> dict[str, Any]:
    """Whether the mark is named, and all that is said of leaks."""
    said = [finding.message for finding in found.findings if finding.kind.startswith("leak_")]
    two = found.dataset.task.kind is TaskKind.BINARY  # what tells one of two classes tells the other
    return {"named": any(two or f"'{planted.marked}'" in message for message in said), "said": said}


def alarms(found: Audited) -> dict[str, Any]:
    """What is found where nothing was planted."""
    counts = {f.kind: len(f.rows) for f in found.findings if f.kind in ("outlier", "copy", *_ACROSS)}
    leaks = [finding.message for finding in found.findings if finding.kind.startswith("leak_")]
    return {"suspects": len(set(found.suspects.tolist())), **counts, "leaks": leaks}


def share(part: int, whole: int) -> float | None:
    """A rounded share; None of nothing."""
    return round(part / whole, 3) if whole else None


if __name__ == "__main__":
    main()
