"""A portfolio begins with what gains most per second, and goes on with what helps where that does not."""

from __future__ import annotations

from autotl.config import EpochResult, TrialConfig
from autotl.search.simulated import Table
from benchmarks.portfolio import known_elsewhere, learn

NAMES = ("cheap", "dear", "other", "useless")


def table(name: str, scores: dict[str, float], seconds: dict[str, float], **own) -> Table:
    configs = [TrialConfig("net", "full", {"name": each, **own}) for each in NAMES]
    curves = {
        config.key: (EpochResult(1, scores[config.params["name"]], 0.5, seconds[config.params["name"]]),)
        for config in configs
    }
    return Table(name, tuple(configs), curves)


def test_entries_are_those_that_lower_the_mean_regret_by_most_per_second():
    seconds = {"cheap": 1.0, "dear": 100.0, "other": 10.0, "useless": 1.0}
    tables = [
        table("one", {"cheap": 0.8, "dear": 0.81, "other": 0.5, "useless": 0.4}, seconds),
        table("two", {"cheap": 0.6, "dear": 0.6, "other": 0.9, "useless": 0.5}, seconds, class_weight="none"),
    ]
    found = learn(tables, 4)
    assert [config.params["name"] for config in found] == ["cheap", "other", "dear"]
    assert all("class_weight" not in config.params for config in found)
    assert learn(tables, 1) == found[:1]


def test_a_set_learns_from_the_others_in_terms_of_its_own_configurations():
    seconds = dict.fromkeys(NAMES, 1.0)
    other = table("one", {"cheap": 0.5, "dear": 0.6, "other": 0.9, "useless": 0.4}, seconds)
    own = table("two", dict.fromkeys(NAMES, 0.5), seconds, class_weight="balanced")
    (first,) = known_elsewhere(own, [other], 1)
    assert first in own.configs
    assert first.params == {"name": "other", "class_weight": "balanced"}
    assert known_elsewhere(own, [], 1) == []
