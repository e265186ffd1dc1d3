"""Searches that only serve for comparison, installed as plug-ins of the process of a real run.

Their space is the one that ships, without its portfolio: what is tried is drawn at random before any trial
has a score, and the ten lines come first, as in every run.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

from autotl.backbones.catalogue import space_files
from autotl.search.board import Board
from benchmarks.schedulers import OneEpochThenThree, RandomSearch

#: How many configurations are drawn before the first trial; more than a run of some minutes begins.
_DRAWN = 64
#: Without any portfolio the defaults of all strategies would stand in.
_TEN_LINES = '[[portfolio]]\nstrategy = "linear_probe"\n'
_PORTFOLIO = re.compile(r"^\[\[portfolio\]\]\n(?:[^\[#\n].*\n)*", re.MULTILINE)


class _Drawn:
    """Takes configurations in the order in which chance drew them."""

    choice = _DRAWN

    def choose(self, board: Board) -> int:
        """The first."""
        return 0


class RandomTrainings(_Drawn, RandomSearch):
    """Random search: every trial to its end."""


class EpochThenBest(_Drawn, OneEpochThenThree):
    """One epoch for all while half of the time lasts, then one after the other to the end, the best first."""

    def __init__(self) -> None:
        self._seconds = 0.0

    def pick(self, board: Board, *, fresh: bool) -> int | None:
        """The best of those that wait, once half of the time is over."""
        self._seconds = max(self._seconds, board.seconds_left)
        is_first_half = fresh and (math.isinf(self._seconds) or board.seconds_left > self._seconds / 2)
        if is_first_half or not board.paused:
            return None
        return max(board.paused, key=lambda trial: trial.score).number


RANDOM, ONE_THEN_THREE = RandomTrainings(), EpochThenBest()
CONTENDERS = (RANDOM.name, ONE_THEN_THREE.name)


def installed(folder: Path) -> Path:
    """A folder that makes them schedulers of autotl where it is on the path of Python."""
    info = folder / "contenders" / "contenders_for_autotl-0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: contenders-for-autotl\nVersion: 0\n")
    objects = {RANDOM.name: "RANDOM", ONE_THEN_THREE.name: "ONE_THEN_THREE"}
    lines = [f"{name} = {__name__}:{constant}\n" for name, constant in objects.items()]
    (info / "entry_points.txt").write_text("[autotl.search.schedulers]\n" + "".join(lines))
    return info.parent


def flags(folder: Path, name: str, modality: str) -> Sequence[str]:
    """Options of `autotl fit` that let one of them search the space of a modality, written into a folder."""
    space = folder / f"{modality}.toml"
    without = _PORTFOLIO.sub("", space_files()[modality].read_text())
    space.write_text(f"inherit = false\n{without}{_TEN_LINES}")
    return ("--scheduler", name, "--space", str(space), "--no-experience")
