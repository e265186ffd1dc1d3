"""A notebook shows a live table while a search goes on, and a fitted model; elsewhere nothing is shown."""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from autotl import AutoTL
from autotl.automl.notebook import LiveTable, fitted_html, shown_in_notebook
from autotl.config import TrialConfig, TrialResult, TrialState
from autotl.leaderboard.leaderboard import Leaderboard
from autotl.search import in_words
from autotl.search.events import (
    Advanced,
    Note,
    RunEnded,
    RunStarted,
    StageStarted,
    TrialFinished,
    TrialStarted,
    silent,
)

EVIL = "<script>alert(1)</script>"
RESULT = TrialResult(0, TrialConfig(EVIL, "full"), TrialState.COMPLETE, 0.75, seconds=2.0)


class Hub:
    """What IPython's display publisher was given."""

    def __init__(self):
        self.published = []

    def publish(self, data, metadata=None, *, transient=None, update=False):
        self.published.append((data, transient["display_id"], update))


@pytest.fixture
def hub() -> Hub:
    return Hub()


@pytest.fixture
def notebook(hub, monkeypatch):
    """This process as the kernel of a notebook."""
    shell = SimpleNamespace(kernel=object(), display_pub=hub)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))


def test_one_place_is_drawn_at_most_twice_a_second_and_at_the_end(hub):
    now = 0.0
    table = LiveTable(hub.publish, lambda: now)
    table(StageStarted("search"))
    for step in range(100):
        now = step / 50
        table(Advanced(step, 100))
    table(RunEnded("finished"))
    assert len({place for _, place, _ in hub.published}) == 1
    assert [update for *_, update in hub.published] == [False, True, True, True, True]
    assert "finished" in hub.published[-1][0]["text/html"]


def test_the_table_shows_trials_and_notes_and_no_markup_of_theirs(hub):
    table = LiveTable(hub.publish, lambda: 0.0)
    table(StageStarted("search", EVIL))
    table(TrialStarted(1, TrialConfig("lite0", "full", {"epochs": 5})))
    table(TrialFinished(RESULT, 0.75))
    table(Note(EVIL))
    table(RunEnded("failed", EVIL))
    shown = hub.published[-1][0]["text/html"]
    assert "0.7500" in shown
    assert "&lt;script&gt;" in shown
    assert "<script" not in shown


def shown(hub, words):
    """Waits until the words are on display."""
    until = time.monotonic() + 20
    while words not in hub.published[-1][0]["text/html"]:
        assert time.monotonic() < until, f"{words} was never shown"
        time.sleep(0.02)
    return hub.published[-1][0]["text/html"]


def test_what_was_told_last_is_shown_though_nothing_follows(hub):
    with LiveTable(hub.publish) as table:
        table(StageStarted("read"))
        table(StageStarted("profile", "right after"))
        assert len(hub.published) == 1
        shown(hub, "profile right after")
        table(Note("at the very end"))
    assert "at the very end" in hub.published[-1][0]["text/html"]
    assert "autotl-table" not in {thread.name for thread in threading.enumerate()}


def test_the_clock_goes_on_between_events(hub):
    with LiveTable(hub.publish) as table:
        table(RunStarted("2026-03-02T09:14:07+00:00", 600.0))
        table(StageStarted("search"))
        shown(hub, "0:02 passed")
    assert len(hub.published) < 8


def test_the_table_says_what_the_terminal_says_of_scores_and_of_the_end(hub):
    now = 0.0
    table = LiveTable(hub.publish, lambda: now)
    table(RunStarted("2026-03-02T09:14:07+00:00", 600.0))
    for number, score in enumerate((0.5, 0.6, 0.9)):
        now = 10.0 * (number + 1)
        table(TrialStarted(number, RESULT.config))
        now += 1.0
        table(TrialFinished(replace(RESULT, number=number, score=score), score))
    said = hub.published[-1][0]
    first, bars, last = in_words.over_time(table.progress)
    assert (first, last) == ("0.5000", "0.9000")
    assert len(set(bars)) > 2
    for words in (f"{first} {bars} {last}", "9:29 left, 0:31 passed, ends at about", "3 done", "0.9000"):
        assert words in said["text/html"]
    assert bars in said["text/plain"]
    assert "9:29 left" in said["text/plain"]


def test_in_a_notebook_both_the_table_and_the_listener_are_told(notebook, hub):
    told = []
    with shown_in_notebook(told.append, verbose=True) as listener:
        listener(StageStarted("search"))
    assert told == [StageStarted("search")]
    assert len(hub.published) == 1


@pytest.mark.parametrize("verbose", [True, False])
def test_nothing_is_shown_outside_of_notebooks_or_where_it_is_not_wanted(hub, monkeypatch, verbose):
    shell = SimpleNamespace(display_pub=hub) if verbose else SimpleNamespace(kernel=1, display_pub=hub)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    with shown_in_notebook(None, verbose) as listener:
        assert listener is None
    with shown_in_notebook(print, verbose) as listener:
        assert listener is print


def test_a_fit_shows_the_table_in_a_notebook(notebook, hub, monkeypatch):
    class StoppedError(Exception):
        pass

    class Fit:
        def __init__(self, settings, listener, start):
            self.listener = listener or silent

        def run(self, data, labels):
            self.listener(StageStarted("read", "here"))
            raise StoppedError

    monkeypatch.setattr("autotl.automl.fit.Fit", Fit)
    for verbose, count in ((False, 0), (True, 1)):
        with pytest.raises(StoppedError):
            AutoTL(verbose=verbose).fit([])
        assert len(hub.published) == count


def test_a_model_that_is_not_fitted_is_shown_as_text():
    assert AutoTL()._repr_html_() is None


def test_a_fitted_model_shows_verdict_best_trials_and_where_all_lies():
    board = Leaderboard.from_results([RESULT], metric="accuracy", winner=0)
    shown = fitted_html(Path("runs/a b"), [f"Transfer helped {EVIL}"], "accuracy", board.rows)
    assert "<script" not in shown
    assert "Transfer helped &lt;script&gt;" in shown
    assert "(winner)" in shown
    assert '<a href="runs/a%20b/report.html"' in shown
    assert "<code>runs/a b/model</code>" in shown


def test_links_of_an_absolute_folder_name_files(tmp_path):
    assert f'href="file://{tmp_path}/report.html"' in fitted_html(tmp_path, [], "accuracy", ())
