"""Verification finds every bundle that answers otherwise, and excuses only true ties."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from autotl.errors import ParityError
from autotl.export.bundle import export_bundle
from autotl.export.verify import verify
from autotl.serve.parity import TIE, Difference, compare
from autotl.task import Task, TaskKind

NAMES = ["a", "b", "c"]
CLASSES = Task(TaskKind.MULTICLASS, ("x", "y"), "accuracy")
LABELS = Task(TaskKind.MULTILABEL, ("x", "y"), "macro_f1")
VALUES = Task(TaskKind.REGRESSION, (), "r2")
P = np.array([[0.9, 0.1], [0.4, 0.6], [0.5, 0.5]], np.float32)


def test_a_bundle_of_other_weights_is_refused_with_figures(text_case, tmp_path):
    model, dataset = text_case()
    export_bundle(model, dataset, np.arange(4), tmp_path / "model")
    with torch.no_grad():
        model.head.bias[0] += 0.05
    with pytest.raises(
        ParityError, match=r"differ from the trained model's; found 0\.0\d+ for row \d+ \(\d+ of 64"
    ):
        verify(model, tmp_path / "model", dataset, np.arange(64))


def test_a_bundle_of_other_preprocessing_is_refused(image_case, tmp_path):
    from dataclasses import replace

    model, dataset = image_case()
    export_bundle(model, dataset, np.arange(4), tmp_path / "model")
    model.spec = replace(model.spec, options={**model.spec.options, "size": 24})
    model.head.weight.data *= 10
    with pytest.raises(ParityError, match="differ from the trained model's"):
        verify(model, tmp_path / "model", dataset, np.arange(20))


def test_no_rows_prove_nothing(text_case, tmp_path):
    model, dataset = text_case()
    export_bundle(model, dataset, np.arange(4), tmp_path / "model")
    with pytest.raises(ParityError, match="nothing to compare"):
        verify(model, tmp_path / "model", dataset, np.arange(0))


def test_equal_outputs_pass():
    assert compare(CLASSES, NAMES, P, P.copy()) == Difference(0.0)


def test_small_differences_pass_and_are_reported():
    found = P.copy()
    found[0] += [5e-5, -5e-5]
    difference = compare(CLASSES, NAMES, P, found)
    assert difference.largest == pytest.approx(5e-5, rel=1e-2)
    assert (difference.flips, difference.ties) == (0, 0)


def test_large_differences_fail_with_the_row():
    found = P.copy()
    found[1] += [2e-4, -2e-4]
    with pytest.raises(ParityError, match=r"found 0\.0002 for b \(1 of 3 rows\); expected at most 0\.0001"):
        compare(CLASSES, NAMES, P, found)


def test_another_top_class_fails_even_within_the_tolerance():
    expected = np.array([[0.50002, 0.49998]] * 3, np.float32)
    found = expected.copy()
    found[2] = [0.49998, 0.50002]
    with pytest.raises(ParityError, match=r"decides otherwise .* found 1 of 3 rows, first c"):
        compare(CLASSES, NAMES, expected, found)


def test_what_need_not_be_the_same_is_told_and_not_refused():
    found = P.copy()
    found[0] = [0.3, 0.7]
    assert compare(CLASSES, NAMES, P, found, exact=False) == Difference(pytest.approx(0.6), flips=1)


def test_a_tie_may_fall_either_way_and_is_counted():
    found = P.copy()
    found[2] = [0.5 - TIE / 2, 0.5 + TIE / 2]
    assert compare(CLASSES, NAMES, P, found).ties == 1


def test_another_label_fails_and_a_tie_at_the_threshold_counts():
    expected = np.array([[0.50002, 0.1]], np.float32)
    with pytest.raises(ParityError, match="decides otherwise"):
        compare(LABELS, ["a"], expected, np.array([[0.49999, 0.1]], np.float32))
    edge = np.array([[0.5, 0.1]], np.float32)
    assert compare(LABELS, ["a"], edge, np.array([[0.4999999, 0.1]], np.float32)).ties == 1


def test_values_are_judged_relative_to_themselves_or_to_the_spread_of_the_target():
    expected = np.array([1000.0, 1e-9])

    def off(*by: float) -> np.ndarray:
        return expected + np.array(by)

    assert compare(VALUES, ["a", "b"], expected, off(0.05, 1e-5), scale=1.0).largest < 1e-4
    with pytest.raises(ParityError, match="for a"):
        compare(VALUES, ["a", "b"], expected, off(0.2, 0), scale=1.0)
    with pytest.raises(ParityError, match="for b"):
        compare(VALUES, ["a", "b"], expected, off(0, 2e-4), scale=1.0)


@pytest.mark.parametrize("side", ["trained model", "bundle"])
def test_outputs_that_are_not_finite_fail(side):
    broken = P.copy()
    broken[1, 0] = np.nan
    pair = (broken, P) if side == "trained model" else (P, broken)
    with pytest.raises(ParityError, match=f"the {side} gives outputs that are not finite; found for b"):
        compare(CLASSES, NAMES, *pair)


def test_another_number_of_classes_fails():
    with pytest.raises(ParityError, match="another shape"):
        compare(CLASSES, NAMES, P, np.ones((3, 3), np.float32))
