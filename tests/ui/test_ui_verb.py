"""`autotl ui`: what it refuses, what it says, and that it needs no torch."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request

import pytest
from run_folders import WITHOUT

from autotl.versions import install_command


def test_a_missing_package_is_answered_with_the_line_to_install_it(tmp_path):
    command = [sys.executable, "-c", WITHOUT, "uvicorn", "ui", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith(f"Install it: {install_command('serve')}\n")


@pytest.mark.parametrize(
    ("options", "message"),
    [((), "no such folder of runs"), (("--host", "no.such.address.invalid"), "cannot listen on")],
)
def test_what_cannot_be_shown_is_refused(tmp_path, options, message):
    folder = tmp_path if options else tmp_path / "nowhere"
    command = [sys.executable, "-m", "autotl.cli", "ui", folder, "--no-browser", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_the_page_is_served_without_torch_until_a_signal(served):
    with urllib.request.urlopen(f"{served}/api/runs") as answer:
        assert len(json.load(answer)["runs"]) == 3
    body = json.dumps({"inputs": ["card is late"]}).encode()
    headers = {"Content-Type": "application/json"}
    asked = urllib.request.Request(f"{served}/api/runs/mails/predict", body, headers)
    with urllib.request.urlopen(asked) as answer:
        assert json.load(answer)["predictions"][0]["label"] in ("red", "grün", "blue")
