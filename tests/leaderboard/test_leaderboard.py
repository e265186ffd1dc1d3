"""Trials are ranked by score, failures come last with their error, and the table fits 80 columns."""

from __future__ import annotations

import csv
import io
import json

import pytest
from rich.console import Console

from autotl.config import EpochResult, TrialConfig, TrialResult, TrialState
from autotl.errors import StorageError
from autotl.leaderboard.interval import Interval
from autotl.leaderboard.leaderboard import Leaderboard


def _result(number, score=None, state=TrialState.COMPLETE, error=None, strategy="top_k", epochs=2, **facts):
    curve = tuple(EpochResult(i + 1, score or 0.0, 0.1, 1.0) for i in range(epochs))
    config = TrialConfig("tf_efficientnet_lite0_with_a_long_name", strategy, {"epochs": epochs})
    return TrialResult(number, config, state, score, curve, 12.3456, 0, error, epochs, facts)


_RESULTS = [
    _result(
        0,
        0.80,
        strategy="linear_probe",
        latency_ms=5.0,
        size_bytes=13_000_000,
        parameters=3_400_000,
        licence="Apache-2.0",
    ),
    _result(1, 0.95, latency_ms=9.0, size_bytes=19_000_000),
    _result(2, None, TrialState.FAILED, "out of memory at batch 64"),
    _result(3, 0.90, TrialState.PRUNED, latency_ms=12.0, size_bytes=25_000_000),
    _result(4, None, TrialState.RUNNING),
]


def test_rows_are_ranked_and_failures_come_last_without_a_score():
    board = Leaderboard.from_results(_RESULTS, metric="accuracy", winner=1)
    assert [(row.rank, row.trial, row.score) for row in board] == [
        (1, 1, 0.95),
        (2, 3, 0.90),
        (3, 0, 0.80),
        (None, 2, None),
        (None, 4, None),
    ]
    assert [row.trial for row in board if row.winner] == [1]
    assert board.rows[3].error == "out of memory at batch 64"
    assert (board.rows[2].licence, board.rows[2].parameters) == ("Apache-2.0", 3_400_000)


def test_a_failed_trial_has_no_score_even_where_one_was_recorded():
    board = Leaderboard.from_results([_result(0, 0.99, TrialState.FAILED), _result(1, 0.5)])
    assert [(row.trial, row.score) for row in board] == [(1, 0.5), (0, None)]
    assert board.rows[1].error == "no message was recorded"


def test_the_pareto_front_holds_what_nothing_beats_in_score_latency_and_size():
    board = Leaderboard.from_results(_RESULTS)
    assert {row.trial for row in board if row.pareto} == {0, 1}


def test_the_time_of_a_batch_stands_beside_that_of_one_input():
    facts = {"latency_ms": 5.0, "batch_latency_ms": 31.0, "batch": 8}
    board = Leaderboard.from_results([_result(0, 0.8, **facts), _result(1, 0.9)])
    assert [(row.latency_ms, row.batch_latency_ms) for row in board] == [(None, None), (5.0, 31.0)]
    header = next(line for line in str(board).splitlines() if line.split()[:1] == ["#"])
    assert header.split()[-2:] == ["ms", "ms/8"]
    assert "ms/8: of a batch of 8" in str(board)
    assert "ms/" not in str(Leaderboard.from_results(_RESULTS))


def test_a_trial_that_is_left_out_has_no_rank_and_says_why():
    reason = "19 MB on disk is over the limit of 15, measured"
    board = Leaderboard.from_results([_result(0, 0.8), _result(1, 0.9, left_out=reason)], winner=0)
    assert [(row.rank, row.trial, row.error, row.winner) for row in board] == [
        (1, 0, None, True),
        (None, 1, reason, False),
    ]
    assert reason in str(board)


def test_losses_are_shown_in_their_own_direction():
    results = [_result(0, -0.5), _result(1, -0.3)]
    intervals = {1: Interval(0.3, 0.25, 0.35, 0.02)}
    board = Leaderboard.from_results(results, metric="rmse", greater_is_better=False, intervals=intervals)
    assert [(row.trial, row.score, row.low, row.high) for row in board] == [
        (1, 0.3, 0.25, 0.35),
        (0, 0.5, None, None),
    ]


def test_equal_scores_are_ranked_by_cost_then_number():
    results = [_result(0, 0.9), _result(1, 0.9, latency_ms=8.0), _result(2, 0.9, latency_ms=4.0)]
    assert [row.trial for row in Leaderboard.from_results(results)] == [2, 1, 0]


def test_json_and_csv_hold_every_row(tmp_path):
    board = Leaderboard.from_results(
        _RESULTS, metric="accuracy", intervals={1: Interval(0.95, 0.9, 0.97, 0.01)}
    )
    board.to_json(tmp_path / "leaderboard.json")
    board.to_csv(tmp_path / "leaderboard.csv")
    assert Leaderboard.read(tmp_path / "leaderboard.json") == board
    assert json.loads((tmp_path / "leaderboard.json").read_text())["metric"] == "accuracy"
    with (tmp_path / "leaderboard.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["trial"] for line in lines] == ["1", "3", "0", "2", "4"]
    assert (lines[0]["low"], lines[3]["score"], lines[3]["error"]) == ("0.9", "", "out of memory at batch 64")
    assert json.loads(lines[0]["settings"]) == {"epochs": 2}


def test_a_file_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(StorageError, match="cannot write a file"):
        Leaderboard.from_results(_RESULTS).to_csv(tmp_path / "nowhere" / "leaderboard.csv")


@pytest.mark.parametrize("with_interval", [True, False])
def test_the_table_is_readable_at_80_columns(with_interval):
    intervals = {r.number: Interval(0.9, 0.85, 0.95, 0.02) for r in _RESULTS} if with_interval else None
    board = Leaderboard.from_results(_RESULTS, metric="accuracy", intervals=intervals, winner=1)
    console = Console(file=io.StringIO(), width=80, color_system=None)
    console.print(board.render())
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    for shown in ("1*", "0.9500", "top_k", "linear_probe", "tf_effi", "19MB", "accuracy", "failed"):
        assert shown in text
    assert "trial 2 failed: out of memory at batch 64" in text


@pytest.mark.parametrize(("width", "is_shown"), [(120, True), (80, False)])
def test_gains_over_trial_0_are_shown_where_there_is_room(width, is_shown):
    intervals = {result.number: Interval(0.9, 0.85, 0.95, 0.02) for result in _RESULTS}
    gains = {1: Interval(0.15, 0.1, 0.2, 0.02), 3: Interval(-0.1, -0.2, 0.01, 0.04)}
    board = Leaderboard.from_results(_RESULTS, metric="accuracy", intervals=intervals, gains=gains)
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(board.render(width=width))
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= width
    text = " ".join(text.split())  # the legend may take several lines
    assert [shown in text for shown in ("gain: over trial 0", "+0.1500", "-0.1000")] == [is_shown] * 3


def test_a_leaderboard_is_printed_as_its_table():
    text = str(Leaderboard.from_results(_RESULTS, winner=1))
    assert "1*" in text
    assert "linear_probe" in text


def test_the_table_can_be_cut():
    console = Console(file=io.StringIO(), width=80, color_system=None)
    console.print(Leaderboard.from_results(_RESULTS).render(limit=1))
    assert "linear_probe" not in console.file.getvalue()


def test_markup_in_an_error_is_shown_as_it_is():
    console = Console(file=io.StringIO(), width=80, color_system=None)
    console.print(Leaderboard.from_results([_result(0, None, TrialState.FAILED, "[/red] odd")]).render())
    assert "[/red] odd" in console.file.getvalue()


def test_each_row_shows_the_predicted_and_the_realised_rank_of_its_backbone(tmp_path):
    def of(number, backbone, score):
        return TrialResult(number, TrialConfig(backbone, "top_k", {}), TrialState.COMPLETE, score)

    results = [of(0, "a", 0.7), of(1, "b", 0.9), of(2, "a", 0.8), of(3, "c", None)]
    board = Leaderboard.from_results(results, predicted={"a": 1, "b": 2, "c": 3})
    assert [(r.backbone, r.predicted_rank, r.realised_rank) for r in board] == [
        ("b", 2, 1),
        ("a", 1, 2),
        ("a", 1, 2),
        ("c", 3, None),
    ]
    board.to_json(tmp_path / "board.json")
    assert Leaderboard.read(tmp_path / "board.json") == board
    assert [column.header for column in board.render().columns if column.header in ("pred", "real")] == [
        "pred",
        "real",
    ]
    unranked = Leaderboard.from_results(results)
    of_one = Leaderboard.from_results([of(0, "a", 0.7), of(2, "a", 0.8)], predicted={"a": 1, "b": 2})
    for silent in (unranked, of_one):
        assert not {"pred", "real"} & {column.header for column in silent.render().columns}
