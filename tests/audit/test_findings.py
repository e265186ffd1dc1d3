"""What was found becomes findings: a sentence with counts, rows, and a phrase for each row."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from autotl.audit.copies import Copies
from autotl.audit.findings import findings
from autotl.audit.labels import Suspect
from autotl.audit.leaks.leak import Leak
from autotl.audit.look import look
from autotl.audit.outliers import Outlier
from autotl.audit.rows import Found, Rows
from autotl.task import Task, TaskKind

COUNT = 60


def rows(kind: TaskKind = TaskKind.MULTICLASS, **fields: Any) -> Rows:
    classes = (
        () if kind is TaskKind.REGRESSION else ("cat", "dog", "owl")[: 2 if kind is TaskKind.BINARY else 3]
    )
    targets: Any = np.arange(COUNT) % max(len(classes), 1)
    if kind is TaskKind.MULTILABEL:
        targets = (targets[:, None] == np.arange(3)).astype(np.float32)
    values: dict[str, Any] = {
        "task": Task(kind, classes, "accuracy"),
        "targets": targets,
        "names": [f"row {i}" for i in range(COUNT)],
        "parts": np.array(["train", "test"] * (COUNT // 2)),
        "units": np.arange(COUNT),
        "features": np.random.default_rng(0).normal(size=(COUNT, 8)).astype(np.float32),
    }
    return Rows(**{**values, **fields})


def only(seen: Rows, found: Found) -> Any:
    (finding,) = findings(seen, found)
    assert len(finding.details) == len(finding.rows)
    return finding


@pytest.mark.parametrize(
    ("kind", "suspect", "phrase"),
    [
        (TaskKind.MULTICLASS, Suspect(3, 1, 0.97), "labelled cat, looks like dog (0.97)"),
        (TaskKind.MULTILABEL, Suspect(3, 1, 0.8), "not labelled dog, looks like it (0.80)"),
        (TaskKind.MULTILABEL, Suspect(3, 0, 0.8), "labelled cat, does not look like it (0.80)"),
    ],
)
def test_a_suspect_says_what_it_looks_like(kind, suspect, phrase):
    finding = only(rows(kind), Found(suspects=[suspect]))
    assert (finding.kind, finding.severity) == ("suspect_label", "warning")
    assert finding.message == "1 label of 60 seems wrong, the surest first."
    assert (finding.rows, finding.details) == (("row 3",), (phrase,))


def test_a_suspect_value_says_what_was_expected():
    seen = rows(TaskKind.REGRESSION, targets=np.full(COUNT, 4.25))
    finding = only(seen, Found(suspects=[Suspect(1, 0, 6.2, 1.5)]))
    assert finding.details == ("given as 4.25, looks like 1.5 (off by 6.2 times the usual error)",)


def test_few_suspects_among_many_rows_are_for_information():
    seen = rows(names=[f"row {i}" for i in range(600)], targets=np.zeros(600, int))
    assert only(seen, Found(suspects=[Suspect(3, 1, 0.97)])).severity == "info"


def test_copies_name_each_other_those_across_parts_first():
    groups = np.arange(COUNT)
    groups[[1, 4]], groups[[10, 12]] = 1, 10
    copies = Copies(np.array([[1, 4], [10, 12]]), np.array([0.98, 0.95]), groups)
    across, within = findings(rows(), Found(copies=copies))
    assert (across.kind, across.severity) == ("copy_across_parts", "warning")
    assert (across.rows, across.details) == (("row 4",), ("like row 1 of test (0.98)",))
    assert within.kind == "copy"
    assert within.message.startswith("2 groups of changed copies")
    assert "like row 10" in within.details
    assert across.groups == (("row 4", "row 1"),)
    assert set(within.groups) == {("row 1", "row 4"), ("row 10", "row 12")}


def test_of_copies_in_several_parts_the_test_part_keeps_its_row():
    parts = np.array(["train"] * 20 + ["val"] * 20 + ["test"] * 20)
    groups = np.arange(COUNT)
    groups[[5, 25, 45]], groups[[21, 22]], groups[[30, 50]] = 5, 21, 30
    copies = Copies(np.array([[5, 25], [25, 45], [30, 50]]), np.array([0.99, 0.97, 0.95]), groups)
    across, _ = findings(rows(parts=parts), Found(copies=copies))
    said = dict(zip(across.rows, across.details, strict=True))
    assert said == {
        "row 5": "like row 25 of val (0.99)",
        "row 25": "like row 45 of test (0.97)",
        "row 30": "like row 50 of test (0.95)",
    }


def test_rows_joined_to_another_part_by_a_third_row_are_named_too():
    parts = np.array(["train"] * 40 + ["test"] * 20)
    groups = np.arange(COUNT)
    groups[[5, 6, 45]] = 5
    copies = Copies(np.array([[5, 6], [6, 45]]), np.array([0.99, 0.97]), groups)
    across, _ = findings(rows(parts=parts), Found(copies=copies))
    assert dict(zip(across.rows, across.details, strict=True)) == {
        "row 6": "like row 45 of test (0.97)",
        "row 5": "like row 45 of test",
    }


def test_outliers_say_how_far_they_are():
    finding = only(rows(), Found(outliers=[Outlier(2, 2.5, False), Outlier(3, 1.9, True)]))
    assert (finding.kind, finding.severity) == ("outlier", "info")
    assert finding.details == (
        "2.5 times as far from its neighbours as usual",
        "1.9 times as far from the nearest of cat as usual",
    )


def leak(column: int) -> Leak:
    return Leak(
        "region", column, "the region at the lower right", 0.99, "AUC 0.99", "crop it", np.array([column])
    )


def test_what_leaks_several_classes_is_told_once():
    finding = only(rows(), Found(leaks=[leak(0), leak(2)]))
    assert (finding.kind, finding.severity) == ("leak_region", "warning")
    expected = "The region at the lower right tells classes 'cat', 'owl' from others (AUC 0.99); crop it."
    assert finding.message == expected
    assert finding.details == ("of cat", "of owl")


def test_of_two_classes_one_is_named():
    finding = only(rows(TaskKind.BINARY), Found(leaks=[leak(0), leak(1)]))
    assert "tells class 'cat' from others" in finding.message


def test_nothing_found_is_no_finding():
    assert findings(rows(), Found()) == ()


def test_what_there_is_no_time_for_is_said():
    assert look(rows(), until=-math.inf).skipped == ("copies", "suspect labels", "outliers", "leaks")
