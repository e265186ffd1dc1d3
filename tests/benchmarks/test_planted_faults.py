"""The benchmark of the audit has the same figures for every kind of task; what was not planted is null."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from autotl.automl.audit import Audited
from autotl.data.open import open_dataset
from autotl.testing.data import make_texts
from benchmarks import audit

KEYS = {
    "set",
    "rows",
    "seconds",
    "copies",
    "copies_by_change",
    "torn",
    "wrong_labels",
    "precision",
    "clean",
    "leak",
}


@pytest.fixture
def unseen(monkeypatch) -> None:
    """An audit that finds nothing."""

    def audited(source, *, rows, offline, cache_dir, **options) -> Audited:
        dataset = open_dataset(source, **options)
        none = np.empty(0, np.int64)
        return Audited(dataset, none, np.arange(len(dataset)), none, "", ())

    monkeypatch.setattr(audit, "audit_data", audited)


@pytest.mark.usefixtures("unseen")
@pytest.mark.parametrize("kind", ["classes", "labels", "values"])
def test_a_line_has_all_figures_whatever_the_task(tmp_path, kind):
    texts, labels = make_texts(120, classes=3)
    targets = {
        "classes": labels,
        "labels": [f"{one}|{other}" for one, other in zip(labels, [*labels[1:], labels[0]], strict=True)],
        "values": [round(0.37 * number, 2) for number in range(120)],
    }[kind]
    (tmp_path / "data" / kind).mkdir(parents=True)
    with (tmp_path / "data" / kind / "train.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *zip(texts, targets, strict=True)])
    row = audit.measure(kind, tmp_path / "data", tmp_path / "made", 120, None)
    assert row.keys() == KEYS
    assert (row["wrong_labels"], row["copies"], row["torn"], row["precision"]) == (0, 0, None, None)
    assert row["leak"] == ({"named": False, "said": []} if kind == "classes" else None)
