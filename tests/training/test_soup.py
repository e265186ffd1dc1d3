"""The mean of the weights of several trainings of one network."""

from __future__ import annotations

import pytest
import torch

from autotl.config import TrialConfig
from autotl.errors import TrialError
from autotl.strategies.registry import strategy
from autotl.testing.workbench import tiny_workbench
from autotl.training.soup import can_average, soup


@pytest.fixture
def models(tmp_path):
    bench = tiny_workbench(tmp_path)
    found = []
    for rate in (1e-3, 5e-3):
        params = {"learning_rate": rate, "epochs": 1, "batch_norm": "train"}
        run = strategy("full").start(bench, TrialConfig("tiny", "full", params))
        run.step()
        found.append(run.model())
    return bench, found


def test_weights_and_statistics_are_averaged_and_the_members_left_alone(models):
    members = models[1]
    before = [{k: v.clone() for k, v in m.state_dict().items()} for m in members]
    joined = soup(members, [3, 1]).state_dict()
    name = next(k for k in joined if k.endswith("running_mean"))
    for key in (name, "head.weight"):
        assert not torch.equal(before[0][key], before[1][key])
        assert torch.allclose(joined[key], 0.75 * before[0][key] + 0.25 * before[1][key])
    for member, kept in zip(members, before, strict=True):
        assert all(torch.equal(value, kept[key]) for key, value in member.state_dict().items())


def test_the_mean_of_a_model_with_itself_predicts_the_same(models):
    bench, members = models
    batch = bench.frozen.inputs.batch(bench.splits.val)
    joined = soup([members[0], members[0]], [1, 1])
    with torch.inference_mode():
        assert torch.allclose(joined.predict(batch), members[0].predict(batch), atol=1e-6)


def test_other_depths_cannot_be_averaged(models):
    bench, members = models
    other = bench.model(bench.fresh_backbone(), torch.nn.Linear(8, 3), (1,))
    assert can_average(*members)
    assert not can_average(members[0], other)
    with pytest.raises(TrialError, match="weights of different networks cannot be averaged"):
        soup([members[0], other], [1, 1])
