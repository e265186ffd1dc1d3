"""A search that goes on is not measured by trials that may not be delivered any more, and loses none."""

from __future__ import annotations

from dataclasses import replace

import pytest
from search_fakes import CurveSpace, FakeFactory

from autotl.config import LEFT_OUT, TrialState
from autotl.search.budget import Budget
from autotl.search.events import Note, TrialFinished
from autotl.search.loop import run_search
from autotl.search.schedulers.scheduler import Verdict
from autotl.trial.run_folder import RunFolder

REASON = "19 MB on disk is over the limit of 15, measured"


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "run")


def search(folder, trials, **options):
    factory = FakeFactory(folder)
    options = {"budget": Budget(trials=trials), **options}
    return run_search(CurveSpace(epochs=4), factory, folder, **options), factory


def leave_out(folder, result):
    folder.write_result(result.with_facts(**{LEFT_OUT: REASON}))


class Watching:
    """Goes on with everything, and remembers what the boards have shown: best, how many, whose curves."""

    name = "watching"

    def __init__(self):
        self.boards = []

    def judge(self, trial, board):
        self.boards.append((board.best, board.started, set(board.curves())))
        return Verdict.GO_ON

    def pick(self, board, *, fresh):
        self.boards.append((board.best, board.started, set(board.curves())))
        return None

    def enough(self, board):
        return None


def test_a_trial_that_is_left_out_is_kept_and_counted_but_sets_no_standard(folder):
    before, _ = search(folder, 3)
    best = max(before, key=lambda result: result.score)
    leave_out(folder, best)
    watching, told = Watching(), []
    after, factory = search(folder, 5, judge=watching, listener=told.append)
    assert [result.number for result in after] == [0, 1, 2, 3, 4]
    assert after[best.number].left_out == REASON
    assert [after[r.number] for r in before if r is not best] == [r for r in before if r is not best]
    assert len(factory.started) == 2, "it is one of the five"
    second = max(result.score for result in before if result is not best)
    assert watching.boards[0] == (second, 3, {0, 1, 2} - {best.number})
    ends = [event for event in told if isinstance(event, TrialFinished)]
    assert ends[0].best == max(second, ends[0].result.score)


def test_a_trial_that_is_allowed_again_counts_as_before(folder):
    before, _ = search(folder, 3)
    leave_out(folder, before[1])
    folder.write_result(before[1])
    watching = Watching()
    search(folder, 4, judge=watching)
    assert watching.boards[0][0] == max(result.score for result in before)


def test_a_paused_trial_that_is_left_out_ends_with_what_it_has_reached(folder):
    before, _ = search(folder, 2)
    lines = folder.journal.read_bytes().splitlines(keepends=True)
    told = max(i for i, line in enumerate(lines) if b'"state":1' in line)
    folder.journal.write_bytes(b"".join(lines[:told]))  # the second trial is under way in the journal
    leave_out(folder, replace(before[1], state=TrialState.PAUSED))
    after, factory = search(folder, 3)
    assert factory.resumed == []
    assert [(r.number, r.state) for r in after] == [
        (0, TrialState.COMPLETE),
        (1, TrialState.PRUNED),
        (2, TrialState.COMPLETE),
    ]
    assert after[1].score == before[1].score
    assert folder.result(1).state is TrialState.PRUNED


class Sated(Watching):
    """Never expects anything of what is left."""

    def enough(self, board):
        return "nothing that is left is expected to gain" if board.started else None


def test_a_search_ends_early_only_where_something_was_left(folder, tmp_path):
    told: list[object] = []
    results, _ = search(folder, 1, judge=Sated(), listener=told.append)
    assert len(results) == 1
    assert not [event for event in told if isinstance(event, Note)]
    results, _ = search(RunFolder(tmp_path / "other"), 3, judge=Sated(), listener=told.append)
    assert len(results) == 1
    (note,) = (event for event in told if isinstance(event, Note))
    assert note.message.startswith("the search ends early: ")
