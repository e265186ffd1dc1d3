"""Every built-in strategy keeps the contract."""

from __future__ import annotations

import pytest

from autotl.backbones.catalogue import catalogue
from autotl.config import TrialConfig
from autotl.errors import SpaceError, TrialError
from autotl.strategies.registry import strategies, strategy
from autotl.strategies.strategy import Strategy
from autotl.task import TaskKind
from autotl.testing.strategy_contract import StrategyContract
from autotl.training.plan import Plan


@pytest.fixture(params=sorted(strategies()))
def strategy_name(request):
    return request.param


class TestBuiltInStrategies(StrategyContract):
    @pytest.fixture
    def strategy(self, strategy_name) -> Strategy:
        return strategies()[strategy_name]


class TestLinearProbeOfOtherHeads(StrategyContract):
    @pytest.fixture
    def strategy(self) -> Strategy:
        return strategy("linear_probe")

    @pytest.fixture(params=[{"depths": "auto"}, {"depths": "all", "share": 0.1}, {"head": "mlp"}], ids=str)
    def short(self, request):
        return request.param


def test_an_unknown_strategy_is_answered_with_the_known_ones():
    with pytest.raises(SpaceError, match=r"unknown strategy; found 'nope'; expected .*linear_probe.*top_k"):
        strategy("nope")


def plan(name, depth=6, **params):
    return strategy(name).plan(TrialConfig("b", name, params), depth)


def test_top_k_freezes_the_share_it_is_given_and_trains_at_least_one_block():
    assert plan("top_k", cut=0.5).cut == 3
    assert plan("top_k", cut=0.85).cut == 5
    assert plan("top_k", depth=2, cut=0.85).cut == 1


def test_gradual_unfreezing_goes_from_the_output_down_to_the_cut():
    assert plan("gradual", cut=0.5, unfreeze_every=1, unfreeze_blocks=1).first_trained == (5, 4, 3)
    assert plan("gradual", cut=0.5, unfreeze_every=2, unfreeze_blocks=2).first_trained == (4, 4, 3)
    assert plan("gradual", cut=0.0, unfreeze_every=1, unfreeze_blocks=2).first_trained == (4, 2, 0)


def test_lp_ft_trains_the_head_first_where_asked():
    assert plan("lp_ft", head_epochs=1).first_trained == (6, 0)
    assert plan("lp_ft", head_epochs=0).first_trained == (0,)


def test_from_scratch_uses_no_pretrained_weights():
    scratch = plan("from_scratch")
    assert scratch.random_from == 0
    assert not scratch.warm_head


def test_first_blocks_train_from_the_input_and_never_the_last_block():
    assert plan("first_blocks", trained_blocks=2).end == 2
    assert plan("first_blocks", depth=3, trained_blocks=3).end == 2
    assert plan("first_blocks", depth=1, trained_blocks=3).end == 1


def test_reinit_keeps_activations_only_of_blocks_that_do_not_train():
    frozen, slow = plan("reinit", reinit_from=0.5), plan("reinit", reinit_from=0.5, kept_rate=0.1)
    assert (frozen.cut, frozen.random_from) == (3, 3)
    assert (slow.cut, slow.random_from) == (0, 3)
    assert [slow.rate(block) for block in (0, 2, 3, 5)] == [0.1, 0.1, 1.0, 1.0]
    assert not frozen.warm_head


def test_a_plan_that_touches_blocks_before_its_cut_is_refused():
    with pytest.raises(TrialError, match="found block 1, cut = 2"):
        Plan(cut=2, first_trained=(3, 1))
    with pytest.raises(TrialError, match="found block 0, cut = 2"):
        Plan(cut=2, first_trained=(2,), random_from=0)


def test_training_fewer_weights_costs_less():
    def cost(name, **params):
        return strategy(name).cost(TrialConfig("b", name, {"epochs": 4, **params}), 1000, 10)

    full = cost("full")
    assert cost("norm_bias", cut=0.0) < cost("lora", cut=0.0) < cost("first_blocks") < full
    assert cost("norm_bias", cut=0.5) < cost("top_k", cut=0.5) == cost("reinit", reinit_from=0.5) < full
    assert cost("reinit", reinit_from=0.5, kept_rate=0.1) == full


def test_lora_suits_transformers():
    infos = [info for modality in ("image", "text") for info in catalogue(modality).values()]
    suited = {info.name for info in infos if strategy("lora").suits(info, TaskKind.BINARY)}
    assert {"all-minilm-l6", "dinov2-small", "dinov3-small", "siglip2-base", "clip-base"} <= suited
    assert not {"efficientnet-lite0", "resnet50", "convnext-tiny", "mobilenetv4-small"} & suited
