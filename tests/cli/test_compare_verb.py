"""`autotl compare`: a table for people, JSON for machines, a message where there is nothing to compare."""

from __future__ import annotations

import json

import numpy as np
import pytest

from autotl.task import Task, TaskKind
from autotl.trial.run_folder import RunFolder

TASK = Task(TaskKind.BINARY, ("no", "yes"), "accuracy")


@pytest.fixture
def runs(tmp_path):
    """Two finished runs on the same 200 rows, one right on all, one on four of five."""
    targets = np.arange(200) % 2
    names = np.array([f"test.csv:{row}" for row in range(200)])
    contents = np.array([b"content %d" % row for row in range(200)])
    folders = []
    for name, wrong in (("good", 200), ("poor", 5)):
        run = RunFolder(tmp_path / name)
        run.create()
        predicted = np.where(np.arange(200) % wrong == 4, 1 - targets, targets)
        arrays = {"targets": targets, "predictions": np.eye(2)[predicted]}
        run.write_arrays("test_predictions.npz", **arrays, names=names, fingerprints=contents)
        run.write_json(
            "run.json",
            {
                "task": TASK.to_json(),
                "data": {"source": "mails.csv"},
                "seconds": 61.0,
                "test": {"score": float((predicted == targets).mean()), "n": 200},
                "winner": {"backbone": "minilm", "strategy": "lora"},
            },
        )
        folders.append(run.path)
    return folders


def test_the_better_run_is_named(call, runs):
    done = call("compare", *map(str, runs))
    assert done.exit_code == 0
    said = " ".join(done.output.split())
    assert f"{runs[0]} is better than {runs[1]} on the 200 test rows of both" in said.replace("- ", "-")
    assert "minilm" in said
    assert "lora" in said


def test_json_holds_the_gain_and_its_interval(call, runs):
    found = json.loads(call("compare", *map(str, runs), "--json").stdout)
    assert [run["score"] for run in found["runs"]] == [0.995, 0.8]
    (pair,) = found["pairs"]
    assert pair["gain"] == pytest.approx(0.195)
    assert 0 < pair["low"] < pair["gain"] < pair["high"]


def test_runs_that_do_not_tell_which_rows_they_tested_are_not_paired_by_name(call, runs):
    for folder in runs:
        arrays = dict(np.load(folder / "test_predictions.npz"))
        del arrays["fingerprints"]
        np.savez(folder / "test_predictions.npz", **arrays)
    done = call("compare", *map(str, runs))
    assert done.exit_code == 0
    assert "cannot be compared row by row" in " ".join(done.output.split())


def test_one_run_alone_is_refused_with_an_example(call, runs):
    done = call("compare", str(runs[0]))
    assert done.exit_code == 2
    assert "two different run folders" in done.output
