"""`autotl watch` follows a run that goes on, shows one that is over, and says how one ended badly."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime

import pytest
from terminal import Terminal

from autotl.config import EpochResult, TrialConfig, TrialResult, TrialState
from autotl.leaderboard.leaderboard import Leaderboard
from autotl.search.event_log import EventLog
from autotl.search.events import EpochDone, RunEnded, RunStarted, StageStarted, TrialFinished, TrialStarted
from autotl.testing.data import write_text_table

CONFIG = TrialConfig("lite0", "full", {"epochs": 5})
RESULT = TrialResult(0, CONFIG, TrialState.COMPLETE, 0.75, (EpochResult(1, 0.75, 0.5, 1.0),), 2.0)
COMMAND = ["/bin/autotl", "fit", "photos", "--target", "kind", "--out", "elsewhere"]
WATCH = "import sys; from autotl.cli import main; sys.argv = ['autotl', 'watch', *sys.argv[1:]]; main()"


@pytest.fixture
def run(tmp_path):
    """A run folder with its record."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps({"command": COMMAND, "data": {"source": "photos"}}))
    return folder


@pytest.fixture
def log(run):
    made = EventLog(time.monotonic())
    made(RunStarted(datetime.now(UTC).isoformat(), 600.0))
    made.open(run)
    made(StageStarted("search"))
    made(TrialStarted(0, CONFIG))
    yield made
    made.close()


def finish(run, log):
    """What a run leaves that ends well."""
    record = {"test": {"metric": "accuracy", "score": 0.8, "n": 50}, "winner": {"trial": 0}, "task": {}}
    (run / "run.json").write_text(json.dumps({**record, "verdict": ["Transfer helped."]}))
    Leaderboard.from_results([RESULT], metric="accuracy", winner=0).to_json(run / "leaderboard.json")
    (run / "report.html").write_text("<!doctype html>")
    log(TrialFinished(RESULT, 0.75))
    log(RunEnded("finished"))


def test_a_run_that_is_over_shows_all_it_told_and_its_outcome_at_once(call, run, log):
    finish(run, log)
    result = call("watch", run)
    assert result.exit_code == 0
    assert re.sub(r"\[\d:\d\d\] ", "", result.stderr).splitlines() == [
        "search",
        "trial 0: lite0, full",
        "trial 0: 0.7500 in 2.0 s; best so far 0.7500",
    ]
    assert "Transfer helped." in result.stdout
    assert "report.html" in result.stdout
    (run / "report.html").unlink()
    assert "report.html" not in call("watch", run).stdout


def test_a_run_that_goes_on_is_followed_until_it_ends(call, run, log):
    def go_on():
        time.sleep(1)
        finish(run, log)

    thread = threading.Thread(target=go_on)
    thread.start()
    result = call("watch", run)
    thread.join()
    assert result.exit_code == 0
    assert "best so far 0.7500" in result.stderr
    assert "Transfer helped." in result.stdout


def test_a_run_that_died_is_told_with_the_command_that_goes_on(call, run, log):
    log.close()
    result = call("watch", run)
    assert (result.exit_code, result.stdout) == (3, "")
    *_, ending, command = result.stderr.splitlines()
    assert re.fullmatch(r"The run was interrupted after \d:\d\d; what it had finished is kept.", ending)
    assert command == f"Go on with it: autotl fit photos --target kind --out {run} --resume"


def test_a_run_that_failed_says_why(call, run, log):
    log(RunEnded("failed", "SearchError: the first three trials failed alike"))
    result = call("watch", run)
    assert result.exit_code == 3
    assert "The run failed after 0:00: SearchError: the first three trials failed alike" in result.stderr


def test_a_run_of_an_earlier_version_shows_its_outcome(call, run, log):
    finish(run, log)
    (run / "events.jsonl").unlink()
    result = call("watch", run)
    assert result.exit_code == 0
    assert "Transfer helped." in result.stdout


@pytest.mark.parametrize(
    ("name", "message"), [("run", "this run cannot be followed"), ("", "not a run folder")]
)
def test_what_cannot_be_followed_is_refused(call, run, name, message):
    result = call("watch", run.parent / name)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


def test_in_a_terminal_the_panel_goes_on_with_the_run(run, log):
    with Terminal(WATCH, 80, arguments=(str(run),)) as terminal:
        terminal.wait_for(r"▸ +0 +lite0 +full +0 of 5")
        log(EpochDone(0, EpochResult(1, 0.5, 0.5, 1.0)))
        terminal.wait_for(r"▸ +0 +lite0 +full +1 of 5 +0.5000")
        finish(run, log)
        text = "\n".join(terminal.wait_for(r"predict +autotl predict"))
        assert re.search(r"stage +finished", text)
        assert terminal.process.wait(20) == 0


@pytest.mark.slow
def test_a_real_run_is_followed_and_its_kill_noticed(tmp_path):
    write_text_table(tmp_path / "table.csv", rows=90)
    (tmp_path / "space.toml").write_text("[strategies.from_scratch]\nenabled = false\n")
    autotl, run = [sys.executable, "-m", "autotl.cli"], tmp_path / "run"
    fit = [*autotl, "fit", tmp_path / "table.csv", "--out", run, "--offline", "--trials", "50"]
    process = subprocess.Popen([*fit, "--space", tmp_path / "space.toml"], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while not (run / "trials" / "0000" / "result.json").exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        watch = subprocess.Popen([*autotl, "watch", run], stderr=subprocess.PIPE, text=True)
        time.sleep(3)
        assert watch.poll() is None
        os.kill(process.pid, signal.SIGKILL)
        _, told = watch.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert watch.returncode == 3
    assert "trial 0: " in told
    assert "--resume" in told.splitlines()[-1]
