"""What a trial is expected to take, from those of its kind."""

from __future__ import annotations

from autotl.config import TrialConfig
from autotl.search.costs import CostModel
from autotl.trial.trial import Price


def config(strategy="top_k", epochs=5):
    return TrialConfig("net", strategy, {"epochs": epochs})


def test_a_first_step_takes_as_long_as_the_quickest_of_its_kind():
    costs = CostModel(None)
    assert costs.price(config()) is None
    assert costs.fits(config(), 0.0), "what is unknown may be tried"
    for seconds in (30.0, 10.0, 20.0):
        costs.observe_first_step(config(), seconds)
    assert costs.price(config(epochs=2)) == Price(10.0)
    assert costs.price(config("full")) is None
    assert costs.fits(config(), 10.0)
    assert not costs.fits(config(), 9.0)
