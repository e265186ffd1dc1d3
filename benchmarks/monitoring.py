"""How often `autotl monitor` raises a false alarm on real data, and how often it finds planted drift.

    python -m benchmarks.monitoring DATA_FOLDER [--only banking77,cifar10] [--repeats 40]

A model is fitted on a part of each set. Reference and windows are drawn from rows that it has never seen,
anew for each repetition, because one reference for all would make all alarms go together. A row a window size
and kind of change in `results/monitoring.jsonl`: share of checks that report drift, and which; for each
question the share of p-values up to 0.05 and 0.01, before correction, and the mean effect. "classifier" is
what a classifier two-sample test (Lopez-Paz and Oquab 2017) would say in place of the discrepancy test.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from autotl.serve.monitoring.findings import DriftReport
from autotl.serve.monitoring.monitor import Monitor
from autotl.serve.monitoring.ranks import rank_sum_test
from autotl.serve.monitoring.reference import FILE, Reference
from autotl.serve.predictor import Predictor
from benchmarks.fitting import trial_zero
from benchmarks.record import append

WINDOWS = (50, 200, 1000)
#: Rows that the model is fitted on, that a reference describes, and that are run through it for windows.
_FITTED, _REFERENCE, _FRESH, _CHANGED = 2000, 600, 2600, 1000
#: Share of other inputs in a mixed window, and how much more often every other class occurs.
_MIXED, _OFTENER = 0.15, 4.0


@dataclass(frozen=True)
class Source:
    """Labelled inputs of one set, and how they may change.

    Attributes:
        items: Inputs in random order.
        labels: Their classes.
        other: Inputs of another set.
        changes: Named ways to change one input.
    """

    items: Sequence[Any]
    labels: Sequence[str]
    other: Sequence[Any]
    changes: dict[str, Callable[[Any], Any]]


@dataclass(frozen=True)
class Pool:
    """Rows as the bundle gives them: outputs (N, K), features (N, F), targets (N,)."""

    outputs: np.ndarray
    features: np.ndarray
    targets: np.ndarray

    def take(self, rows: np.ndarray) -> Pool:
        """Some of the rows."""
        return Pool(self.outputs[rows], self.features[rows], self.targets[rows])

    def join(self, other: Pool) -> Pool:
        """The rows of both."""
        return Pool(
            np.concatenate([self.outputs, other.outputs]),
            np.concatenate([self.features, other.features]),
            np.concatenate([self.targets, other.targets]),
        )


@dataclass(frozen=True)
class Check:
    """One window that was checked: report, p-value of the rival test, and what it cost."""

    report: DriftReport
    rival: float
    seconds: float
    reference_seconds: float
    reference_bytes: int


def texts(data: Path, name: str, other: str) -> Source:
    """A set of texts; characters are lost, or words."""
    rows = [row for part in ("train", "test") for row in _table(data / name / f"{part}.csv")]
    order = np.random.default_rng(0).permutation(len(rows))
    changes = {
        "typos": lambda text: "".join(c for i, c in enumerate(text) if (7 * i + len(text)) % 13),
        "lost words": lambda text: " ".join(w for i, w in enumerate(text.split()) if i % 4 != 3),
    }
    return Source(
        [rows[i]["text"] for i in order],
        [rows[i]["label"] for i in order],
        [row["text"] for row in _table(data / other / "test.csv")],
        changes,
    )


def images(data: Path, name: str, other: str) -> Source:
    """A set of class folders; images are blurred, brightened, or noisy."""
    files = sorted(path for part in ("train", "test") for path in (data / name / part).glob("*/*"))
    order = np.random.default_rng(0).permutation(len(files))[: _FITTED + _FRESH]
    rng = np.random.default_rng(1)
    changes = {
        "blur": lambda image: image.filter(ImageFilter.GaussianBlur(0.6)),
        "brightness": lambda image: ImageEnhance.Brightness(image).enhance(1.3),
        "noise": lambda image: Image.fromarray(
            np.clip(np.asarray(image, float) + rng.normal(0, 6, np.shape(image)), 0, 255).astype(np.uint8)
        ),
    }
    far = sorted((data / other).glob("*/*/*"))
    side = Image.open(files[0]).size
    return Source(
        [Image.open(files[i]).convert("RGB") for i in order],
        [files[i].parent.name for i in order],
        [Image.open(path).convert("RGB").resize(side) for path in far],
        changes,
    )


SETS: dict[str, Callable[[Path], Source]] = {
    "banking77": lambda data: texts(data, "banking77", "clinc150"),
    "sst2": lambda data: texts(data, "sst2", "banking77"),
    "cifar10": lambda data: images(data, "cifar10", "trashnet256"),
}


def main() -> None:
    """Measure the sets asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", default=",".join(SETS))
    parser.add_argument(
        "--repeats",
        type=int,
        default=40,
        help="windows of each size without drift; half of that with each kind of it",
    )
    arguments = parser.parse_args()
    for name in arguments.only.split(","):
        with tempfile.TemporaryDirectory() as folder:
            measure(name, SETS[name](arguments.data), Path(folder), arguments.repeats)


def measure(name: str, source: Source, folder: Path, repeats: int) -> None:
    """One set: fit, run all rows through the bundle once, draw windows."""
    predictor = fit(source, folder)
    classes = {label: k for k, label in enumerate(predictor.classes)}
    fresh = slice(_FITTED, _FITTED + _FRESH)
    targets = np.array([classes.get(label, -1) for label in source.labels[fresh]])
    clean = Pool(*predictor.outputs(source.items[fresh]), targets)
    unknown = np.full(_CHANGED, -1)
    changed = {
        kind: Pool(*predictor.outputs([change(item) for item in source.items[fresh][:_CHANGED]]), unknown)
        for kind, change in source.changes.items()
    }
    other = source.other[:: max(1, len(source.other) // _CHANGED)][:_CHANGED]
    changed["other set"] = Pool(*predictor.outputs(other), unknown[: len(other)])
    for size in WINDOWS:
        for kind in ("none", "class shares", "mixed", *changed):
            count = repeats if kind == "none" else max(1, repeats // 2)
            row = summed([window(predictor, clean, changed, kind, size, i, folder) for i in range(count)])
            row = {"set": name, "kind": kind, "rows": size, "reference_rows": _REFERENCE, **row}
            append("monitoring", row)
            print(json.dumps(row), flush=True)


def fit(source: Source, folder: Path) -> Predictor:
    """A model of the first rows: frozen features under a linear head."""
    model = trial_zero(folder, cache_dir=folder / "cache", cache_limit=0)
    model.fit(list(source.items[:_FITTED]), list(source.labels[:_FITTED]))
    return model.predictor_


def window(
    predictor: Predictor, clean: Pool, changed: dict[str, Pool], kind: str, size: int, seed: int, folder: Path
) -> Check:
    """Draw a reference and a window, and check it."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(clean.targets))
    held_out, rest = clean.take(order[:_REFERENCE]), clean.take(order[_REFERENCE:])
    begun = time.perf_counter()
    reference = Reference.of(predictor.task, held_out.outputs, held_out.features, held_out.targets)
    made = time.perf_counter()
    reference.write(folder, predictor.task)
    rows = drawn(rest, changed, kind, size, rng)
    start = time.perf_counter()
    report = Monitor(predictor.task, reference).check(rows.outputs, rows.features)
    seconds = time.perf_counter() - start
    rival = classifier_test(reference, rows.features, rng)
    return Check(report, rival, seconds, made - begun, (folder / FILE).stat().st_size)


def classifier_test(reference: Reference, features: np.ndarray, rng: np.random.Generator) -> float:
    """P-value of ranks that ridge regression, fitted on four fifths of the rows, gives the other fifth."""
    old, new = reference.arrays["rows"].astype(np.float64), reference.sketch.plain(features)
    rows, is_new = np.concatenate([old, new]), np.arange(len(old) + len(new)) >= len(old)
    fold, scores = rng.permutation(len(rows)) % 5, np.empty(len(rows))
    for number in range(5):
        fitted, read = fold != number, fold == number
        centre = rows[fitted].mean(axis=0)
        gram = (rows[fitted] - centre).T @ (rows[fitted] - centre)
        gram += 0.1 * np.trace(gram) / len(gram) * np.eye(len(gram))
        aim = (rows[fitted] - centre).T @ (is_new[fitted] - is_new[fitted].mean())
        scores[read] = (rows[read] - centre) @ np.linalg.solve(gram, aim)
    return rank_sum_test(scores[~is_new], scores[is_new])[1]


def drawn(rest: Pool, changed: dict[str, Pool], kind: str, size: int, rng: np.random.Generator) -> Pool:
    """A window of rows that the reference does not hold."""
    if kind == "class shares":
        weights = np.where(rest.targets % 2 == 0, _OFTENER, 1.0)
        return rest.take(rng.choice(len(weights), size, replace=False, p=weights / weights.sum()))
    if kind in changed:
        rows = len(changed[kind].targets)
        return changed[kind].take(rng.choice(rows, min(size, rows), replace=False))
    far = round(_MIXED * size) if kind == "mixed" else 0
    strangers = changed["other set"].take(rng.choice(len(changed["other set"].targets), far, replace=False))
    return rest.take(np.arange(size - far)).join(strangers)


def summed(checks: list[Check]) -> dict[str, Any]:
    """Shares and means over the checks of one kind."""
    reports = [check.report for check in checks]
    named = Counter(name for report in reports for name in report.drifted)
    found: dict[str, Any] = {
        "checks": len(reports),
        "drift": sum(bool(report.drifted) for report in reports) / len(reports),
        "named": {name: count / len(reports) for name, count in named.items()},
        "seconds": round(float(np.median([check.seconds for check in checks])), 3),
        "reference_seconds": round(float(np.median([check.reference_seconds for check in checks])), 3),
        "reference_bytes": checks[0].reference_bytes,
        "classifier": shares_of([check.rival for check in checks]),
    }
    for position, first in enumerate(reports[0].findings):
        answers = [report.findings[position] for report in reports]
        effect = round(float(np.mean([answer.effect for answer in answers])), 3)
        found[first.name] = {**shares_of([answer.p_value for answer in answers]), "effect": effect}
    return found


def shares_of(p_values: Sequence[float | None]) -> dict[str, float]:
    """How many p-values are small."""
    values = np.array(p_values, float)
    return {"p05": float(np.mean(values <= 0.05)), "p01": float(np.mean(values <= 0.01))}


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main()
