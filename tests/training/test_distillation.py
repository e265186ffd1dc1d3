"""Targets of distillation are labels and what the teacher says, mixed; without a teacher there are none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from autotl.config import TrialConfig
from autotl.errors import TrialError
from autotl.strategies.registry import strategy
from autotl.task import TaskKind
from autotl.testing.workbench import tiny_workbench
from autotl.training.distillation import Distillation


def taught(folder, kind: TaskKind = TaskKind.MULTICLASS):
    """A bench whose teacher is sure of the class after the right one, or of a value one higher."""
    bench = tiny_workbench(folder, kind=kind)
    targets = bench.dataset.targets
    if kind is TaskKind.REGRESSION:
        return replace(bench, teacher=(targets + 1.0).astype(np.float32))
    if kind is TaskKind.MULTILABEL:
        return replace(bench, teacher=np.where(targets > 0, 0.2, 0.9).astype(np.float32))
    classes = len(bench.task.classes)
    wrong = np.full((len(targets), classes), 0.1, np.float32)
    wrong[np.arange(len(targets)), (targets + 1) % classes] = 1.0 - 0.1 * (classes - 1)
    return replace(bench, teacher=wrong)


@pytest.mark.parametrize("kind", [TaskKind.MULTICLASS, TaskKind.MULTILABEL, TaskKind.REGRESSION])
def test_the_share_of_the_teacher_goes_from_none_to_all(tmp_path, kind):
    bench, rows = taught(tmp_path, kind), np.arange(6)
    own = bench.indicators(rows)
    assert torch.allclose(Distillation(0.0, 1.0).targets(bench, rows), own, atol=1e-5)
    full = Distillation(1.0, 1.0).targets(bench, rows)
    if kind is TaskKind.REGRESSION:
        assert torch.allclose(full - own, torch.full_like(own, 1 / bench.target_scaling()[1]), atol=1e-4)
    else:
        assert torch.allclose(full, torch.from_numpy(bench.teacher[rows]), atol=1e-4)
    half = Distillation(0.5, 1.0).targets(bench, rows)
    assert torch.allclose(half, (own + full) / 2, atol=1e-5)


def test_temperature_softens_the_teacher_and_keeps_its_order(tmp_path):
    bench, rows = taught(tmp_path), np.arange(4)
    sharp, soft = (Distillation(1.0, t).targets(bench, rows) for t in (1.0, 4.0))
    assert torch.allclose(soft.sum(dim=1), torch.ones(4))
    assert (soft.max(dim=1).values < sharp.max(dim=1).values).all()
    assert torch.equal(soft.argmax(dim=1), sharp.argmax(dim=1))


def test_a_student_learns_what_its_teacher_says_not_the_labels(tmp_path):
    bench = taught(tmp_path)
    params = {"epochs": 8, "learning_rate": 3e-3, "augment": "none", "head_learning_rate_factor": 10.0}
    config = TrialConfig(bench.backbone.info.name, "distill", {**params, "teacher_share": 1.0})
    run = strategy("distill").start(bench, config)
    first = run.step()
    while not run.done:
        last = run.step()
    assert last.train_loss < first.train_loss
    model, rows = run.model(), bench.splits.train
    with torch.inference_mode():
        said = model.predict(bench.frozen.inputs.batch(rows)).argmax(dim=1).numpy()
    taught_class = bench.teacher[rows].argmax(axis=1)
    assert (said == taught_class).mean() > (said == bench.dataset.targets[rows]).mean()


def test_without_a_teacher_the_trial_fails_with_what_to_type(tmp_path):
    bench = replace(tiny_workbench(tmp_path), teacher=None)
    run = strategy("distill").start(bench, TrialConfig(bench.backbone.info.name, "distill", {"epochs": 1}))
    with pytest.raises(TrialError, match=r"nobody to learn from.*--distill-to NAME"):
        run.step()
