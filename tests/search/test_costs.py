"""What a trial is expected to take, from those of its kind."""

from __future__ import annotations

from autotl.config import TrialConfig
from autotl.search.costs import CostModel


def config(strategy="top_k", epochs=5):
    return TrialConfig("net", strategy, {"epochs": epochs})


def test_a_whole_trial_takes_the_quickest_first_step_of_its_kind_and_the_last_of_its_later_ones():
    costs = CostModel(None)
    assert costs.whole_seconds(config()) is None
    for epoch, seconds in ((1, 30.0), (1, 10.0), (2, 3.0), (3, 2.0)):
        costs.observe_step(config(), epoch, seconds)
    assert costs.first_step_seconds(config()) == 10.0
    assert costs.whole_seconds(config(epochs=5)) == 18.0
    assert costs.whole_seconds(config(epochs=1)) == 10.0
    assert costs.whole_seconds(config("full")) is None


def test_later_steps_are_taken_for_the_first_until_one_was_seen():
    costs = CostModel(None)
    costs.observe_step(config(), 1, 4.0)
    assert costs.whole_seconds(config(epochs=3)) == 12.0
