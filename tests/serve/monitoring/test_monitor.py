"""Planted drift is found and named rightly; where there is none, alarms are as rare as promised."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from drift_world import World

from autotl.errors import DataError, SettingsError
from autotl.serve.monitoring.findings import Status
from autotl.serve.monitoring.monitor import Monitor
from autotl.serve.monitoring.reference import Reference
from autotl.task import TaskKind


def check(world: World, rows, reference: Reference | None = None, **options):
    monitor = Monitor(world.task, reference or world.reference(), **options)
    return monitor.check(rows.outputs, rows.features)


def finding(report, name):
    return next(f for f in report.findings if f.name == name)


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(TaskKind))
def test_p_values_of_rows_without_drift_are_near_uniform(kind):
    found: dict[str, list[float]] = {}
    alarms = 0
    for seed in range(60):
        world = World(kind, seed)
        report = check(world, world.rows(100), world.reference(300), alpha=0.05)
        alarms += bool(report.drifted)
        for f in report.findings:
            if f.p_value is not None:
                found.setdefault(f.name, []).append(f.p_value)
    for name, p_values in found.items():
        assert np.mean(np.array(p_values) <= 0.1) < 0.24, name  # 0.1 is expected of 60
        if name not in ("labels", "outliers"):  # those of counts and of Bonferroni's correction are larger
            assert 0.35 < np.mean(p_values) < 0.65, name
    assert alarms <= 7


@pytest.mark.parametrize("kind", [TaskKind.BINARY, TaskKind.MULTICLASS])
def test_moved_inputs_are_drift_of_inputs_only(kind):
    world = World(kind)
    report = check(world, world.rows(200, shift=1.5))
    assert "inputs" in report.drifted
    assert not {"classes", "outliers"} & set(report.drifted)
    assert report.verdict == "drift"
    assert report.summary[0].startswith("Drift: the inputs look unlike")


def test_other_shares_of_classes_are_drift_of_classes_only():
    world = World()
    report = check(world, world.rows(300, shares=(0.75, 0.15, 0.05, 0.05)))
    assert report.drifted == ("classes",)
    assert finding(report, "inputs").status is Status.EXPLAINED
    assert finding(report, "inputs").words.endswith("explained by the shares of classes")
    estimate = finding(report, "classes").more["estimated_true_shares"]
    assert list(estimate.values()) == pytest.approx([0.75, 0.15, 0.05, 0.05], abs=0.06)
    assert "ant" in report.summary[1]
    assert "the true shares are about" in report.summary[1]


def test_a_few_inputs_far_outside_are_outliers_only():
    world = World()
    report = check(world, world.rows(300, outside=0.15))
    assert report.drifted == ("outliers",)
    share = finding(report, "outliers").more["share"]
    assert share == pytest.approx(0.2, abs=0.06)  # 5 % of the others lie beyond the threshold too


def test_moved_inputs_and_other_shares_are_both_named():
    world = World()
    report = check(world, world.rows(400, shift=3.0, shares=(0.75, 0.15, 0.05, 0.05)))
    assert {"inputs", "classes"} <= set(report.drifted)
    assert "estimated_true_shares" not in finding(report, "classes").more
    assert any("these may be errors of the model" in sentence for sentence in report.summary)


def test_a_less_sure_model_is_named():
    world = World()
    rows = world.rows(300)
    unsure = rows.outputs**0.3
    unsure /= unsure.sum(axis=1, keepdims=True)
    report = check(world, type(rows)(unsure, rows.features, rows.targets))
    assert report.drifted == ("confidence",)
    sure = rows.outputs**3 / (rows.outputs**3).sum(axis=1, keepdims=True)
    assert not check(world, type(rows)(sure, rows.features, rows.targets)).drifted


def test_a_difference_that_is_significant_but_small_is_no_drift():
    world = World()
    report = check(world, world.rows(3000, shift=0.7), world.reference(2000))
    inputs = finding(report, "inputs")
    assert inputs.status is Status.SMALL
    assert inputs.corrected <= 0.01
    assert inputs.effect < inputs.least_effect
    assert report.verdict == "no drift found"
    assert "inputs differ, but by little" in report.summary[0]


def test_no_finding_is_called_no_proof(world):
    report = check(world, world.rows(200))
    assert report.drifted == ()
    assert "no proof that there is none" in report.summary[0]


def test_labels_that_are_given_more_often_are_named():
    world = World(TaskKind.MULTILABEL)
    report = check(world, world.rows(300, shares=(0.7, 0.1, 0.1, 0.1)))
    assert "labels" in report.drifted
    assert "ant on" in finding(report, "labels").words
    assert {f.name for f in report.findings} == {"inputs", "outliers", "labels", "confidence"}


def test_other_values_of_a_regression_are_named_and_confidence_is_not_asked():
    world = World(TaskKind.REGRESSION)
    rows = world.rows(200)
    report = check(world, type(rows)(rows.outputs + 1, rows.features, rows.targets))
    assert report.drifted == ("values",)
    assert finding(report, "confidence").status is Status.SKIPPED
    assert finding(report, "confidence").words == "a regression does not say how sure it is"


def test_without_embeddings_of_rows_inputs_are_not_asked_and_the_rest_is():
    world = World()
    reference = world.reference().without_rows()
    report = check(world, world.rows(300, shares=(0.75, 0.15, 0.05, 0.05), outside=0.15), reference)
    assert report.drifted == ("outliers", "classes")
    assert finding(report, "inputs").status is Status.SKIPPED
    assert "left out of the bundle" in finding(report, "inputs").words


@pytest.mark.parametrize(("new", "held_out"), [(29, 600), (0, 600), (200, 29)])
def test_too_few_rows_are_no_verdict(world, new, held_out):
    report = check(world, world.rows(new), world.reference(held_out))
    assert (report.verdict, report.findings, report.drifted) == ("too few rows", (), ())
    assert report.summary[0].startswith("Too few rows")
    assert str(min(new, held_out)) in report.summary[0]


def test_thirty_rows_are_enough(world):
    assert check(world, world.rows(30), world.reference(30)).enough


def test_the_same_rows_give_the_same_report(world):
    rows, reference = world.rows(1500, shift=0.5), world.reference()
    first, second = (check(world, rows, reference).to_json() for _ in range(2))
    assert first == second


def test_classes_that_never_occurred_are_compared():
    world = World()
    reference = check(world, world.rows(100), world.reference()).findings
    assert reference
    rows = world.rows(200, shares=(1.0, 0.0, 0.0, 0.0))
    only_one = Reference.of(world.task, rows.outputs, rows.features, rows.targets)
    assert "classes" in check(world, world.rows(200), only_one).drifted


@pytest.mark.parametrize("alpha", [0.0, 1.0, -1, float("nan")])
def test_an_impossible_level(world, alpha):
    with pytest.raises(SettingsError, match="alpha is no level of significance"):
        Monitor(world.task, world.reference(50), alpha=alpha)


def test_arrays_of_another_model_are_refused(world):
    rows = world.rows(50)
    monitor = Monitor(world.task, world.reference(50))
    with pytest.raises(DataError, match=r"not those of the bundle; found shapes \(50, 4\) and \(50, 19\)"):
        monitor.check(rows.outputs, rows.features[:, 1:])
    with pytest.raises(DataError, match=r"found shapes \(50, 3\) and \(50, 20\)"):
        monitor.check(rows.outputs[:, 1:], rows.features)
    rows.features[0, 0] = np.inf
    with pytest.raises(DataError, match="not finite"):
        monitor.check(rows.outputs, rows.features)


PROOF = """
import sys
from autotl.serve.monitoring.monitor import Monitor
from autotl.serve.monitoring.plot import draw
from autotl.serve.monitoring.reference import Reference
from autotl.serve.predictor import Predictor
predictor = Predictor(sys.argv[1], threads=1)
texts = [f"a good film {i} of {i % 7}" for i in range(40)]
outputs, features = predictor.outputs(texts)
monitor = Monitor(predictor.task, Reference.of(predictor.task, outputs, features))
assert monitor.check_items(predictor, texts).verdict == "no drift found"
draw(monitor, outputs, features)
heavy = set("torch torchvision timm transformers pandas sklearn scipy onnx ray pyarrow matplotlib".split())
print(sorted(heavy & {name.partition(".")[0] for name in sys.modules}))
"""


def test_monitoring_needs_no_torch_nor_scipy_nor_plotting_library(text_bundles):
    command = [sys.executable, "-c", PROOF, str(text_bundles())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[]\n"
