"""How raw labels are read: which kind of task, which classes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from autotl.data.labels import Labels, sort_classes, understand_labels
from autotl.errors import TargetError
from autotl.task import Task, TaskKind


def read(labels: list[Any], target: str = "label", **options: Any) -> Labels:
    return understand_labels(labels, [f"row {i}" for i in range(len(labels))], target=target, **options)


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (["a", "b"] * 5, TaskKind.BINARY),
        ([True, False] * 5, TaskKind.BINARY),
        ([0, 1, 2] * 5, TaskKind.MULTICLASS),
        ([1.0, 2.0, 3.0] * 5, TaskKind.MULTICLASS),
        (["1", "2", "3"] * 5, TaskKind.MULTICLASS),
        (list(range(77)) * 6, TaskKind.MULTICLASS),
        ([str(k) for k in range(77)] * 6, TaskKind.MULTICLASS),
        (list(range(18, 90)) * 6, TaskKind.REGRESSION),
        ([17 * k for k in range(30)], TaskKind.REGRESSION),
        ([0.5, 1.0, 1.5, 2.0], TaskKind.REGRESSION),
        (["0.5", "1.0", "-1.5e1"], TaskKind.REGRESSION),
        ([Decimal("0.50"), Decimal("1.25"), Decimal("2.00")], TaskKind.REGRESSION),
        ([["a"], ["a", "b"], []], TaskKind.MULTILABEL),
        (["['a', 'b']", "['b']"], TaskKind.MULTILABEL),
        (['["a", "b"]', "[]"], TaskKind.MULTILABEL),
        (["a|b", "a", "b|c", "c"], TaskKind.MULTILABEL),
    ],
)
def test_the_kind_of_task_is_inferred(labels: list[Any], kind: TaskKind) -> None:
    assert read(labels).task.kind is kind


def test_whole_numbers_of_any_size_keep_their_digits() -> None:
    large = 2**53 + np.arange(3)
    for labels in (large.tolist(), list(large), [Decimal(int(n)).scaleb(0) for n in large]):
        assert read(labels * 4).task.classes == tuple(map(str, large))
    assert read([Decimal("1.00"), Decimal("2.00")] * 4).task.classes == ("1", "2")


def test_a_score_counted_in_whole_numbers_is_a_quantity_by_its_name() -> None:
    labels = list(range(101)) * 6
    assert read(labels, "score").task.kind is TaskKind.REGRESSION
    assert read(labels, "intent").task.kind is TaskKind.MULTICLASS


@pytest.mark.parametrize(
    "classes",
    [
        ["card arrival", "lost card", "stolen card", "card arrival time"],
        ["New York, NY", "Buffalo, NY", "Albany, NY", "Austin, TX"],
        ["red car", "blue car", "red bus", "blue bus"],
        ["Books, Film and TV", "Music", "Home, Garden"],
    ],
)
@pytest.mark.parametrize("target", ["label", "labels"])
def test_class_names_with_blanks_and_commas_are_single_classes(classes: list[str], target: str) -> None:
    found = read(classes * 5, target)
    assert found.task.kind is TaskKind.MULTICLASS
    assert set(found.task.classes) == set(classes)


def test_blanks_separate_only_in_a_column_that_says_so() -> None:
    labels = ["joy", "anger", "joy anger", "sadness", "sadness anger"] * 4
    assert read(labels, "labels").task.classes == ("anger", "joy", "sadness")
    assert read(labels, "label").task.kind is TaskKind.MULTICLASS


def test_an_explicit_separator_is_taken_at_its_word() -> None:
    found = read(["a+b", "b", ""], separator="+")
    assert found.targets.tolist() == [[1, 1], [0, 1], [0, 0]]
    assert found.targets.dtype == np.float32


def test_an_array_of_indicators_keeps_its_columns() -> None:
    from autotl.data.memory import as_labels

    assert read(as_labels(np.array([[1, 0], [1, 1]]))).targets.tolist() == [[1, 0], [1, 1]]


def test_classes_sort_as_people_sort() -> None:
    assert sort_classes({str(k) for k in range(12)}) == tuple(str(k) for k in range(12))
    assert sort_classes({"-1", "0", "1"}) == ("-1", "0", "1")
    assert sort_classes({"a10", "a2", "B1"}) == ("a2", "a10", "B1")


def test_whole_floats_are_named_as_whole_numbers() -> None:
    assert read([1.0, 0.0] * 5).task.classes == ("0", "1")


@pytest.mark.parametrize("gap", [None, float("nan"), np.float32("nan"), "", "  ", "nan", "NaN"])
def test_missing_labels_are_told_from_classes(gap: Any) -> None:
    labels = ["a", "b"] * 20
    found = read([*labels, gap])
    assert found.task.classes == ("a", "b")
    assert found.kept.tolist() == [True] * 40 + [False]


def test_na_is_a_class_among_words_and_a_gap_among_numbers() -> None:
    assert read(["NA", "US", "DE"] * 5).task.classes == ("DE", "NA", "US")
    assert read([*[str(k / 3) for k in range(40)], "NA"]).kept.tolist() == [True] * 40 + [False]


def test_a_given_task_fixes_classes_and_their_order() -> None:
    task = Task(TaskKind.BINARY, ("yes", "no"), "accuracy")
    assert read(["no", "no"], task=task).targets.tolist() == [1, 1]
    with pytest.raises(TargetError) as caught:
        read(["no", "maybe"], task=task)
    assert str(caught.value) == (
        "the target 'label' holds classes that the model does not know; found maybe; expected yes, no."
    )


def test_the_decision_is_told_with_the_option_that_changes_it() -> None:
    messages = [finding.message for finding in read(["a", "b", "c"] * 3).findings]
    assert messages == ["Target 'label' was read as multiclass: 3 classes; --task KIND changes this."]
    assert read(["a", "b", "c"] * 3, task="multiclass").findings == ()


@pytest.mark.parametrize("labels", [["caf\udce9", "tea"] * 5, [["caf\udce9"], ["tea"]] * 5])
def test_class_names_that_no_file_of_the_model_could_hold_are_refused(labels: list[Any]) -> None:
    with pytest.raises(TargetError, match=r"have no UTF-8 form; found 'caf\\udce9'; expected UTF-8"):
        understand_labels(labels, [f"row {k}" for k in range(10)])
