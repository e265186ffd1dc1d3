"""What schedulers are compared with in real runs."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from autotl.config import EpochResult, TrialConfig
from autotl.search.board import Board, Standing
from autotl.space.space import SearchSpace
from benchmarks.contenders import CONTENDERS, EpochThenBest, flags, installed


@pytest.mark.parametrize("modality", ["image", "text"])
def test_their_space_is_that_of_others_with_the_ten_lines_alone_to_begin_with(tmp_path, modality):
    given = dict(zip(*[iter(flags(tmp_path, "random", modality)[:4])] * 2, strict=True))
    assert given["--scheduler"] == "random"
    space = SearchSpace.from_toml(given["--space"])
    assert [entry.strategy for entry in space.portfolio()] == ["linear_probe"]
    assert len(space.strategies) > 8
    assert len(space.backbones) > 3


def test_they_are_schedulers_where_their_folder_is_on_the_path(tmp_path):
    script = (
        "from autotl.search.schedulers.scheduler import Chooser, schedulers; "
        "print(*(name for name, it in schedulers().items() if isinstance(it, Chooser)))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(installed(tmp_path)), *sys.path])}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert {*CONTENDERS, "gain"} <= set(done.stdout.split())


def test_after_half_of_the_time_the_best_of_all_that_had_an_epoch_go_on():
    def waiting(number, score):
        standing = Standing(number, TrialConfig("net", "top_k", {"epochs": 4, "row": number}))
        standing.curve, standing.paused = [EpochResult(1, score, 1.0, 1.0)], True
        return standing

    judge = EpochThenBest()
    board = Board(open={0: waiting(0, 0.5), 1: waiting(1, 0.7)}, seconds_left=100.0)
    assert judge.pick(board, fresh=True) is None
    assert judge.pick(replace(board, seconds_left=60.0), fresh=True) is None
    assert judge.pick(replace(board, seconds_left=49.0), fresh=True) == 1
    assert judge.pick(replace(board, seconds_left=60.0), fresh=False) == 1, "nothing new may begin"
    assert judge.pick(Board(seconds_left=10.0), fresh=True) is None
