"""A folder of runs with models of tiny networks, and the page about it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from run_folders import BASE, TASK, WITHOUT, begin_run, finish_run
from starlette.testclient import TestClient

from autotl.data.dataset import Dataset
from autotl.export.bundle import export_bundle
from autotl.modalities.registry import modality
from autotl.search.event_log import EventLog
from autotl.search.events import RunStarted, StageStarted
from autotl.testing.backbones import WORDS, tiny_image_backbone, tiny_text_backbone
from autotl.training.model import TransferModel
from autotl.ui.app import create_app


def _export(backbone, spec, items: list, folder: Path, columns: tuple[str, ...]) -> Path:
    torch.manual_seed(1)
    head = torch.nn.Linear(backbone.feature_dim(), TASK.outputs)
    model = TransferModel(backbone, head, [backbone.depth], TASK, spec).eval()
    names = [str(i) for i in range(len(items))]
    dataset = Dataset(spec.modality, TASK, items, np.arange(len(items)) % 3, names, columns=columns)
    return export_bundle(model, dataset, np.arange(len(items)), folder, verify_rows=4).folder


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model of images, of texts, and of two columns of texts."""
    root, rng = tmp_path_factory.mktemp("bundles"), np.random.default_rng(0)
    with torch.random.fork_rng(devices=[]):
        images = tiny_image_backbone()
        pixels = [rng.integers(0, 256, (24, 24, 3), np.uint8) for _ in range(8)]
        spec = modality("image").preprocessing(images.info.input, {}, {})
        found = {"images": _export(images, spec, [Image.fromarray(p) for p in pixels], root / "images", ())}
        texts = tiny_text_backbone(folder=root / "tokenizer")
        needs = {**texts.info.input, "tokenizer": texts.assets()["tokenizer.json"]}
        spec = modality("text").preprocessing(needs, {}, {})
        words = [" ".join(rng.choice(WORDS, 6)) for _ in range(8)]
        found["texts"] = _export(texts, spec, words, root / "texts", ("text",))
        pairs = list(zip(words, reversed(words), strict=True))
        found["pairs"] = _export(texts, spec, pairs, root / "pairs", ("subject", "body"))
    return found


@pytest.fixture
def runs(tmp_path: Path, bundles: dict[str, Path]) -> Path:
    """Runs that ended well: photos, mails (newer) and letters (two columns)."""
    folder = tmp_path / "runs"
    days = {"photos": ("images", 0.875, 2), "mails": ("texts", 0.75, 4), "letters": ("pairs", 0.5, 1)}
    for name, (kind, score, day) in days.items():
        run = begin_run(folder, name, f"2026-03-0{day}T09:14:07+00:00")
        finish_run(run, score, bundles[kind], seed=day)
    return folder


@pytest.fixture
def live_log(runs: Path) -> Iterator[EventLog]:
    """The log of a run "live" that goes on in this folder."""
    run = begin_run(runs, "live", datetime.now(UTC).isoformat())
    log = EventLog(time.monotonic())
    log(RunStarted(datetime.now(UTC).isoformat(), 600.0))
    log.open(run.path)
    log(StageStarted("search"))
    yield log
    log.close()


@pytest.fixture
def page(runs: Path) -> Iterator[TestClient]:
    """The page about the runs."""
    with TestClient(create_app(runs), base_url=BASE, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def served_process(runs: Path) -> Iterator[subprocess.Popen[str]]:
    """`autotl ui` of the runs in a process of its own, without torch; it ends in order and says nothing."""
    command = [sys.executable, "-c", WITHOUT, "torch", "ui", runs, "--port", "0", "--no-browser"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=20)
    assert (process.returncode, told) == (0, "")


@pytest.fixture
def served(served_process: subprocess.Popen[str]) -> str:
    """The address of the page as `autotl ui` serves it."""
    found = re.search(r"http://127\.0\.0\.1:\d+", served_process.stdout.readline())
    assert found is not None
    return found[0]
