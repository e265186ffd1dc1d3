"""A trial is picked by its cost among those that score nearly as well as the best one."""

from __future__ import annotations

import pytest

from autotl.config import TrialConfig, TrialResult, TrialState
from autotl.errors import RunError, SettingsError
from autotl.leaderboard.leaderboard import Leaderboard
from autotl.leaderboard.pick import pick

#: Score, latency in milliseconds and bytes by trial.
TRIALS = [(0.90, 9.0, 90), (0.895, 4.0, 40), (0.892, 5.0, 20), (0.85, 1.0, 5)]


def _board(trials, **facts):
    results = [
        TrialResult(
            number,
            TrialConfig("net", "top_k", {"row": number}),
            TrialState.COMPLETE,
            score=score,
            facts={} if latency is None else {"latency_ms": latency, "size_bytes": size},
        )
        for number, (score, latency, size) in enumerate(trials)
    ]
    return Leaderboard.from_results(results, **facts)


@pytest.mark.parametrize(
    ("rule", "share", "number"),
    [
        ("fastest-within", "0%", 0),
        ("fastest-within", "1%", 1),
        ("smallest-within", "1%", 2),
        ("smallest-within", "0.01", 2),
        ("fastest-within", "6%", 3),
    ],
)
def test_the_cheapest_within_a_share_of_the_best_score_is_picked(rule, share, number):
    assert pick(_board(TRIALS), rule, share).trial == number


def test_a_pick_tells_what_it_was_compared_with():
    assert pick(_board(TRIALS), "fastest-within", "1%").reason == (
        "Trial 1 (0.8950, 4 ms) is the fastest of 3 trials within 1% of the best score; "
        "the best is trial 0 (0.9000, 9 ms)."
    )
    assert pick(_board([(0.9, 4.0, 4e6)]), "smallest-within", "1%").reason == (
        "Trial 0 (0.9000, 4 MB) is the smallest of 1 trial within 1% of the best score."
    )


def test_losses_are_near_where_they_are_hardly_greater():
    board = _board([(-0.50, 9.0, 90), (-0.504, 4.0, 40), (-0.52, 1.0, 5)], greater_is_better=False)
    assert pick(board, "fastest-within", "1%").trial == 1


def test_of_equally_cheap_trials_the_better_one_is_picked():
    assert pick(_board([(0.899, 4.0, 40), (0.90, 4.0, 40)]), "fastest-within", "1%").trial == 1


def test_what_was_not_measured_is_not_picked():
    assert pick(_board([(0.90, None, None), (0.899, 4.0, 40)]), "fastest-within", "1%").trial == 1
    with pytest.raises(RunError, match="trials 0 score well enough, and none of them was measured"):
        pick(_board([(0.90, None, None)]), "fastest-within", "1%")


@pytest.mark.parametrize(
    ("rule", "share", "found"),
    [
        ("slowest", "1%", "'slowest'"),
        ("fastest-within", "much", "'much'"),
        ("fastest-within", "-1%", "'-1%'"),
    ],
)
def test_rules_and_shares_that_mean_nothing_are_refused(rule, share, found):
    with pytest.raises(SettingsError, match=found):
        pick(_board(TRIALS), rule, share)
