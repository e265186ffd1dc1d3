"""What serving installs is small, and enough. These tests install packages, where AUTOTL_INSTALLS is set."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from autotl.export.bundle import export_bundle
from autotl.task import Task, TaskKind
from autotl.testing.workbench import tiny_workbench

ROOT = Path(__file__).parents[1]
MEGABYTE = 10**6
#: Cold starts, of which the best counts: the first one compiles, and others may be at work on the machine.
_STARTS = 3

pytestmark = [
    pytest.mark.skipif(not os.environ.get("AUTOTL_INSTALLS"), reason="AUTOTL_INSTALLS is not set"),
    pytest.mark.timeout(1800),
]


def installed(folder: Path, requirement: str) -> Path:
    """An environment of its own with one requirement; gives its Python."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    pip = [python, "-m", "pip", "install", "-q", "--no-compile", "--disable-pip-version-check"]
    subprocess.run([*pip, "-c", ROOT / "constraints.txt", requirement], check=True)
    return python


def size_mb(python: Path) -> float:
    """Megabytes of all packages but pip."""
    (packages,) = python.parents[1].glob("lib/python*/site-packages")
    found = [
        path.stat().st_size
        for folder in packages.iterdir()
        if not folder.name.startswith(("pip", "setuptools"))
        for path in ([folder] if folder.is_file() else folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    ]
    return sum(found) / MEGABYTE


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """The sources without what a build leaves beside them."""
    folder = tmp_path_factory.mktemp("source")
    for name in ("autotl", "search_spaces", "pyproject.toml", "setup.py", "LICENSE", "README.md"):
        (folder / name).symlink_to(ROOT / name)
    return folder


@pytest.fixture
def bundle(tmp_path) -> Path:
    """A tiny model of texts, exported."""
    bench = tiny_workbench(tmp_path / "bench", "text")
    import torch

    head = torch.nn.Linear(bench.backbone.feature_dim(), bench.task.outputs)
    model = bench.model(bench.backbone, head, (bench.backbone.depth,)).eval()
    assert isinstance(bench.task, Task)
    assert bench.task.kind is TaskKind.MULTICLASS
    return export_bundle(model, bench.dataset, np.arange(8), tmp_path / "model").folder


def test_what_a_predictor_needs_is_under_240_mb_and_predicts_soon_without_torch(tmp_path, source, bundle):
    python = installed(tmp_path / "base", str(source))
    assert size_mb(python) < 240
    code = f"""
import sys, time
begun = time.perf_counter()
import autotl
assert autotl.load({str(bundle)!r}).predict(["where is my card"])
print(time.perf_counter() - begun)
assert not {{"torch", "onnx", "transformers"}} & set(sys.modules)
"""
    command = [python, "-c", code]
    starts = [subprocess.run(command, check=True, cwd=tmp_path, capture_output=True) for _ in range(_STARTS)]
    assert min(float(start.stdout) for start in starts) < 1.5, "seconds until a first prediction"


def test_what_the_server_needs_is_under_270_mb_and_enough_for_the_page_about_runs(tmp_path, source):
    python = installed(tmp_path / "serve", f"{source}[serve]")
    assert size_mb(python) < 270
    page = ["-c", "import autotl.ui.app, autotl.ui.server"]
    for command in (["-m", "autotl.cli", "serve", "--help"], page):
        subprocess.run([python, *command], check=True, cwd=tmp_path, capture_output=True)
