"""The builder says why each backbone is in or out, and narrows the space to data, time and hardware."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from autotl.backbones.backbone import Availability, BackboneInfo
from autotl.backbones.catalogue import space_files
from autotl.config import Choice, Float, Int
from autotl.errors import SpaceError
from autotl.profile.profile import DatasetProfile
from autotl.space.builder import build_space
from autotl.space.limits import Limits


class _Strategy:
    def __init__(self, name, factor, suits=True, **parameters):
        self.name, self._factor, self._suits, self._parameters = name, factor, suits, parameters

    def suits(self, info, kind):
        return self._suits or info.name != "conv"

    def parameters(self, profile):
        return dict(self._parameters)

    def cost(self, config, macs, rows):
        return macs * rows * (1 + self._factor * config.epochs)


_STRATEGIES = {
    strategy.name: strategy
    for strategy in (
        _Strategy(
            "linear_probe",
            0,
            head=Choice(("logistic", "ridge"), "logistic"),
            depths=Choice(("last", "all"), "last"),
            regularisation=Choice(("auto", 1.0), "auto"),
        ),
        _Strategy("full", 3, epochs=Int(1, 12, 6), learning_rate=Float(1e-5, 1e-2, 1e-3, log=True)),
        _Strategy("adapters", 3, suits=False, epochs=Int(1, 12, 6)),
    )
}


def _info(name, macs=4e8, prior=0.7, **changes):
    facts = {"licence": "Apache-2.0", "commercial": True, "parameters": 4_000_000, "input": {"size": 224}}
    return BackboneInfo(name, "toy", "packaged", "x", macs=int(macs), prior=prior, **{**facts, **changes})


def _profile(rows=1000, **changes):
    task = {"kind": "multiclass", "classes": ["a", "b"], "metric": "accuracy"}
    return DatasetProfile("toy", task, {"train": rows, "val": rows // 4, "test": rows // 4}, **changes)


def _build(infos, profile=None, **arguments):
    available = {info.name: Availability(True, "in package toy") for info in infos}
    available.update(arguments.pop("available", {}))
    arguments.setdefault("threads", 2)
    arguments.setdefault("licence", "permissive")
    arguments.setdefault("strategies", _STRATEGIES)
    return build_space(profile or _profile(), infos, available, **arguments)


def _reasons(choices):
    return {choice.name: choice.reason for choice in choices if not choice.included}


def test_the_baseline_is_first_on_the_default_backbone():
    space, choices = _build([_info("small"), _info("good", prior=0.8)])
    first = space.portfolio()[0]
    assert (first.backbone, first.strategy) == ("good", "linear_probe")
    assert dict(first.params) == {"depths": "last", "head": "logistic", "regularisation": "auto"}
    assert [choice.name for choice in choices if choice.is_default] == ["good"]


def test_the_default_backbone_is_the_best_whose_first_pass_is_short():
    infos = [_info("tiny", 1e8, 0.6), _info("middle", 4e8, 0.7), _info("huge", 8e9, 0.9)]
    space, _ = _build(infos, time_seconds=1200.0)
    assert space.default_backbone == "middle"
    assert space.backbones[0] == "huge"


def test_every_reason_to_leave_a_backbone_out_is_told():
    infos = [
        _info("ok"),
        _info("closed", licence="CC-BY-NC-4.0", commercial=False),
        _info("far"),
        _info("heavy", parameters=90_000_000),
        _info("slow", 4e11),
        _info("french", languages=("fr",)),
        _info("many", languages=("mul",)),
    ]
    space, choices = _build(
        infos,
        _profile(inputs={"languages": {"en": 0.9, "fr": 0.1}}),
        available={"far": Availability(False, "offline; not in the cache")},
        limits=Limits(max_size_bytes=200_000_000),
        time_seconds=600.0,
    )
    assert set(space.backbones) == {"ok", "many"}
    assert _reasons(choices) == {
        "closed": "licence CC-BY-NC-4.0 is not permissive; --license any admits it",
        "far": "unavailable: offline; not in the cache",
        "heavy": "about 360 MB is over the limit of 200 MB",
        "slow": "too large for the time: one pass over the rows takes about 20833 s",
        "french": "wrong language: knows fr, the texts are in en",
    }


def test_what_is_far_over_a_limit_is_left_out_without_a_measurement():
    infos = [_info("ok"), _info("large", parameters=31_000_000), _info("late", 4.8e10)]
    limits = Limits(max_size_bytes=100_000_000, max_latency_ms=190.0)
    _, choices = _build(infos, limits=limits)
    assert _reasons(choices) == {
        "large": "about 124 MB is over the limit of 100 MB",
        "late": "about 2000.0 ms a prediction is over the limit of 190 ms",
    }
    assert _reasons(_build(infos[2:], limits=Limits(max_latency_ms=210.0))[1]) == {}


def test_what_was_measured_over_a_limit_makes_room_for_the_next_best():
    infos = [_info(name, prior=prior) for name, prior in (("a", 0.9), ("b", 0.8), ("c", 0.7), ("d", 0.6))]
    space, _ = _build(infos, quality="fast")
    assert space.backbones == ("a", "b", "c")
    space, choices = _build(infos, quality="fast", objections={"a": "31 ms a prediction is over the limit"})
    assert space.backbones == ("b", "c", "d")
    assert space.default_backbone == "b"
    assert _reasons(choices) == {"a": "31 ms a prediction is over the limit"}


def test_what_meets_the_limits_with_small_inputs_alone_stands_behind():
    infos = [_info("large", prior=0.78), _info("small", prior=0.75)]
    assert _build(infos)[0].default_backbone == "large"
    own = infos[0].input["size"]
    assert _build(infos, sizes={"large": own, "small": 0})[0].default_backbone == "large"
    assert _build(infos, sizes={"large": own // 2, "small": 0})[0].default_backbone == "small"


def test_any_licence_admits_what_permissive_leaves_out():
    infos = [_info("ok"), _info("closed", licence="other:research", commercial=False)]
    space, _ = _build(infos, licence="any")
    assert set(space.backbones) == {"ok", "closed"}


def test_asking_for_backbones_leaves_the_others_out_whatever_the_time():
    infos = [_info("a"), _info("slow", 4e11)]
    space, choices = _build(infos, only_backbones=["slow", "sloww"], time_seconds=60.0)
    assert space.backbones == ("slow",)
    assert _reasons(choices) == {
        "sloww": "not in the catalogue; did you mean slow?",
        "a": "others were asked for",
    }


@pytest.mark.parametrize("asked", ["intfloat/e5-small-v2", "hf:intfloat/e5-small-v2"])
def test_a_listed_backbone_can_be_asked_for_by_its_hub_id(asked):
    infos = [replace(_info("e5-small"), reference="intfloat/e5-small-v2"), _info("other")]
    space, choices = _build(infos, only_backbones=[asked])
    assert space.backbones == ("e5-small",)
    assert [choice.name for choice in choices] == ["e5-small", "other"]


def test_where_none_fits_the_time_the_cheapest_is_kept():
    space, choices = _build([_info("slow", 4e11), _info("slower", 8e11)], time_seconds=60.0)
    assert space.backbones == ("slow",)
    assert choices[0].reason == "the cheapest there is, though it may take longer than the time allows"
    assert space.portfolio()[0].strategy == "linear_probe"


def test_no_backbone_at_all_is_an_error_that_says_why_for_each():
    with pytest.raises(SpaceError, match=r"no backbone is left .*a: unavailable: offline.*autotl backbones"):
        _build([_info("a")], available={"a": Availability(False, "offline")})


def test_quality_bounds_the_number_of_backbones():
    infos = [_info(f"n{i}", prior=i / 20) for i in range(14)]
    assert len(_build(infos, quality="fast")[0].backbones) == 3
    assert len(_build(infos, quality="best")[0].backbones) == 12
    assert (
        _reasons(_build(infos, quality="fast")[1])["n0"] == "3 better or cheaper ones are in (quality fast)"
    )


def test_time_narrows_no_strategy_since_trainings_fit_themselves_to_it():
    assert _build([_info("a")], time_seconds=60.0)[0] == _build([_info("a")])[0]


def test_a_strategy_carries_only_backbones_that_suit_it():
    space, _ = _build([_info("conv"), _info("vit")])
    assert {part.name: part.backbones for part in space.strategies}["adapters"] == ("vit",)


def test_texts_cost_what_their_own_length_costs():
    short = _profile(inputs={"words": {"mean": 10.0}})
    whole = _build([_info("a")])[1][0].predicted_seconds
    assert _build([_info("a")], short)[1][0].predicted_seconds == pytest.approx(whole * 15 / 128, rel=0.05)


def test_a_users_file_overrides_extends_and_comes_first(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        '[parameters.epochs]\nhigh = 2\n[[portfolio]]\nstrategy = "full"\nparams = { epochs = 1 }\n'
        "[strategies.adapters]\nenabled = false\n"
    )
    space, _ = _build([_info("a")], user_space=path)
    assert [part.name for part in space.strategies] == ["linear_probe", "full"]
    assert [config.strategy for config in space.portfolio()] == ["linear_probe", "full"]
    assert space.portfolio()[1].epochs == 1


def test_a_mistake_in_a_users_file_is_named_with_its_line(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("# mine\n[parameters.epoch]\nhigh = 2\n")
    with pytest.raises(SpaceError, match=r"mine\.toml, line 2: .*found 'epoch'.*Did you mean 'epochs'"):
        _build([_info("a")], user_space=path)


@pytest.mark.parametrize("modality", ["image", "text"])
@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel", "regression"])
@pytest.mark.parametrize("rows", [100, 5000, 100_000])
@pytest.mark.parametrize("time_seconds", [None, 180.0])
def test_the_packaged_spaces_fit_the_installed_strategies(modality, kind, rows, time_seconds):
    from autotl.strategies.registry import strategies

    classes = [] if kind == "regression" else ["a", "b"] if kind == "binary" else ["a", "b", "c"]
    task = {"kind": kind, "classes": classes, "metric": "accuracy"}
    profile = DatasetProfile(
        modality, task, {"train": rows, "val": rows // 4, "test": rows // 4}, imbalance=3.0
    )
    infos = [_info("a"), _info("b", 9e8, 0.8)]
    for device in ("cpu", "cuda"):
        space, _ = _build(
            infos, profile, strategies=strategies(), time_seconds=time_seconds, device=device, quality="best"
        )
        portfolio = space.portfolio()
        assert (portfolio[0].backbone, portfolio[0].strategy) == (space.default_backbone, "linear_probe")
        assert portfolio[0].get("head") == ("ridge" if kind == "regression" else "logistic")
        assert (portfolio[0].get("depths"), portfolio[0].get("regularisation")) == ("last", "auto")
        assert all(space.contains(config) for config in portfolio)
        assert [config.strategy for config in space.controls()] == ["distill", "from_scratch"]


@pytest.mark.parametrize("modality", ["image", "text"])
def test_the_packaged_files_are_found(modality):
    path = space_files()[modality]
    assert isinstance(path, Path)
    assert "smell" not in space_files()
