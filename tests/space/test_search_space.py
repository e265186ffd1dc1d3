"""A search space suggests, contains, enqueues and stores the same configurations."""

from __future__ import annotations

import json
import math

import optuna
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autotl.config import Choice, Float, Int, TrialConfig
from autotl.errors import SpaceError
from autotl.space.ranked import ranked
from autotl.space.resolve import Bounds, resolve
from autotl.space.space import Parameter, SearchSpace, StrategySpace

optuna.logging.set_verbosity(optuna.logging.ERROR)

_NAMES = ("alpha", "beta", "gamma", "delta")


@st.composite
def _domains(draw):
    kind = draw(st.sampled_from(["float", "log", "int", "choice"]))
    if kind == "choice":
        pool = ["auto", "none", 1, 2, 0.5, 0.25]
        options = tuple(draw(st.lists(st.sampled_from(pool), min_size=1, max_size=4, unique=True)))
        return Choice(options, draw(st.sampled_from(options)))
    if kind == "int":
        low = draw(st.integers(1, 5))
        high = low + draw(st.integers(0, 5))
        return Int(low, high, draw(st.integers(low, high)))
    low = draw(st.floats(1e-6, 1e-2))
    high = low * draw(st.floats(1.0, 1e3))
    return Float(low, high, low, log=kind == "log")


@st.composite
def _spaces(draw):
    backbones = tuple(f"net{i}" for i in range(draw(st.integers(1, 3))))
    shared = {name: draw(_domains()) for name in _NAMES}
    parts = []
    for index in range(draw(st.integers(1, 3))):
        count = draw(st.integers(1, len(backbones)))
        parameters = []
        for name in draw(st.lists(st.sampled_from(_NAMES), unique=True)):
            own = draw(st.booleans())
            domain = draw(_domains()) if own else shared[name]
            when = {}
            if parameters and draw(st.booleans()):
                other = parameters[-1]
                options = other.domain.options if isinstance(other.domain, Choice) else None
                when = {other.name: [options[0]] if options else {"max": other.domain.default}}
            optuna_name = f"s{index}.{name}" if own else name
            parameters.append(Parameter(name, optuna_name, domain, when))
        parts.append(StrategySpace(f"s{index}", backbones[:count], tuple(parameters)))
    space = SearchSpace(backbones, backbones[0], tuple(parts))
    return SearchSpace(backbones, backbones[0], tuple(parts), (space.default(backbones[0], "s0"),))


def _ask(space, number=1, seed=0):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    return [space.suggest(study.ask()) for _ in range(number)]


_quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@_quick
@given(_spaces(), st.integers(0, 1000))
def test_every_suggestion_is_contained(space, seed):
    for config in _ask(space, 5, seed):
        assert space.objection(config) is None


@_quick
@given(_spaces(), st.integers(0, 1000))
def test_an_enqueued_configuration_is_suggested_exactly(space, seed):
    for config in [*_ask(space, 3, seed), *space.portfolio()]:
        study = optuna.create_study()
        study.enqueue_trial(space.to_optuna(config))
        suggested = space.suggest(study.ask())
        assert suggested == config
        assert suggested.key == config.key


@_quick
@given(_spaces())
def test_a_space_survives_json(space):
    again = SearchSpace.from_json(json.loads(json.dumps(space.to_json())))
    assert again == space
    assert again.to_json() == space.to_json()


@_quick
@given(_spaces(), st.integers(0, 1000))
def test_a_restored_space_suggests_the_same_under_the_same_seed(space, seed):
    again = SearchSpace.from_json(json.loads(json.dumps(space.to_json())))
    assert _ask(again, 3, seed) == _ask(space, 3, seed)


@_quick
@given(_spaces(), st.integers(0, 1000))
def test_a_parameter_exists_exactly_where_its_conditions_hold(space, seed):
    for config in _ask(space, 5, seed):
        part = next(p for p in space.strategies if p.name == config.strategy)
        for parameter in part.parameters:
            holds = True
            for other, test in parameter.when.items():
                value = config.get(other)
                if isinstance(test, dict):
                    holds &= value is not None and value <= test["max"]
                else:
                    holds &= value in test
            assert (parameter.name in config.params) == holds


@_quick
@given(_spaces())
def test_defaults_are_contained(space):
    for part in space.strategies:
        for backbone in part.backbones:
            assert space.contains(space.default(backbone, part.name))


@_quick
@given(_spaces(), st.sampled_from(_NAMES), st.sampled_from([-1.0, 1e9, "surely not", 3, True]))
def test_completing_any_values_gives_a_contained_configuration(space, name, value):
    part = space.strategies[0]
    assert space.contains(space.complete(part.backbones[0], part.name, {name: value, "nonsense": 1}))


def _space(**changes):
    rate = Float(1e-4, 1e-1, 1e-2, log=True)
    epochs = Int(1, 10, 3)
    parts = (
        StrategySpace("probe", ("a", "b"), (Parameter("head", "head", Choice(("x", "y"), "x")),)),
        StrategySpace(
            "full",
            ("a",),
            (Parameter("rate", "rate", rate), Parameter("epochs", "epochs", epochs, {"rate": {"max": 0.01}})),
        ),
        StrategySpace("scratch", ("a", "b"), (Parameter("rate", "rate", rate),), searched=False),
    )
    return SearchSpace(("b", "a"), "a", parts)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (TrialConfig("a", "none", {}), "strategy 'none'"),
        (TrialConfig("b", "full", {"rate": 0.01, "epochs": 2}), "backbone 'b' with full"),
        (TrialConfig("a", "full", {"rate": 0.01}), "no epochs"),
        (TrialConfig("a", "full", {"rate": 0.1, "epochs": 2}), "epochs, which does not apply"),
        (TrialConfig("a", "full", {"rate": 1.0, "epochs": 2}), "rate = 1.0"),
        (TrialConfig("a", "full", {"rate": 0.01, "epochs": True}), "epochs = True"),
        (TrialConfig("a", "full", {"rate": math.nan}), "rate = nan"),
        (TrialConfig("a", "probe", {"head": "z"}), "head = 'z'"),
    ],
)
def test_what_is_not_in_the_space_is_told(config, reason):
    space = _space()
    assert not space.contains(config)
    assert space.objection(config) == reason
    with pytest.raises(SpaceError, match="cannot be enqueued"):
        space.to_optuna(config)


def test_a_control_is_contained_and_offered_but_never_suggested():
    space = _space()
    assert space.controls() == [TrialConfig("a", "scratch", {"rate": 1e-2})]
    assert space.contains(space.controls()[0])
    assert {config.strategy for config in _ask(space, 60)} == {"probe", "full"}
    with pytest.raises(SpaceError, match="a control"):
        space.to_optuna(space.controls()[0])


def test_completing_for_a_backbone_that_the_strategy_cannot_carry_is_refused():
    with pytest.raises(
        SpaceError, match=r"backbone 'b' is not in the space of full; found 'b'; expected a\."
    ):
        _space().default("b", "full")


def test_one_study_takes_all_strategies_without_changed_distributions():
    class Strategy:
        def __init__(self, name, high):
            self.name, self.high = name, high

        def parameters(self, profile):
            return {"rate": Float(0.0, self.high, 0.0), "epochs": Int(1, 3, self.high)}

    strategies = {name: Strategy(name, high) for name, high in (("one", 1), ("two", 1), ("three", 2))}
    space = resolve([], strategies, Bounds({"a": {}, "b": {}}, "a"), {})
    names = {p.name: p.optuna_name for p in space.strategies[2].parameters}
    assert names == {"rate": "three.rate", "epochs": "epochs"}
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    for index in range(30):
        trial = study.ask()
        assert space.contains(space.suggest(trial))
        study.tell(trial, float(index))


def test_the_description_is_ready_for_json_and_says_every_range():
    described = json.loads(json.dumps(_space().describe()))
    full = described["strategies"][1]
    assert full["parameters"][0] == {
        "name": "rate",
        "values": "0.0001 to 0.1 (log)",
        "default": 0.01,
        "when": {},
    }


def _portfolio_space():
    probe = StrategySpace(
        "probe",
        ("c", "b", "a"),
        (
            Parameter("head", "head", Choice(("x", "y"), "x")),
            Parameter("input_size", "input_size", Choice((0, 128), 0)),
        ),
    )
    full = StrategySpace("full", ("c", "a"), (Parameter("rate", "rate", Float(0.1, 0.9, 0.5)),))
    space = SearchSpace(("c", "b", "a"), "a", (probe, full))
    entries = (
        space.default("a", "probe"),
        space.complete("a", "probe", {"head": "y"}),
        space.complete("c", "probe", {"head": "y"}),
        space.complete("b", "probe", {"head": "x"}),
        space.complete("c", "full", {"rate": 0.2}),
    )
    return SearchSpace(
        space.backbones, "a", space.strategies, entries, frozenset({entries[2].key, entries[4].key})
    )


def _tried(space):
    return [(e.backbone, e.strategy, e.get("head") or e.get("rate")) for e in space.portfolio()]


def test_a_ranked_space_gives_free_entries_to_the_best_backbones():
    space = ranked(_portfolio_space(), {"b": {}, "a": {}, "c": {}})
    assert space.backbones == ("b", "a", "c")
    assert [s.backbones for s in space.strategies] == [("b", "a", "c"), ("a", "c")]
    assert _tried(space) == [
        ("a", "probe", "x"),  # the baseline
        ("b", "probe", "y"),  # free, and better than the default
        ("a", "probe", "y"),
        ("b", "probe", "x"),  # asked for by name
        ("c", "full", 0.2),  # the only other one that the strategy carries
    ]
    assert space.default_backbone == "a"
    assert all(space.contains(entry) for entry in space.portfolio())
    assert SearchSpace.from_json(json.loads(json.dumps(space.to_json()))) == space


def test_a_ranked_space_reads_backbones_at_the_size_that_suits_them():
    space = ranked(_portfolio_space(), {"b": {"input_size": 128}, "c": {}, "a": {}})
    sizes = [(entry.backbone, entry.get("input_size")) for entry in space.portfolio()]
    assert sizes == [("a", 0), ("b", 128), ("a", 0), ("b", 0), ("c", None)]


def test_ranking_in_the_order_that_is_there_changes_only_who_of_neighbours_is_first():
    space = _portfolio_space()
    again = ranked(space, {name: {} for name in space.backbones})
    assert {e.key for e in again.entries} == {e.key for e in space.entries}
    assert _tried(again)[1:3] == [("c", "probe", "y"), ("a", "probe", "y")]
    assert ranked(again, {name: {} for name in space.backbones}) == again
