"""A TOML file overrides what strategies declare; a mistake in it is named with its line."""

from __future__ import annotations

import pytest

from autotl.config import Choice, Float, Int, TrialConfig
from autotl.errors import SpaceError
from autotl.space.document import read
from autotl.space.space import SearchSpace


class _Strategy:
    def __init__(self, name, **parameters):
        self.name, self._parameters = name, parameters

    def parameters(self, profile):
        return dict(self._parameters)


_PROBE = _Strategy(
    "linear_probe",
    head=Choice(("logistic", "ridge"), "logistic"),
    depths=Choice(("last", "all"), "last"),
    regularisation=Choice(("auto", 1.0), "auto"),
)
_FULL = _Strategy(
    "full",
    learning_rate=Float(1e-5, 1e-2, 1e-3, log=True),
    epochs=Int(1, 10, 5),
    augment=Choice(("none", "light"), "light"),
    views=Choice((1, 2), 2),
)
_TOP = _Strategy("top_k", learning_rate=Float(1e-5, 1e-2, 1e-3, log=True), epochs=Int(1, 10, 5))
_ALL = {s.name: s for s in (_PROBE, _FULL, _TOP)}
_BACKBONES = '[[backbones]]\nname = "tiny"\n[[backbones]]\nname = "small"\n'


def _load(text, **facts):
    return SearchSpace.from_toml(text + "\n" + _BACKBONES, strategies=_ALL, profile=facts or None)


def _domain(space, strategy, name):
    part = next(p for p in space.strategies if p.name == strategy)
    return next((p.domain for p in part.parameters if p.name == name), None)


def test_without_tables_the_strategies_own_domains_and_defaults_stand():
    space = _load("")
    assert _domain(space, "full", "epochs") == Int(1, 10, 5)
    assert [config.strategy for config in space.portfolio()] == ["linear_probe", "full", "top_k"]
    assert space.portfolio()[0] == TrialConfig(
        "tiny", "linear_probe", {"head": "logistic", "depths": "last", "regularisation": "auto"}
    )


def test_a_table_overrides_only_the_keys_that_it_states():
    space = _load("[parameters.epochs]\nhigh = 4")
    assert _domain(space, "full", "epochs") == Int(1, 4, 4)


def test_a_strategys_own_range_gets_its_own_name_in_the_study():
    space = _load("[strategies.full.parameters.learning_rate]\nhigh = 1e-3")
    names = {part.name: [p.optuna_name for p in part.parameters] for part in space.strategies}
    assert "full.learning_rate" in names["full"] or "top_k.learning_rate" in names["top_k"]
    assert _domain(space, "full", "learning_rate") == Float(1e-5, 1e-3, 1e-3, log=True)
    assert _domain(space, "top_k", "learning_rate") == Float(1e-5, 1e-2, 1e-3, log=True)


def test_a_table_can_turn_a_range_into_a_choice():
    space = _load('[parameters.epochs]\ntype = "choice"\noptions = [1, 4]')
    assert _domain(space, "full", "epochs") == Choice((1, 4), 1)


def test_a_condition_on_the_strategy_removes_the_parameter_from_others():
    space = _load('[parameters.epochs]\nwhen = { strategy = ["full"] }')
    assert _domain(space, "full", "epochs") == Int(1, 10, 5)
    assert _domain(space, "top_k", "epochs") is None


def test_a_condition_on_another_parameter_is_tested_in_the_trial():
    space = _load('[parameters.views]\nwhen = { augment = ["light"] }')
    assert "views" in space.complete("tiny", "full", {"augment": "light"}).params
    assert "views" not in space.complete("tiny", "full", {"augment": "none"}).params


def test_a_condition_on_the_profile_fixes_the_parameter_at_its_default():
    text = '[parameters.views]\nprofile = { "rows.train" = { max = 100 } }'
    assert _domain(_load(text, rows={"train": 50}), "full", "views") == Choice((1, 2), 2)
    assert _domain(_load(text, rows={"train": 500}), "full", "views") == Choice((2,), 2)


def test_an_adjustment_applies_where_its_condition_holds():
    text = "[parameters.epochs]\nhigh = 8\n[[parameters.epochs.adjust]]\nhigh = 30\n"
    text += 'profile = { "rows.train" = { max = 100 } }\n'
    assert _domain(_load(text, rows={"train": 50}), "full", "epochs").high == 30
    assert _domain(_load(text, rows={"train": 500}), "full", "epochs").high == 8


def test_a_disabled_strategy_is_gone_and_an_unsearched_one_is_a_control():
    space = _load("[strategies.full]\nenabled = false\n[strategies.top_k]\nsearched = false")
    assert [part.name for part in space.strategies] == ["linear_probe", "top_k"]
    assert [config.strategy for config in space.controls()] == ["top_k"]
    assert [config.strategy for config in space.portfolio()] == ["linear_probe"]


def test_portfolio_entries_are_complete_in_order_and_once():
    entry = '[[portfolio]]\nstrategy = "full"\nparams = { epochs = 2 }\n'
    others = '[[portfolio]]\nstrategy = "linear_probe"\nbackbone = "others"\n'
    space = _load(entry + others + entry)
    found = [(c.backbone, c.strategy, c.epochs) for c in space.portfolio()]
    assert found == [("tiny", "linear_probe", 1), ("tiny", "full", 2), ("small", "linear_probe", 1)]
    assert all(space.contains(config) for config in space.portfolio())


def test_a_portfolio_entry_whose_condition_fails_is_left_out():
    text = '[[portfolio]]\nstrategy = "full"\nprofile = { "task.kind" = "binary" }'
    assert len(_load(text, task={"kind": "binary"}).portfolio()) == 2
    assert len(_load(text, task={"kind": "regression"}).portfolio()) == 1


_MISTAKES = [
    ("a = = 1", 1, "malformed TOML"),
    ("\n\n[parameters.epochs\nhigh = 4", 3, "malformed TOML"),
    ("[paramters.epochs]\nhigh = 4", 1, "unknown key; found 'paramters'; .*Did you mean 'parameters'"),
    ("parameters = 3", 1, "parameters has the wrong type; found 3; expected a table"),
    ("portfolio = 3", 1, "portfolio has the wrong type; found 3; expected an array"),
    ("[parameters.epochs]\nhigh = 4\nhihg = 5", 3, "unknown key; found 'hihg'; .*Did you mean 'high'"),
    ("[parameters.epochs]\nhigh = '4'", 2, "high has the wrong type; found '4'; expected a number"),
    ("[parameters.epochs]\nhigh = true", 2, "high has the wrong type; found True"),
    ("[parameters.epochs]\nhigh = 4.5", 2, "high of epochs is no whole number; found 4.5"),
    (
        "[parameters.epochs]\nlow = 20",
        2,
        "low of epochs is wrong; found low = 20, high = 10; expected low <= high",
    ),
    (
        "[parameters.epochs]\n\n# why\ndefault = 11",
        4,
        "default of epochs is wrong; found 11; expected a value from 1 to 10",
    ),
    ("[parameters.learning_rate]\nlow = 0", 2, "low of learning_rate is wrong; found 0; expected low > 0"),
    ("[parameters.epochs]\noptions = [1, 2]", 2, 'epochs is of type int; found options; .*type = "choice"'),
    ("[parameters.views]\nlow = 1", 2, "views is of type choice; found low; expected options, default"),
    ("[parameters.views]\noptions = []", 2, "options of views is wrong; found an empty list"),
    (
        "[parameters.views]\noptions = [1, 1]",
        2,
        r"options of views is wrong; found \[1, 1\]; expected each value once",
    ),
    ("[parameters.views]\noptions = [[1]]", 2, "options of views are no plain values"),
    ("[parameters.epochs]\ntype = 'itn'", 2, "unknown type of parameter; found 'itn'; .*Did you mean 'int'"),
    ("[parameters.epochs]\ntype = 'choice'", 2, "epochs needs options"),
    ("[parameters.epoch]\nhigh = 4", 1, "reads none of this name; found 'epoch'; .*Did you mean 'epochs'"),
    ("[parameters]\nepoch = { high = 4 }", 2, "reads none of this name; found 'epoch'"),
    ("[strategies.ful]\nenabled = true", 1, "unknown strategy; found 'ful'; .*Did you mean 'full'"),
    ("[strategies.top_k.parameters.views]\noptions = [1]", 1, "top_k reads none of this name; found 'views'"),
    (
        "[strategies.linear_probe]\nenabled = false",
        2,
        "linear_probe cannot be left out; found enabled = false",
    ),
    (
        "[parameters.views]\nwhen = { augmnt = 'light' }",
        2,
        "unknown parameter in a condition; found 'augmnt'",
    ),
    ("[parameters.views]\nwhen = { strategy = ['ful'] }", 2, "unknown strategy; found 'ful'"),
    (
        "[parameters.views]\nprofile = { rows = { mx = 3 } }",
        2,
        "malformed condition on rows; found a table with mx",
    ),
    ("[parameters.views]\nwhen = { augment = [] }", 2, "malformed condition on augment; found an empty list"),
    ("[[portfolio]]\nbackbone = 'tiny'", 1, "a portfolio entry without a strategy"),
    ("[[portfolio]]\nstrategy = 'full'\n[[portfolio]]\nstrategy = 'fll'", 4, "unknown strategy; found 'fll'"),
    (
        "[[portfolio]]\nstrategy = 'full'\nbackbone = 'tny'",
        3,
        "unknown backbone; found 'tny'; .*Did you mean 'tiny'",
    ),
    (
        "[[portfolio]]\nstrategy = 'full'\nparams = { epoch = 3 }",
        3,
        "full reads none of this name; found 'epoch'",
    ),
    (
        "[[portfolio]]\nstrategy = 'full'\n[portfolio.params]\nepochs = 30",
        4,
        "epochs is out of its range; found 30; expected 1 to 10",
    ),
    (
        "[[portfolio]]\nstrategy = 'full'\nparams = { epochs = 'x' }",
        3,
        "epochs is out of its range; found 'x'",
    ),
]


@pytest.mark.parametrize(("text", "line", "message"), _MISTAKES)
def test_a_mistake_is_named_with_its_line(text, line, message):
    with pytest.raises(SpaceError, match=message) as caught:
        _load(text)
    assert f"line {line}: " in str(caught.value)


def test_conditions_that_go_in_a_circle_are_refused():
    text = "[parameters.views]\nwhen = { augment = 'light' }\n[parameters.augment]\nwhen = { views = 1 }"
    with pytest.raises(SpaceError, match="conditions go in a circle"):
        _load(text)


def test_a_file_is_named_in_its_mistakes(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[parameters.epochs]\nhihg = 3\n")
    with pytest.raises(SpaceError, match=r"mine\.toml, line 2: unknown key"):
        read(path)


def test_a_missing_file_and_one_that_is_not_text_are_told(tmp_path):
    with pytest.raises(SpaceError, match=r"cannot read the search space; found .*none\.toml \(No such file"):
        read(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SpaceError, match="is not UTF-8; found byte 0xff"):
        read(tmp_path / "bad.toml")


def test_a_file_without_backbones_is_no_whole_space():
    with pytest.raises(SpaceError, match="no backbones"):
        SearchSpace.from_toml("[parameters]\n", strategies=_ALL)
