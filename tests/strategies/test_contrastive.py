"""Contrastive fine-tuning: its loss, its head, and where it is offered."""

from __future__ import annotations

import math
from operator import mul

import pytest
import torch

from autotl.backbones.catalogue import space_files
from autotl.config import TrialConfig
from autotl.profile.profile import DatasetProfile
from autotl.space.space import SearchSpace
from autotl.strategies.contrastive import SupervisedContrastive
from autotl.strategies.registry import strategy
from autotl.task import Task, TaskKind, default_metric
from autotl.testing.backbones import tiny_image_backbone, tiny_text_backbone
from autotl.testing.workbench import tiny_workbench
from autotl.training.heads import fit_head

SHORT = {"epochs": 3, "batch_size": 8, "learning_rate": 3e-3, "augment": "none"}


def start(bench, state=None, name="contrastive", **params):
    return strategy(name).start(bench, TrialConfig("tiny", name, {**SHORT, **params}), state)


def loss(features, labels, temperature=0.1):
    targets = torch.nn.functional.one_hot(torch.tensor(labels)).float()
    return SupervisedContrastive(temperature).loss(features, targets, head_loss=None)


def test_the_loss_is_that_of_the_paper():
    features, labels = torch.randn(7, 5, generator=torch.Generator().manual_seed(0)), [0, 0, 0, 1, 1, 2, 3]
    unit = (features / features.norm(dim=1, keepdim=True)).tolist()
    terms = []
    for i, row in enumerate(unit):
        positives = [j for j in range(7) if j != i and labels[j] == labels[i]]
        shares = {j: math.exp(sum(map(mul, row, unit[j])) / 0.1) for j in range(7) if j != i}
        if positives:
            terms.append(-sum(math.log(shares[j] / sum(shares.values())) for j in positives) / len(positives))
    assert loss(features, labels) == pytest.approx(sum(terms) / 5, rel=1e-5)


@pytest.mark.parametrize("labels", [[0], [0, 1, 2]])
def test_rows_without_another_of_their_class_give_no_gradient(labels):
    features = torch.randn(len(labels), 4).requires_grad_()
    value = loss(features, labels)
    value.backward()
    assert value == 0
    assert not features.grad.any()


def test_training_draws_classes_together(tmp_path):
    run = start(tiny_workbench(tmp_path, "text"), epochs=4)
    losses = []
    while not run.done:
        losses.append(run.step().train_loss)
    assert losses[-1] < losses[0]


def test_the_head_is_the_regression_on_the_tuned_embeddings(tmp_path):
    bench = tiny_workbench(tmp_path, "text")
    run = start(bench, epochs=1, cut=0.0)
    score = run.step().score
    model = run.model()
    with torch.no_grad():
        train, val = (
            model.features(bench.frozen.inputs.batch(r)) for r in (bench.splits.train, bench.splits.val)
        )
    head, raw, expected = fit_head(bench, "logistic", train, val)
    assert score == expected
    assert torch.allclose(raw, run.validation_outputs(), atol=1e-2)
    assert run.refit_config().params["head_penalty"] == head.penalty


def test_a_batch_that_memory_halves_is_compared_within_its_parts(tmp_path):
    run = start(tiny_workbench(tmp_path, "text"))
    run._training_rows.rows = 4
    while not run.done:
        assert math.isfinite(run.step().train_loss)


@pytest.mark.parametrize("name", ["contrastive", "top_k"])
def test_a_resumed_training_still_knows_the_penalty_of_its_head(tmp_path, name):
    bench = tiny_workbench(tmp_path, "text")
    run = start(bench, name=name)
    run.step()
    resumed = start(bench, run.state(), name=name)
    assert resumed.refit_config() == run.refit_config()
    assert "head_penalty" in run.refit_config().params


def test_it_suits_texts_of_one_class_each(tmp_path):
    text, image = tiny_text_backbone(folder=tmp_path).info, tiny_image_backbone().info
    suited = {kind for kind in TaskKind if strategy("contrastive").suits(text, kind)}
    assert suited == {TaskKind.BINARY, TaskKind.MULTICLASS}
    assert not strategy("contrastive").suits(image, TaskKind.MULTICLASS)


@pytest.mark.parametrize(("rows_per_class", "offered"), [(16, True), (500, False)])
def test_it_is_offered_where_classes_have_few_rows(rows_per_class, offered):
    task = Task(TaskKind.MULTICLASS, ("a", "b", "c"), default_metric(TaskKind.MULTICLASS))
    rows = {"train": 3 * rows_per_class, "val": 30, "test": 30}
    facts = {"rows_per_class": float(rows_per_class)}
    profile = DatasetProfile("text", task.to_json(), rows, meta_features=facts).to_json()
    space = SearchSpace.from_toml(space_files()["text"], profile=profile)
    assert ("contrastive" in {each.name for each in space.strategies}) is offered
    assert ("contrastive" in {entry.strategy for entry in space.entries}) is offered
