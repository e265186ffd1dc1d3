"""`AutoTL` follows the conventions of scikit-learn, and refuses what it cannot use."""

from __future__ import annotations

import pytest
from sklearn.base import clone

from autotl import AutoTL
from autotl.automl.settings import Settings, pick_device
from autotl.errors import AutotlError, BudgetError, RunError, SettingsError, StorageError


def test_parameters_stay_as_given():
    model = AutoTL(time_budget="3m", backbones="a,b", seed=7)
    parameters = model.get_params()
    assert parameters["time_budget"] == "3m"
    assert parameters["backbones"] == "a,b"
    assert model.set_params(seed=8) is model
    assert model.seed == 8


def test_it_can_be_cloned():
    model = AutoTL(trials=4, metric="macro_f1")
    assert clone(model).get_params() == model.get_params()


def test_its_form_shows_what_differs_from_the_defaults():
    assert repr(AutoTL(trials=4)) == "AutoTL(trials=4)"


def test_an_unknown_parameter_is_named():
    with pytest.raises(ValueError, match=r"unknown parameter 'budget'; expected one of time_budget, trials"):
        AutoTL().set_params(budget=3)


def test_predicting_comes_after_fitting():
    with pytest.raises(RunError, match=r"this AutoTL is not fitted yet\. Call fit\(data\) first\."):
        AutoTL().predict(["a"])


@pytest.mark.parametrize(
    ("parameters", "kind", "message"),
    [
        (
            {"quality": "superb"},
            SettingsError,
            "unknown quality; found 'superb'; expected fast or balanced or best.",
        ),
        ({"engine": "spark"}, SettingsError, "unknown engine; found 'spark'; expected local or ray."),
        ({"license": "mit"}, SettingsError, "unknown license; found 'mit'; expected permissive or any."),
        (
            {"test_share": 1.0},
            SettingsError,
            "test_share is no share; found 1.0; expected a number between 0 and 1.",
        ),
        (
            {"val_share": 0},
            SettingsError,
            "val_share is no share; found 0; expected a number between 0 and 1.",
        ),
        ({"trials": 0}, SettingsError, "trials leaves nothing to do; found 0; expected 1 or more."),
        (
            {"time_budget": "soon"},
            BudgetError,
            "not a duration; found 'soon'; "
            "expected a positive one, such as 90s, 10m, 1h30m, or 600 for seconds.",
        ),
    ],
)
def test_bad_parameters_are_refused_with_what_was_expected(parameters, kind, message):
    with pytest.raises(kind) as refused:
        Settings.of(AutoTL(**parameters).get_params())
    assert str(refused.value) == message
    assert isinstance(refused.value, AutotlError)


def test_settings_survive_json():
    settings = Settings.of(AutoTL(text="a,b", out="runs/x", cache_dir="c").get_params())
    assert Settings.from_json(settings.to_json()) == settings


@pytest.mark.parametrize(("given", "meant"), [(None, None), ("5GB", 5 * 10**9), ("0", 0), (0, 0)])
def test_the_limit_of_the_cache_is_read_as_bytes(given, meant):
    assert Settings.of(AutoTL(cache_limit=given).get_params()).cache_limit == meant


def test_an_unknown_device_is_refused():
    with pytest.raises(RunError, match="no such device; found abacus; expected auto, cpu, cuda"):
        pick_device("abacus", None)


def test_a_device_on_which_nothing_is_computed_is_refused():
    with pytest.raises(RunError, match="no such device; found meta; expected auto, cpu, cuda"):
        pick_device("meta", None)


def test_a_run_folder_that_cannot_be_written_is_refused_before_anything_else(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"cannot write the run folder; found .*Choose another with --out"):
        AutoTL(out=tmp_path / "file" / "run").fit(["a", "b"], ["x", "y"])
