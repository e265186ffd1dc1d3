"""What a run folder says, as plain data."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autotl.config import LEFT_OUT, EpochResult
from autotl.leaderboard.leaderboard import Leaderboard
from autotl.leaderboard.selection import OVER_LIMIT
from autotl.report import words
from autotl.report.html import write_report
from autotl.report.mistakes import Misjudged, mistakes
from autotl.report.summarize import Outcome, summarize
from autotl.report.timeline import Stage, told
from autotl.search.event_log import Entry, EventLog
from autotl.search.events import EpochDone, RunStarted, StageStarted, TrialFinished
from autotl.task import TaskKind
from autotl.trial.run_folder import RunFolder


def test_scores_and_winner_come_from_the_files(make_run: Any) -> None:
    summary = summarize(make_run())
    assert summary.outcome.score == 0.917
    assert (summary.outcome.low, summary.outcome.high, summary.outcome.n) == (0.886, 0.944, 200)
    assert summary.winner["trial"] == next(row.trial for row in summary.rows if row.winner)
    assert summary.settings["epochs"] == 8
    assert summary.problems == ()


def test_failed_trials_are_listed_without_a_score_and_grouped_by_message(make_run: Any) -> None:
    summary = summarize(make_run(trials=16))
    failed = [row for row in summary.rows if row.state == "failed"]
    assert [row.trial for row in failed] == [6, 13]
    assert all(row.score is None and row.rank is None for row in failed)
    assert summary.rows[-2:] == tuple(failed)
    assert {failure.trials for failure in summary.failures} == {(6,), (13,)}


def test_the_board_is_ranked_from_results_where_no_leaderboard_was_written(make_run: Any) -> None:
    run = make_run()
    before = [row.trial for row in summarize(run).rows]
    (run.path / "leaderboard.json").unlink()
    rows = summarize(run).rows
    assert [row.trial for row in rows] == before
    assert [row.rank for row in rows if row.score is not None] == list(range(1, 15))


@pytest.mark.parametrize("fact", [LEFT_OUT, OVER_LIMIT])
@pytest.mark.parametrize("with_board", [True, False])
def test_a_trial_that_may_not_be_delivered_keeps_its_score_without_a_rank_and_says_why(
    make_run: Any, fact: str, with_board: bool
) -> None:
    run, reason = make_run(), "19 MB on disk is over the limit of 15, measured"
    best, second = summarize(run).rows[:2]
    run.write_result(run.result(best.trial).with_facts(**{fact: reason}))
    (run.path / "leaderboard.json").unlink()
    if with_board:
        Leaderboard.from_results(run.results()).to_json(run.path / "leaderboard.json")
    rows = summarize(run).rows
    assert (rows[0].trial, rows[0].rank) == (second.trial, 1)
    assert (rows[-1].trial, rows[-1].rank, rows[-1].left_out) == (best.trial, None, reason)
    assert rows[-1].score == pytest.approx(best.score)
    assert reason in write_report(run).read_text(encoding="utf-8")


def test_losses_are_shown_positive_and_the_best_is_the_lowest(make_run: Any) -> None:
    summary = summarize(make_run(kind=TaskKind.REGRESSION))
    scores = [row.score for row in summary.rows if row.score is not None]
    assert scores == sorted(scores)
    assert min(scores) > 0
    assert all(row.low is None or row.low <= row.high for row in summary.rows)
    assert summary.progress is not None
    best = summary.progress.best
    assert list(best) == sorted(best, reverse=True)
    assert not summary.greater_is_better


def test_what_precedes_an_epoch_counts_before_its_score_is_reached(make_run: Any) -> None:
    run = make_run(trials=1)
    (result,) = run.results()
    run.write_result(replace(result, seconds=100 + sum(epoch.seconds for epoch in result.curve)))
    progress = summarize(run).progress
    assert progress is not None
    begun = 4.0 + 2.5 + 8.0  # the stages before the search
    assert progress.seconds[0] == pytest.approx(begun + 100 + result.curve[0].seconds)


def test_progress_only_improves_and_ends_with_the_run(make_run: Any) -> None:
    run = make_run()
    progress = summarize(run).progress
    assert progress is not None
    assert list(progress.best) == sorted(progress.best)
    assert list(progress.seconds) == sorted(progress.seconds)
    assert progress.seconds[-1] == pytest.approx(143.5)
    assert [stage.name for stage in progress.stages][3:] == ["search", "test"]
    assert progress.stages[3].start == pytest.approx(14.5)


def test_without_stages_progress_ends_when_the_last_trial_ends(make_run: Any) -> None:
    run = make_run()
    record = run.read_json("run.json")
    run.write_json("run.json", {**record, "stages": "lost"})
    progress = summarize(run).progress
    assert progress is not None
    assert progress.seconds[-1] == pytest.approx(sum(result.seconds for result in run.results()))
    assert progress.stages == ()


def test_progress_is_that_of_the_event_log_where_one_process_wrote_it(make_run: Any) -> None:
    run = make_run()
    first, second = run.results()[:2]
    log = EventLog(0.0, clock=iter(range(0, 100, 10)).__next__)
    log.open(run.path)
    began = RunStarted("2026-03-02T09:14:07+00:00")
    for event in (began, StageStarted("search"), EpochDone(0, first.curve[0]), TrialFinished(second, 0.9)):
        log(event)
    log.close()
    progress = summarize(run).progress
    assert progress is not None
    assert progress.stages == (Stage("search", 20.0, 40.0),)
    assert progress.seconds == (30.0, 40.0, 40.0)
    assert progress.best == (first.curve[0].score, second.score, second.score)


def test_a_resumed_run_goes_on_where_the_process_before_it_stopped() -> None:
    began, resumed = RunStarted("2026-03-02T09:14:07+00:00"), RunStarted("2026-03-03T08:00:00+00:00")
    first, second = (
        EpochDone(trial, EpochResult(1, score, 0.5, 1.0)) for trial, score in ((0, 0.6), (1, 0.8))
    )
    entries = [
        *(Entry(0.0, began), Entry(2.0, StageStarted("read")), Entry(5.0, StageStarted("search"))),
        *(Entry(9.0, first), Entry(0.0, resumed), Entry(1.0, StageStarted("read"))),
        *(Entry(3.0, StageStarted("search")), Entry(6.0, second)),
    ]
    progress = told(entries, greater=True)
    assert progress is not None
    assert progress.stages == (
        *(Stage("read", 2.0, 5.0), Stage("search", 5.0, 9.0)),
        *(Stage("read", 10.0, 12.0), Stage("search", 12.0, 15.0)),
    )
    assert (progress.seconds, progress.best) == ((9.0, 15.0, 15.0), (0.6, 0.8, 0.8))
    assert progress.processes == 2


def test_a_log_without_a_readable_stage_is_no_timeline() -> None:
    epoch = EpochDone(0, EpochResult(1, 0.6, 0.5, 1.0))
    assert (
        told([Entry(0.0, RunStarted("2026-03-02T09:14:07+00:00")), Entry(4.0, epoch)], greater=True) is None
    )
    assert told([], greater=True) is None


def test_curves_are_of_trials_with_several_epochs_best_first(make_run: Any) -> None:
    summary = summarize(make_run())
    assert summary.curves
    assert all(len(curve.epochs) > 1 for curve in summary.curves)
    peaks = [max(curve.scores) for curve in summary.curves]
    assert peaks == sorted(peaks, reverse=True)


@pytest.mark.parametrize("name", ["run.json", "profile.json", "leaderboard.json", "test_predictions.npz"])
def test_a_broken_file_is_told_and_the_rest_is_read(make_run: Any, name: str) -> None:
    run = make_run()
    (run.path / name).write_bytes(b"{ broken \xff")
    summary = summarize(run)
    assert len(summary.problems) == 1
    assert summary.problems[0].startswith(name)
    assert summary.rows


def test_a_broken_result_is_told_and_the_others_are_read(make_run: Any) -> None:
    run = make_run()
    (run.trial(3) / "result.json").write_text('{"number": 3}')
    (run.path / "leaderboard.json").unlink()
    summary = summarize(run)
    assert 3 not in [row.trial for row in summary.rows]
    assert "trials/0003/result.json" in summary.problems[0]


def test_an_empty_folder_gives_an_empty_summary(tmp_path: Path) -> None:
    summary = summarize(RunFolder(tmp_path))
    assert (summary.kind, summary.rows, summary.curves, summary.progress) == (None, (), (), None)
    assert summary.outcome.score is None
    assert summary.mistakes is None


def test_pickled_arrays_are_refused(make_run: Any) -> None:
    run = make_run()
    np.savez(
        run.path / "test_predictions.npz", targets=np.array([{}], dtype=object), predictions=np.ones((1, 6))
    )
    summary = summarize(run)
    assert summary.mistakes is None
    assert "test_predictions.npz" in summary.problems[0]


# --- what went wrong on the test part -----------------------------------------------------------------


def test_precision_recall_and_f1_agree_with_scikit_learn(make_run: Any) -> None:
    from sklearn.metrics import precision_recall_fscore_support

    run = make_run()
    found = summarize(run).mistakes
    arrays = np.load(run.path / "test_predictions.npz")
    expected = precision_recall_fscore_support(arrays["targets"], arrays["predictions"].argmax(axis=1))
    assert found is not None
    actual = np.array([(c.precision, c.recall, c.f1, c.n) for c in found.classes], dtype=float)
    np.testing.assert_allclose(actual, np.array(expected).T)


def test_multilabel_scores_agree_with_scikit_learn(make_run: Any) -> None:
    from sklearn.metrics import precision_recall_fscore_support

    run = make_run(kind=TaskKind.MULTILABEL)
    found = summarize(run).mistakes
    arrays = np.load(run.path / "test_predictions.npz")
    expected = precision_recall_fscore_support(arrays["targets"].astype(int), arrays["predictions"] >= 0.5)
    assert found is not None
    assert found.confusion is None
    actual = np.array([(c.precision, c.recall, c.f1, c.n) for c in found.classes], dtype=float)
    np.testing.assert_allclose(actual, np.array(expected).T)


def test_the_confusion_matrix_counts_true_classes_by_row() -> None:
    predictions = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]])
    found = mistakes(TaskKind.BINARY, ("no", "yes"), np.array([0, 0, 1]), predictions)
    assert found is not None
    assert found.confusion is not None
    assert found.confusion.counts.tolist() == [[1, 1], [0, 1]]
    assert [(p.true, p.predicted, p.count, p.share) for p in found.pairs] == [("no", "yes", 1, 0.5)]
    assert [(m.name, m.true, m.predicted, m.weight) for m in found.misses] == [("row 1", "no", "yes", 0.8)]


def test_the_label_that_is_farthest_off_is_named_with_how_it_went_wrong() -> None:
    labels, targets = ("joy", "anger", "fear"), np.array([[1, 0, 1], [1, 0, 0], [0, 0, 0]])
    outputs = np.array([[0.99, 0.0, 0.02], [0.9, 0.97, 0.0], [0.1, 0.1, 0.1]])
    found = mistakes(TaskKind.MULTILABEL, labels, targets, outputs)
    assert found is not None
    assert [(miss.name, miss.weight, miss.label) for miss in found.misses] == [
        ("row 0", pytest.approx(0.98), Misjudged(2, "fear", missed=True)),
        ("row 1", pytest.approx(0.97), Misjudged(1, "anger", missed=False)),
    ]


def test_many_classes_show_the_twenty_most_confused() -> None:
    targets = np.repeat(np.arange(77), 3)
    predicted = np.where(targets >= 57, (targets + 1 - 57) % 20 + 57, targets)
    found = mistakes(TaskKind.MULTICLASS, [f"c{i}" for i in range(77)], targets, np.eye(77)[predicted])
    assert found is not None
    assert found.confusion is not None
    assert found.confusion.names == tuple(f"c{i}" for i in range(57, 77))
    assert found.confusion.left_out == 57


def test_the_calibration_error_of_constant_confidence_is_its_distance_from_accuracy() -> None:
    predictions = np.tile([0.9, 0.1], (10, 1))
    found = mistakes(TaskKind.BINARY, ("a", "b"), np.array([0] * 6 + [1] * 4), predictions)
    assert found is not None
    assert found.reliability is not None
    assert found.reliability.error == pytest.approx(0.3)


def test_a_class_that_neither_occurs_nor_is_predicted_has_no_scores() -> None:
    found = mistakes(TaskKind.MULTICLASS, "abc", np.array([0, 1]), np.eye(3)[[0, 1]])
    assert found is not None
    last = found.classes[2]
    assert (last.precision, last.recall, last.f1, last.n) == (None, None, None, 0)


@pytest.mark.parametrize(
    ("kind", "targets", "predictions"),
    [
        (TaskKind.MULTICLASS, np.array([0, 5]), np.eye(2)),
        (TaskKind.MULTICLASS, np.array([0, -1]), np.eye(2)),
        (TaskKind.MULTICLASS, np.array([0, 1, 1]), np.eye(2)),
        (TaskKind.MULTICLASS, np.array(["a", "b"]), np.eye(2)),
        (TaskKind.MULTICLASS, np.array([0, 1]), 7 * np.eye(2)),
        (TaskKind.MULTILABEL, np.eye(3), np.eye(3)[:, :2]),
        (TaskKind.REGRESSION, np.array([np.nan]), np.array([1.0])),
        (TaskKind.REGRESSION, np.array([]), np.array([])),
        (TaskKind.REGRESSION, np.ones((2, 2)), np.ones((2, 2))),
    ],
)
def test_arrays_that_do_not_fit_are_not_judged(kind: TaskKind, targets: Any, predictions: Any) -> None:
    assert mistakes(kind, (), targets, predictions) is None


@settings(max_examples=40, deadline=None)
@given(
    hnp.arrays(np.float64, (7, 4), elements=st.floats(0, 1) | st.just(float("nan"))),
    hnp.arrays(np.int64, 7, elements=st.integers(0, 3)),
)
def test_every_finite_row_is_counted_once(predictions: Any, targets: Any) -> None:
    found = mistakes(TaskKind.MULTICLASS, "abcd", targets, predictions)
    finite = int(np.isfinite(predictions).all(axis=1).sum())
    assert (found.rows if found else 0) == finite
    if found:
        assert found.confusion is not None
        assert found.reliability is not None
        assert found.confusion.counts.sum() == finite == found.reliability.counts.sum()


# --- words -----------------------------------------------------------------------------------------------


def test_transfer_is_not_said_to_help_where_the_control_lies_within_the_interval() -> None:
    inside = Outcome("accuracy", True, 0.9, 0.86, 0.94, 200, from_scratch=0.88)
    assert inside.helped is None
    assert "too small to say that transfer helped" in words.verdict(inside)[-1]


@pytest.mark.parametrize(("scratch", "said"), [(0.6, "Transfer helped"), (0.97, "Transfer did not help")])
def test_the_verdict_compares_with_training_from_scratch(scratch: float, said: str) -> None:
    assert words.verdict(Outcome("accuracy", True, 0.9, 0.86, 0.94, from_scratch=scratch))[-1].startswith(
        said
    )


def test_a_lower_error_than_the_control_is_transfer_that_helped() -> None:
    assert Outcome("rmse", False, 0.5, 0.4, 0.6, from_scratch=1.0).helped is True


def test_baselines_are_compared_in_the_metrics_direction() -> None:
    sentences = words.verdict(Outcome("rmse", False, 0.5, trivial=1.4))
    assert "0.900 better than ignoring the input (1.400)" in sentences[1]
    assert (
        "0.120 better than the ten lines (0.620)"
        in words.verdict(Outcome("rmse", False, 0.5, ten_lines=0.62))[1]
    )


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (words.seconds(0.42), "0.4 s"),
        (words.seconds(59.7), "1 min"),
        (words.seconds(178), "2 min 58 s"),
        (words.seconds(3840), "1 h 4 min"),
        (words.size(17_400_000), "17.4 MB"),
        (words.size(999_999), "1.0 MB"),
        (words.magnitude(4_652_008), "4.7 M"),
        (words.magnitude(12), "12"),
        (words.score(0.93178), "0.932"),
        (words.score(12345.6), "12,346"),
        (words.score(None), "—"),
        (words.label("macro_f1"), "macro F1"),
        (words.moment("2026-03-02T09:14:07+00:00"), "2026-03-02 09:14 UTC"),
        (words.moment("yesterday"), "yesterday"),
        (words.clip("a  very\nlong line", 8), "a very …"),
    ],
)
def test_numbers_are_said_in_human_units(said: str, expected: str) -> None:
    assert said == expected


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value in a JSON document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in _places(item, (*path, key)))]


def _put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy of a JSON document with another value at one place."""
    if not path:
        return new
    changed = dict(value) if isinstance(value, dict) else list(value)
    changed[path[0]] = _put(value[path[0]], path[1:], new)
    return changed


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data(), junk=_JSON)
@pytest.mark.parametrize("name", ["run.json", "leaderboard.json", "profile.json", "trials/0001/result.json"])
def test_any_junk_at_any_place_of_a_file_still_gives_a_page(
    make_run: Any, monkeypatch: pytest.MonkeyPatch, name: str, data: Any, junk: Any
) -> None:
    from autotl.report import html

    monkeypatch.setattr(html, "_figures", lambda summary: {})
    run = make_run(trials=8, rows=20)
    content = run.read_json(name)
    place = data.draw(st.sampled_from(_places(content)))
    (run.path / name).write_text(json.dumps(_put(content, place, junk)))
    page = html.render(summarize(run))
    assert page.rstrip().endswith("</html>")
    page.encode()
