"""The live panel in a real pseudo-terminal: whole at any width, whole after the window became narrower."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from terminal import Terminal

PROGRAM = """
import sys
from autotl.config import EpochResult, TrialConfig, TrialResult, TrialState
from autotl.console.live import display
from autotl.search.events import *
from autotl.task import Task, TaskKind
config = TrialConfig("tf_efficientnet_lite0_with_a_long_name", "gradual_unfreezing", {"epochs": 8})
with display(600, None) as shown:
    shown(StageStarted("read", "data/photos"))
    shown(DataRead(1200, Task(TaskKind.MULTICLASS, ("a", "b"), "accuracy")))
    for name in ("profile", "first model", "probe", "search"):
        shown(StageStarted(name))
    shown(Note("two classes are rare", warning=True))
    for number, score in enumerate((0.5, 0.75, 0.875)):
        curve = tuple(EpochResult(i, score - 0.1 / i, 0.5, 1.0) for i in range(1, 5))
        shown(TrialStarted(number, config))
        result = TrialResult(number, config, TrialState.COMPLETE, score, curve, 12.5)
        shown(TrialFinished(result, score))
    shown(TrialStarted(3, config))
    shown(EpochDone(3, EpochResult(1, 0.25, 0.5, 1.0)))
    shown(EpochDone(3, EpochResult(2, 0.625, 0.5, 1.0)))
    for line in sys.stdin:
        shown(Note(line.strip(), warning=True))
"""


def panels(rows: list[str]) -> int:
    return sum(row.startswith("╭") for row in rows)


def check_frame(rows: list[str], columns: int) -> None:
    """One whole panel, with both borders at the edges of the window."""
    start = next(i for i, row in enumerate(rows) if row.startswith("╭"))
    end = next(i for i, row in enumerate(rows) if row.startswith("╰"))
    assert panels(rows) == 1
    assert {len(row) for row in rows[start : end + 1]} == {columns}
    assert all(row[0] + row[-1] == "││" for row in rows[start + 1 : end])


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_panel_fits_the_window(columns):
    with Terminal(PROGRAM, columns) as terminal:
        rows = terminal.wait_for("0.6250")
        check_frame(rows, columns)
        text = "\n".join(rows)
        assert "! two classes are rare" in text
        assert re.search(r"3 done", text)
        assert re.search(r"0.8750 accuracy", text)
        assert re.search(r"[89]:\d\d left", text)
        assert re.search(r"▸ +3 +tf_eff.* 2 of 8 +0.6250", text)
        assert re.search(r"1 +2 +tf_eff.* 4 of 8 +0.8750", text)
        assert re.search(r"0.5000 [▁▂▃▄▅▆▇█]+ 0.8750", text)
        assert terminal.has_colours
    if columns >= 80:
        assert re.search(r"ends at about \d\d:\d\d", text)
        assert re.search(r"gradual_un", text)
        assert re.search(r"probe 0:\d\d", text)


def test_after_the_window_became_narrower_nothing_of_the_old_panel_is_left():
    with Terminal(PROGRAM, 120) as terminal:
        terminal.wait_for("0.6250")
        for columns in (60, 100, 41):
            terminal.resize(columns)
            terminal.read(1.2)
            check_frame(terminal.wait_for("0.6250"), columns)
            assert "! two classes are rare" in "\n".join(terminal.screen.seen)


def test_a_low_window_shows_what_has_room():
    with Terminal(PROGRAM, 80, lines=12) as terminal:
        terminal.wait_for("0.8750")
        terminal.read(0.6)
        rows = terminal.screen.seen
        assert panels(rows) == 1
        assert rows[-1].startswith("╰")
        assert len(rows) <= 12


def test_warnings_stay_above_the_panel_and_its_last_state_is_left_on_the_screen():
    with Terminal(PROGRAM, 80) as terminal:
        terminal.wait_for("0.6250")
        terminal.type("the disk is nearly full\n")
        rows = terminal.wait_for("! the disk is nearly full")
        assert panels(rows) == 1
        terminal.type("\x04")
        terminal.process.wait(20)
        terminal.read(0.5)
        assert panels(terminal.screen.seen) == 1
        assert terminal.raw.endswith("\x1b[?25h"), "the cursor is there again"


def test_no_color_is_respected():
    with Terminal(PROGRAM, 80, NO_COLOR="1") as terminal:
        terminal.wait_for("0.6250")
        assert not terminal.has_colours


def test_a_dumb_terminal_gets_lines():
    with Terminal(PROGRAM, 80, TERM="dumb") as terminal:
        terminal.wait_for("trial 3: tf_eff")
        assert "\x1b" not in terminal.raw


def test_a_pipe_gets_lines():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, input="", check=True, timeout=60
    )
    assert done.stdout == ""
    assert "\x1b" not in done.stderr
    assert done.stderr.count("trial ") >= 7
