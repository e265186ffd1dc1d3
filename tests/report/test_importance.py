"""What mattered in a search is found where there is something to find, and only there."""

from __future__ import annotations

import numpy as np
import pytest

from autotl.config import TrialConfig, TrialResult, TrialState
from autotl.report.importance import importance

COMPLETE = TrialState.COMPLETE


def trials(count, score):
    generator = np.random.default_rng(0)
    found = []
    for number in range(count):
        params = {
            "learning_rate": float(10 ** generator.uniform(-5, -2)),
            "batch_size": int(generator.choice([16, 32])),
            "augment": bool(generator.random() < 0.5),
        }
        strategy = str(generator.choice(["full", "lora"]))
        if strategy == "lora":
            params["rank"] = int(generator.integers(2, 9))
        config = TrialConfig("lite0", strategy, params)
        found.append(TrialResult(number, config, COMPLETE, score(config, generator)))
    return found


def test_the_parameter_that_decides_stands_first():
    found = importance(trials(40, lambda c, _: -abs(np.log10(c.get("learning_rate")) + 3.5)))
    assert found.names[0] == "learning_rate"
    assert found.shares[0] > 0.6
    assert found.shares.sum() == pytest.approx(1)
    assert found.explained > 0.3
    assert "backbone" not in found.names, "it is the same in all trials"


def test_a_parameter_of_one_strategy_is_weighed_beside_those_of_all():
    found = importance(trials(80, lambda c, _: float(c.get("rank", 0)) + 10 * (c.strategy == "full")))
    assert set(found.names[:2]) == {"rank", "strategy"}


@pytest.mark.parametrize(
    ("count", "score"),
    [(9, lambda c, _: c.get("learning_rate")), (40, lambda c, g: g.random()), (40, lambda c, g: 0.5)],
)
def test_few_trials_noise_and_equal_scores_say_nothing(count, score):
    assert importance(trials(count, score)) is None


def test_failed_trials_and_odd_values_are_no_obstacle():
    odd = TrialResult(90, TrialConfig("x", "full", {"depths": "1,2", "rank": None}), COMPLETE, 0.1)
    failed = TrialResult(91, TrialConfig("x", "full", {}), TrialState.FAILED, error="no memory")
    found = importance([*trials(40, lambda c, _: -abs(np.log10(c.get("learning_rate")) + 3.5)), odd, failed])
    assert found.trials == 41
