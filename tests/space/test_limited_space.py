"""Backbones take no inputs larger than a deployed model can afford; limits say what is too much."""

from __future__ import annotations

import optuna
import pytest

from autotl.graph.footprint import Footprint
from autotl.space.limited import limited
from autotl.space.limits import Limits
from autotl.space.space import SearchSpace

SPACE = """
[[backbones]]
name = "big"
[[backbones]]
name = "small"
[[backbones]]
name = "other"
[parameters.input_size]
options = [0, 128, 160, 224]
default = 0
[[portfolio]]
strategy = "linear_probe"
backbone = "big"
params = { input_size = 224 }
[[portfolio]]
strategy = "full"
backbone = "big"
[[portfolio]]
strategy = "full"
backbone = "small"
params = { input_size = 224 }
"""


class _Sized:
    def __init__(self, name, size):
        self.name, self._size = name, size

    def parameters(self, profile):
        from autotl.config import Choice, Float

        fixed = {"head": Choice(("logistic",), "logistic"), "learning_rate": Float(1e-4, 1e-2, 1e-3)}
        return {"input_size": self._size, **fixed}


@pytest.fixture
def space():
    from autotl.config import Choice

    sizes = Choice((0, 128, 160, 224), 0)
    strategies = {name: _Sized(name, sizes) for name in ("linear_probe", "full")}
    return SearchSpace.from_toml(SPACE, strategies=strategies)


SIZES = {"big": [160, 128], "small": [0, 160, 128]}


def test_only_affordable_sizes_are_suggested(space):
    found = limited(space, SIZES)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    seen = {"big": set(), "small": set(), "other": set()}
    for _ in range(300):
        config = found.suggest(study.ask())
        seen[config.backbone].add(config.get("input_size"))
    assert seen == {"big": {128, 160}, "small": {0, 128, 160}, "other": {0, 128, 160, 224}}


def test_a_backbone_that_cannot_take_its_own_size_takes_the_largest_that_it_can_by_default(space):
    found = limited(space, SIZES)
    assert found.default("big", "full").get("input_size") == 160
    assert found.default("small", "full").get("input_size") == 0


def test_entries_of_the_portfolio_move_into_what_is_left(space):
    sizes = [(entry.backbone, entry.get("input_size")) for entry in limited(space, SIZES).portfolio()]
    assert ("big", 224) in [(e.backbone, e.get("input_size")) for e in space.portfolio()]
    assert ("big", 224) not in sizes
    assert ("small", 224) not in sizes
    assert {name for name, size in sizes if size == 160} == {"big"}


def test_what_is_suggested_can_be_enqueued_and_survives_json(space):
    found = limited(space, SIZES)
    assert SearchSpace.from_json(found.to_json()) == found
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(50):
        config = found.suggest(study.ask())
        study.enqueue_trial(found.to_optuna(config))
        assert found.suggest(study.ask()) == config
    assert found.objection(space.default("big", "full")) == "input_size = 0"


def test_without_sizes_the_space_is_the_same(space):
    assert limited(space, {}) == space


def test_a_size_that_the_space_does_not_offer_stands_alone(space):
    assert limited(space, {"big": [96]}).default("big", "full").get("input_size") == 96


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"max_size_bytes": 9_000_000}, "10 MB on disk is over the limit of 9, measured"),
        ({"max_memory_bytes": 150_000_000}, "200 MB of memory is over the limit of 150, measured"),
        ({"max_latency_ms": 5.0}, "7.25 ms a prediction is over the limit of 5, measured"),
        ({"max_latency_ms": 20.0, "batch": 8}, "31 ms a batch of 8 is over the limit of 20, measured"),
        ({"max_latency_ms": 40.0, "batch": 8}, None),
        ({"max_latency_ms": 8.0, "max_size_bytes": 10_000_000}, None),
        ({}, None),
    ],
)
def test_the_limit_that_is_exceeded_is_named(limits, words):
    assert Limits(**limits).exceeded_by(Footprint(10_000_000, 7.25, 200_000_000, 8, 31.0)) == words


def test_limits_are_true_where_there_is_one():
    assert not Limits(batch=8, threads=2)
    assert Limits(max_memory_bytes=1)


def test_what_a_model_takes_is_said_with_units():
    assert Limits().words(Footprint(10_000_000, 7.25)) == "7.25 ms a prediction, 10 MB on disk"
    said = Limits(batch=8).words(Footprint(10_000_000, 7.25, 200_000_000, 8, 31.0))
    assert said == "7.25 ms a prediction, 31 ms a batch of 8, 10 MB on disk, 200 MB of memory"
