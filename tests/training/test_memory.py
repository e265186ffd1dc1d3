"""Training goes on when memory runs out, with the same gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from autotl.config import TrialConfig
from autotl.features.memory import RowsAtOnce, out_of_memory, parts
from autotl.strategies.registry import strategy
from autotl.testing.workbench import tiny_workbench

CONFIG = {"cut": 0.5, "epochs": 2, "batch_size": 16, "learning_rate": 1e-3, "augment": "none"}
ACCELERATOR = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
CPU = RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory")


def start(bench, state=None):
    return strategy("top_k").start(bench, TrialConfig("tiny", "top_k", CONFIG), state)


def crowd(monkeypatch, run, room, error=ACCELERATOR, *, training=True):
    """Let memory run out where more than `room` rows go through the network at once."""
    plain = run._backbone.run

    def crowded(batch, *where):
        rows = len(next(iter(batch.values())))
        if torch.is_inference_mode_enabled() != training and rows > room:
            raise error
        return plain(batch, *where)

    monkeypatch.setattr(run._backbone, "run", crowded)


def finished(run):
    while not run.done:
        run.step()
    return run.validation_outputs()


@pytest.mark.parametrize("error", [ACCELERATOR, CPU], ids=["accelerator", "cpu"])
@pytest.mark.parametrize("name", ["image", "text"])
def test_a_batch_that_does_not_fit_is_trained_in_parts_with_the_same_result(
    tmp_path, monkeypatch, name, error
):
    bench = tiny_workbench(tmp_path, name)
    run = start(bench)
    crowd(monkeypatch, run, 5, error)
    assert torch.allclose(finished(run), finished(start(bench)), atol=1e-5)
    assert run._training_rows.rows == 4


def test_scoring_that_does_not_fit_is_done_in_parts_and_leaves_training_alone(tmp_path, monkeypatch):
    bench = tiny_workbench(tmp_path, "text")
    run = start(bench)
    crowd(monkeypatch, run, 3, training=False)
    assert torch.allclose(finished(run), finished(start(bench)), atol=1e-6)
    assert (run._features._at_once.rows, run._training_rows.rows) == (2, 17)


def test_a_paused_training_remembers_what_fits(tmp_path, monkeypatch):
    bench = tiny_workbench(tmp_path)
    run = start(bench)
    crowd(monkeypatch, run, 5)
    run.step()
    assert start(bench, run.state())._training_rows.rows == 4


def test_a_training_that_does_not_fit_at_all_fails(tmp_path, monkeypatch):
    run = start(tiny_workbench(tmp_path))
    crowd(monkeypatch, run, 0)
    with pytest.raises(torch.OutOfMemoryError, match="CUDA out of memory"):
        run.step()


def test_an_error_of_another_kind_is_not_tried_again():
    calls = []

    def work(rows):
        calls.append(rows)
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        RowsAtOnce(8).fit(work)
    assert calls == [8]


def test_what_the_cpu_says_when_memory_runs_out_is_understood():
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**50)
    assert out_of_memory(raised.value)


def test_parts_are_few_and_of_about_the_same_size():
    assert [len(part) for part in parts(np.arange(33), 16)] == [11, 11, 11]
    assert [len(part) for part in parts(np.arange(33), 33)] == [33]
    assert np.concatenate(parts(np.arange(33), 16)).tolist() == list(range(33))
