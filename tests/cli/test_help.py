"""Help is complete, has examples, and is there at once."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys

import pytest

VERBS = (
    "fit",
    "profile",
    "audit",
    "space",
    "backbones",
    "leaderboard",
    "watch",
    "ui",
    "predict",
    "explain",
    "serve",
    "monitor",
    "evaluate",
    "verify",
    "export",
    "log",
    "demo",
)
FIT_OPTIONS = (
    *("--target", "--task", "--metric", "--time", "--trials", "--space", "--backbones"),
    *("--license", "--group", "--text", "--image", "--engine", "--scheduler", "--device", "--threads"),
    *("--offline", "--out", "--resume", "--seed", "--quality", "--test-share", "--val-share"),
    *("--val", "--test", "--cache-dir", "--experience", "--json"),
    *("--reference-rows", "--compress", "--mlflow"),
    *("--max-latency-ms", "--max-size-mb", "--max-memory-mb", "--latency-batch", "--latency-threads"),
)
#: What must not be imported before a verb runs.
HEAVY = (
    "torch",
    "numpy",
    "onnx",
    "onnxruntime",
    "transformers",
    "timm",
    "pandas",
    "sklearn",
    "ray",
    "optuna",
    "fastapi",
)


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "dumb")


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_a_verb_says_what_it_does_and_gives_an_example(call, verb):
    result = call(verb, "--help")
    assert result.exit_code == 0
    assert f"autotl {verb}" in result.output.split("Example", 1)[1]


def test_the_help_of_the_program_lists_every_verb(call):
    listed = call("--help").output
    assert [verb for verb in VERBS if f" {verb} " not in listed] == []


@pytest.mark.parametrize("option", FIT_OPTIONS)
def test_fit_takes_every_documented_option(call, option):
    assert f"{option} " in call("fit", "--help").output


def test_version_is_printed(call):
    import autotl

    assert call("--version").output == f"autotl {autotl.__version__}\n"


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom autotl.cli import app\n"
        f"CliRunner().invoke(app, ['fit', '--help'])\nprint([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_help_takes_less_than_half_a_second_after_the_first_call():
    """Processor time, because it does not depend on what else runs; help waits for nothing."""
    command = [sys.executable, "-m", "autotl.cli", "--help"]
    seconds = []
    for _ in range(4):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert statistics.median(seconds[1:]) < 0.5
