"""What a trial is expected to take, from those of its kind."""

from __future__ import annotations

from autotl.config import TrialConfig
from autotl.search.costs import CostModel


def config(strategy="top_k", epochs=5):
    return TrialConfig("net", strategy, {"epochs": epochs})


def test_a_first_step_takes_as_long_as_the_quickest_of_its_kind():
    costs = CostModel(None)
    assert costs.first_step_seconds(config()) is None
    for seconds in (30.0, 10.0, 20.0):
        costs.observe_first_step(config(), seconds)
    assert costs.first_step_seconds(config(epochs=2)) == 10.0
    assert costs.first_step_seconds(config("full")) is None
