"""The arithmetic of the ablations, on lines and curves made by hand."""

from dataclasses import replace
from pathlib import Path

import pytest

from autotl.config import EpochResult, TrialConfig
from autotl.search.simulated import Table, TableSpace
from benchmarks.ablations.__main__ import PROFILES, TARGETS, chosen
from benchmarks.ablations.cache import speedup
from benchmarks.ablations.gather import FIGURES, pending, summary
from benchmarks.ablations.scheduler import simulated
from benchmarks.ablations.target import Arm, Workspace

ORIGIN = {"commit": "abc1234", "date": "2026-01-01T00:00:00+00:00", "machine": "two cores"}
DATA = Path(__file__).parents[3] / "shared" / "data"
ARM = Arm("tenlines", "signdigits", 0, "10m")


def line(target, name, arm, commit="abc1234", profile="quick", seed=0, **found):
    head = {"target": target, "set": name, "seed": seed, "arm": arm, "profile": profile, "commit": commit}
    return head | found


@pytest.mark.parametrize(
    ("changed", "left"),
    [
        ({}, 0),
        ({"profile": "quick sets=signdigits"}, 0),
        ({"commit": "def5678"}, 1),
        ({"profile": "full"}, 1),
        ({"seed": 1}, 1),
        ({"error": "no"}, 1),
    ],
)
def test_an_arm_is_measured_once_for_its_key(changed, left):
    known = line("tenlines", "signdigits", "10m") | changed
    assert len(pending([ARM], [known], "quick", "abc1234")) == left


def test_arms_are_chosen_by_set_and_seed_and_a_misspelt_one_is_told():
    arms = TARGETS["tenlines"].arms(PROFILES["full"])
    found = chosen(arms, {"set": ["sst2", "textile"], "seed": ["2"]})
    assert {(arm.set, arm.seed) for arm in found} == {("sst2", 2), ("textile", 2)}
    with pytest.raises(SystemExit, match=r"no arms of set \['sst3'\]; there are \['banking77_16', "):
        chosen(arms, {"set": ["sst3"]})


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="needs the real data sets")
@pytest.mark.parametrize("arm", ["on", "off"])
def test_an_arm_of_the_cache_can_be_run(tmp_path, arm):
    profile = replace(PROFILES["quick"], rows=60, arm_seconds=6.0)
    found = TARGETS["cache"].run(Arm("cache", "signdigits", 0, arm), Workspace(DATA, profile, tmp_path))
    assert found["rises"]
    assert found["trials"] > 0


def test_a_changed_tree_is_always_measured_again():
    known = line("tenlines", "signdigits", "10m", commit="abc1234+")
    assert pending([ARM], [known], "quick", "abc1234+") == [ARM]


def test_the_cache_is_compared_at_the_best_score_that_both_arms_reached():
    on = [(1.0, 0.5), (2.0, 0.8), (9.0, 0.9)]
    off = [(1.0, 0.5), (12.0, 0.8)]
    assert speedup(on, off) == 6.0
    assert speedup(on, []) is None


def test_what_was_not_measured_is_null():
    found = summary(list(TARGETS.values()), [], PROFILES["quick"], ORIGIN)
    assert set(FIGURES) < set(found)
    known = {key: value for key, value in found.items() if value is not None}
    assert known == ORIGIN | {"profile": "quick", "commits": {}}


def test_the_figures_of_a_target_are_of_the_commit_that_most_of_it_was_measured_on():
    ahead = {"overhead_share": 0.01, "ten_lines": {"gain": {"value": 0.03, "low": 0.01, "high": 0.05}}}
    behind = {"overhead_share": 0.01, "ten_lines": {"gain": {"value": -0.01, "low": -0.02, "high": -0.001}}}
    lines = [
        line("tenlines", "signdigits", "10m", margin=9.0, **ahead),
        line("tenlines", "signdigits", "10m", margin=3.0, **ahead),
        line("tenlines", "trashnet256", "10m", margin=2.0, **ahead),
        line("tenlines", "sst2", "3m", margin=-1.0, **behind),
        line("tenlines", "trashnet256", "10m", commit="old", margin=50.0, **ahead),
        line("cache", "sst2", "on", rises=[[2.0, 0.8]]),
        line("cache", "sst2", "off", rises=[[14.0, 0.8]]),
        line("first_model", "sst2", "fit", "one", first_model_seconds=50.0, first_predictor_seconds=9.0),
        line("first_model", "sst2", "fit", "two", first_model_seconds=20.0, first_predictor_seconds=9.0),
        line("first_model", "sst2", "fit", "three+", first_model_seconds=1.0, first_predictor_seconds=1.0),
    ]
    found = summary(list(TARGETS.values()), lines, PROFILES["quick"], ORIGIN)
    assert found["tenlines_margin_mean"] == 2.5
    assert found["tenlines_margin_worst"] == -1.0
    assert found["tenlines_behind_share"] == pytest.approx(1 / 3, abs=1e-3)
    assert found["cache_speedup_median"] == 7.0
    assert found["first_model_seconds_median"] == 20.0
    assert found["commits"] == {"tenlines": "abc1234", "cache": "abc1234", "first_model": "two"}


def test_arms_of_a_set_follow_one_another():
    arms = TARGETS["cache"].arms(PROFILES["quick"])
    assert [(arm.set, arm.name) for arm in arms[:4]] == [
        ("signdigits", "on"),
        ("signdigits", "off"),
        ("trashnet256", "on"),
        ("trashnet256", "off"),
    ]


def test_random_search_needs_the_time_of_its_own_best_training():
    configs = tuple(TrialConfig("net", "full", {"epochs": 2, "rate": float(i)}) for i in range(5))
    curves = {
        config.key: tuple(EpochResult(epoch, 0.1 * i * epoch, 1.0, 30.0) for epoch in (1, 2))
        for i, config in enumerate(configs)
    }
    table = Table("made up", configs, curves)
    found = simulated(table, "random", seeds=4)
    orders = [[config.get("rate") for config in TableSpace(table, seed).portfolio()] for seed in range(4)]
    # A tenth of 300 s is the first epoch of the first training; the best ends as the trial that it is.
    assert found["gap_points"] == pytest.approx(sum(80 - 10 * order[0] for order in orders) / 4)
    assert found["time_share"] == pytest.approx(sum((order.index(4.0) + 1) / 5 for order in orders) / 4)
    assert found["regret"][-1] == 0.0


def test_the_ranking_is_right_where_its_choice_is_within_a_point_of_the_best():
    times = {"ranking_seconds": 10.0, "tuning_seconds": 200.0}
    lines = [
        line("ranking", "signdigits", "tuned", best=0.95, chosen=0.941, static=0.95, logme=0.90, **times),
        line("ranking", "trashnet256", "tuned", best=0.92, chosen=0.905, static=0.92, logme=0.92, **times),
    ]
    found = TARGETS["ranking"].figures(lines)
    assert found["ranking_within_1pt_share"] == 0.5
    assert found["static_within_1pt_share"] == 1.0
    assert found["ranking_cost_share"] == 0.05
