"""Writes run folders as fits leave them, and what else tests of the page need."""

from __future__ import annotations

import io
import json
import shutil
import time
from pathlib import Path

import numpy as np
from PIL import Image
from starlette.testclient import TestClient

from autotl.config import EpochResult, TrialConfig, TrialResult, TrialState
from autotl.leaderboard.leaderboard import Leaderboard
from autotl.search.event_log import EventLog
from autotl.search.events import RunEnded, RunStarted, StageStarted, TrialFinished
from autotl.task import Task, TaskKind
from autotl.trial.run_folder import RunFolder

BASE = "http://127.0.0.1:8500"
TASK = Task(TaskKind.MULTICLASS, ("red", "grün", "blue"), "accuracy")
CONFIG = TrialConfig("tiny", "linear_probe", {"learning_rate": 0.001})
RESULT = TrialResult(0, CONFIG, TrialState.COMPLETE, 0.75, (EpochResult(1, 0.75, 0.5, 1.0),), 2.0)
#: The command line in a process that cannot import a package, its first argument.
WITHOUT = "import sys; sys.modules[sys.argv.pop(1)] = None; from autotl.cli import main; main()"
NAMES = np.array([f"test/{i}.jpg" for i in range(60)])
CONTENTS = np.array([b"content %d" % i for i in range(60)])


def begin_run(folder: Path, name: str, started: str = "2026-03-02T09:14:07+00:00") -> RunFolder:
    """A run that has just begun: its record alone."""
    run = RunFolder(folder / name)
    run.create()
    command = ["autotl", "fit", "data", "--out", str(run.path)]
    record = {"task": TASK.to_json(), "metric": "accuracy", "data": {"source": "data"}, "started": started}
    run.write_json("run.json", {**record, "command": command})
    return run


def finish_run(run: RunFolder, score: float, bundle: Path, seed: int = 0) -> None:
    """What a run leaves that ends well; the lower the seed, the better its predictions."""
    record = run.read_json("run.json")
    winner = {"trial": 0, "backbone": "tiny", "strategy": "linear_probe", "config": CONFIG.to_json()}
    test = {"metric": "accuracy", "score": score, "low": score - 0.1, "high": score + 0.05, "n": 60}
    outcome = {"winner": winner, "test": test, "verdict": ["Transfer helped."], "seconds": 61.5}
    run.write_json("run.json", {**record, **outcome})
    Leaderboard.from_results([RESULT], metric="accuracy", winner=0).to_json(run.path / "leaderboard.json")
    (run.path / "leaderboard.csv").write_text("rank,trial\n1,0\n")
    (run.path / "report.html").write_text("<!doctype html><title>report</title>")
    run.write_result(RESULT)
    rng, targets = np.random.default_rng(seed), np.arange(60) % 3
    predictions = rng.dirichlet(np.ones(3), 60) + np.eye(3)[targets] / (1 + seed)
    run.write_arrays(
        "test_predictions.npz",
        targets=targets,
        predictions=predictions / predictions.sum(1)[:, None],
        names=NAMES,
        fingerprints=CONTENTS,
    )
    shutil.copytree(bundle, run.bundle)
    log = EventLog(time.monotonic())
    for event in (
        RunStarted("2026-03-02T09:14:07+00:00", 600.0),
        StageStarted("search"),
        TrialFinished(RESULT, 0.75),
        RunEnded("finished"),
    ):
        log(event)
    log.open(run.path)
    log.close()


def png(level: int = 0) -> bytes:
    """A small image as a file."""
    target, rng = io.BytesIO(), np.random.default_rng(level)
    Image.fromarray(rng.integers(0, 256, (32, 40, 3), np.uint8)).save(target, "PNG")
    return target.getvalue()


def cards(client: TestClient) -> dict[str, dict]:
    """The runs as the page lists them, by name."""
    found = client.get("/api/runs")
    assert found.status_code == 200, found.text
    return {card["name"]: card for card in json.loads(found.text)["runs"]}
