"""What a killed or interrupted search leaves, on the real command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from autotl.testing.data import write_text_table

pytestmark = pytest.mark.slow
_PATIENCE_SECONDS = 120


def command(folder, *more):
    words = ["fit", str(folder / "table.csv"), "--out", str(folder / "run"), "--offline", *more]
    words += ["--space", str(folder / "space.toml")]
    return [sys.executable, "-m", "autotl.cli", *words]


def wait_for_trials(folder, count, process):
    """Wait until so many trials are on disk."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while len(list(folder.glob("run/trials/*/result.json"))) < count:
        assert process.poll() is None, "the search ended before it was disturbed"
        assert time.monotonic() < deadline, "no trial in time"
        time.sleep(0.05)


def results(folder):
    paths = folder.glob("run/trials/*/result.json")
    return {path.parent.name: json.loads(path.read_text())["score"] for path in paths}


@pytest.fixture
def folder(tmp_path):
    write_text_table(tmp_path / "table.csv", rows=90)
    (tmp_path / "space.toml").write_text("[strategies.from_scratch]\nenabled = false\n")
    return tmp_path


def test_after_a_kill_the_search_goes_on_and_loses_no_finished_trial(folder):
    process = subprocess.Popen(command(folder, "--trials", "50"), stderr=subprocess.DEVNULL)
    wait_for_trials(folder, 2, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = results(folder)
    goal = len(before) + 1
    done = subprocess.run(
        command(folder, "--trials", str(goal), "--resume", "--json"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    after = results(folder)
    assert len(after) == goal
    assert {name: after[name] for name in before} == before
    assert (folder / "run" / "model" / "model.onnx").is_file()
    assert (folder / "run" / "report.html").is_file()


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_ends_the_search_and_still_exports_the_best(folder):
    process = subprocess.Popen(
        command(folder, "--time", "10m", "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    wait_for_trials(folder, 2, process)
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=_PATIENCE_SECONDS)
    assert process.returncode == 0
    assert json.loads(printed)
    record = json.loads((folder / "run" / "run.json").read_text())
    assert record["test"]["n"] > 0
    assert (folder / "run" / "model" / "model.onnx").is_file()
