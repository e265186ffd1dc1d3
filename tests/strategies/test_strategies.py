"""Every built-in strategy keeps the contract."""

from __future__ import annotations

import pytest

from autotl.config import TrialConfig
from autotl.errors import SpaceError
from autotl.strategies.registry import strategies, strategy
from autotl.strategies.strategy import Strategy
from autotl.testing.strategy_contract import StrategyContract


@pytest.fixture(params=sorted(strategies()))
def strategy_name(request):
    return request.param


class TestBuiltInStrategies(StrategyContract):
    @pytest.fixture
    def strategy(self, strategy_name) -> Strategy:
        return strategies()[strategy_name]


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
    assert plan("from_scratch").random_from == 0
