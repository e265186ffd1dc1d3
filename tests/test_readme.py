"""What the README shows works as it stands there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from autotl.cli import app
from autotl.testing.data import write_image_folder

README = Path(__file__).parent.parent / "README.md"


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README.read_text(encoding="utf-8"), re.M | re.S)


def run(words, folder):
    done = subprocess.run(words, capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.slow
def test_the_python_examples_run(tmp_path):
    for number, block in enumerate(blocks("python")):
        (tmp_path / f"example{number}.py").write_text(block)
        printed = run([sys.executable, f"example{number}.py"], tmp_path)
        assert "card" in printed
        assert "parcel" in printed


@pytest.mark.slow
def test_the_command_line_examples_run(tmp_path, monkeypatch):
    write_image_folder(tmp_path / "data", classes=3, rows_per_class=12)
    monkeypatch.chdir(tmp_path)
    commands = [line for block in blocks("console") for line in block.splitlines() if line]
    assert any(command.startswith("autotl fit") for command in commands)
    for command in commands:
        program, *words = shlex.split(command)
        assert program == "autotl"
        done = CliRunner().invoke(app, words)
        ends_well = (0, 3) if words[0] == "audit" else (0,)  # 3: there is something to look at
        assert done.exit_code in ends_well, f"{command}\n{done.output}"


def test_every_verb_is_in_the_readme():
    text = README.read_text(encoding="utf-8")
    names = [c.name or c.callback.__name__ for c in app.registered_commands if c.callback]
    assert names
    assert [name for name in names if f"`autotl {name}" not in text] == []


def test_every_path_that_the_readme_names_exists():
    text = README.read_text(encoding="utf-8")
    named = re.findall(r"`((?:autotl|benchmarks|search_spaces|scripts)/[\w/.]*)`", text)
    assert named
    assert [path for path in named if not (README.parent / path).exists()] == []
