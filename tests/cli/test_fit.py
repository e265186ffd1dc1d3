"""`autotl fit` hands every option on; progress goes to standard error, the outcome to standard output."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autotl.config import TrialConfig, TrialResult, TrialState
from autotl.leaderboard.leaderboard import Leaderboard
from autotl.search.events import StageStarted, TrialFinished
from autotl.trial.run_folder import RunFolder

RESULT = TrialResult(0, TrialConfig("lite0", "linear_probe"), TrialState.COMPLETE, 0.9, seconds=1.5)


class FakeAutoTL:
    """Finds a model at once, and remembers how it was asked."""

    asked: dict
    data: Path

    def __init__(self, *, listener, **parameters) -> None:
        FakeAutoTL.asked = parameters
        self.listener = listener

    def fit(self, data):
        FakeAutoTL.data = data
        self.listener(StageStarted("search"))
        self.listener(TrialFinished(RESULT, 0.9))
        self.run_ = RunFolder(self.asked["out"])
        self.run_.create()
        self.run_.write_json("run.json", {"seconds": 2.5, "verdict": ["Transfer helped."]})
        self.leaderboard_ = Leaderboard.from_results([RESULT], metric="accuracy", winner=0)
        self.best_trial_ = RESULT
        self.test_ = {"metric": "accuracy", "score": 0.88, "low": 0.8, "high": 0.93, "n": 50}
        return self


@pytest.fixture
def fit(call, monkeypatch, tmp_path):
    """Call `autotl fit photos --out RUN` with further options, on the fake."""
    monkeypatch.setattr("autotl.automl.AutoTL", FakeAutoTL)
    return lambda *options: call("fit", "photos", "--out", tmp_path / "run", *options)


def test_json_is_one_object_and_progress_goes_to_standard_error(fit, tmp_path):
    result = fit("--json")
    found = json.loads(result.stdout)
    assert found["run"] == str(tmp_path / "run")
    assert found["bundle"] == str(tmp_path / "run" / "model")
    assert (found["metric"], found["trials"], found["seconds"]) == ("accuracy", 1, 2.5)
    assert (found["winner"]["backbone"], found["winner"]["score"]) == ("lite0", 0.9)
    assert found["test"]["score"] == 0.88
    assert "trial 0: 0.9000 in 1.5 s; best so far 0.9000" in result.stderr


def test_a_person_sees_the_leaderboard_the_verdict_and_what_to_type_next(fit, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "report.html").write_text("")
    shown = fit().stdout.replace("\n", " ")
    assert "lite0" in shown
    assert "Transfer helped." in shown
    assert "autotl predict" in shown
    assert "report.html" in shown
    (tmp_path / "run" / "report.html").unlink()
    assert "report.html" not in fit().stdout, "where it could not be written it is not named"


def test_every_option_reaches_the_estimator(fit, tmp_path):
    fit(
        *("--target", "price", "--task", "regression", "--metric", "mae", "--time", "90s", "--trials", "5"),
        *("--space", "my.toml", "--backbones", "a, b", "--license", "permissive", "--group", "shop"),
        *("--max-latency-ms", "15", "--max-size-mb", "20", "--max-memory-mb", "300"),
        *("--latency-batch", "8", "--latency-threads", "1"),
        *("--text", "title,body", "--image", "photo", "--engine", "ray", "--device", "cpu", "--threads", "2"),
        *("--offline", "--resume", "--seed", "7", "--quality", "best", "--test-share", "0.3"),
        *("--val-share", "0.1", "--val", "v.csv", "--test", "t.csv", "--cache-dir", "cache"),
        *("--cache-limit", "5GB"),
        *("--scheduler", "gain", "--no-experience"),
        *("--no-reference-rows", "--compress", "int8", "--mlflow", "sqlite:///runs.db", "--from", "runs/old"),
        *("--distill-to", "small"),
        *("--ray-address", "head:6379", "--trial-cpus", "2", "--trial-gpus", "0.5"),
    )
    assert Path("photos") == FakeAutoTL.data
    assert FakeAutoTL.asked == {
        **{"target": "price", "task": "regression", "metric": "mae", "time_budget": "90s", "trials": 5},
        **{"space": Path("my.toml"), "backbones": ["a", "b"], "license": "permissive", "group": "shop"},
        **{"max_latency_ms": 15.0, "max_size_mb": 20.0, "max_memory_mb": 300.0},
        **{"latency_batch": 8, "latency_threads": 1},
        **{"text": ["title", "body"], "image": "photo", "engine": "ray", "device": "cpu", "threads": 2},
        **{"ray_address": "head:6379", "trial_cpus": 2.0, "trial_gpus": 0.5},
        **{"offline": True, "resume": True, "seed": 7, "quality": "best", "test_share": 0.3},
        **{"val_share": 0.1, "val": Path("v.csv"), "test": Path("t.csv"), "cache_dir": Path("cache")},
        "cache_limit": "5GB",
        **{"scheduler": "gain", "experience": False, "reference_rows": False, "compress": "int8"},
        **{"mlflow": "sqlite:///runs.db", "from_run": Path("runs/old"), "distill_to": "small"},
        "out": tmp_path / "run",
    }


@pytest.mark.parametrize(
    ("options", "budget"),
    [((), "10m"), (("--trials", "5"), None), (("--trials", "5", "--time", "1h"), "1h")],
)
def test_a_number_of_trials_alone_sets_no_limit_of_time(fit, options, budget):
    fit(*options)
    assert FakeAutoTL.asked["time_budget"] == budget
