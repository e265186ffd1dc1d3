"""A run that goes on searches what is left of its space when some of its backbones may no longer be used."""

from __future__ import annotations

import json
from dataclasses import replace

import optuna
import pytest

from autotl.config import Choice, Float
from autotl.errors import SpaceError
from autotl.space.narrowed import narrowed
from autotl.space.space import SearchSpace

SPACE = """
[[backbones]]
name = "first"
[[backbones]]
name = "second"
[[backbones]]
name = "third"
[[portfolio]]
strategy = "full"
params = { learning_rate = 2e-3 }
[[portfolio]]
strategy = "full"
backbone = "others"
limit = 1
params = { learning_rate = 3e-3 }
[[portfolio]]
strategy = "full"
backbone = "second"
params = { learning_rate = 4e-3 }
"""


class _Rated:
    def __init__(self, name):
        self.name = name

    def parameters(self, profile):
        return {"head": Choice(("logistic",), "logistic"), "learning_rate": Float(1e-4, 1e-2, 1e-3)}


@pytest.fixture
def space():
    return SearchSpace.from_toml(SPACE, strategies={name: _Rated(name) for name in ("linear_probe", "full")})


def entries(space):
    return [(entry.backbone, entry.strategy, entry.get("learning_rate")) for entry in space.portfolio()]


def test_a_backbone_that_is_left_out_is_never_suggested(space):
    found = narrowed(space, {"first", "third"})
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    seen = set()
    for _ in range(50):
        config = found.suggest(study.ask())
        seen.add(config.backbone)
        assert space.contains(config)
        study.enqueue_trial(found.to_optuna(config))
        assert found.suggest(study.ask()) == config
    assert seen == {"first", "third"}
    assert found.objection(space.default("second", "full")) == "backbone 'second' with full"


def test_entries_that_ask_for_any_backbone_move_and_those_that_ask_for_one_go(space):
    assert entries(space) == [
        ("first", "linear_probe", 1e-3),
        ("first", "full", 2e-3),
        ("second", "full", 3e-3),
        ("second", "full", 4e-3),
    ]
    found = narrowed(space, {"first", "third"})
    assert entries(found) == [
        ("first", "linear_probe", 1e-3),
        ("first", "full", 2e-3),
        ("first", "full", 3e-3),
    ]
    assert len(found.free) == 1


def test_what_is_to_be_tried_first_still_is_as_far_as_it_is_left(space):
    baseline, *_, named = space.portfolio()
    assert named.backbone == "second"
    leading = replace(space, leading=frozenset({baseline.key, named.key}))
    assert SearchSpace.from_json(json.loads(json.dumps(leading.to_json()))) == leading
    assert narrowed(leading, {"first", "second"}).leading == leading.leading
    assert narrowed(leading, {"first", "third"}).leading == {baseline.key}


def test_without_the_default_backbone_the_best_one_carries_the_baseline(space):
    found = narrowed(space, {"second", "third"})
    assert (found.backbones, found.default_backbone) == (("second", "third"), "second")
    assert entries(found)[:2] == [("second", "linear_probe", 1e-3), ("second", "full", 2e-3)]
    assert narrowed(space, {"third"}).default_backbone == "third"


def test_where_all_may_be_used_the_space_is_the_same(space):
    assert narrowed(space, {"first", "second", "third", "another"}) == space


def test_what_is_left_survives_json(space):
    found = narrowed(space, {"third"})
    assert SearchSpace.from_json(found.to_json()) == found


def test_where_none_may_be_used_that_is_said(space):
    with pytest.raises(SpaceError, match=r"no backbone is left to search with; found first, second, third"):
        narrowed(space, {"another"})
