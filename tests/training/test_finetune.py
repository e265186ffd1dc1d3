"""Gradient training: what each batch sees, and how it keeps to its time."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import pytest
import torch

from autotl.config import TrialConfig
from autotl.errors import NonFiniteError
from autotl.features.frozen import PLAIN, View
from autotl.strategies.registry import strategy
from autotl.testing.workbench import tiny_workbench
from autotl.training.heads import best_head
from autotl.training.plan import head_depths
from autotl.training.schedule import Schedule


def start(bench, state=None, **params):
    defaults = {"cut": 0.5, "epochs": 4, "batch_size": 8, "learning_rate": 1e-3, "augment": "none"}
    config = TrialConfig("tiny", "top_k", {**defaults, **params})
    return strategy("top_k").start(bench, config, state)


def test_token_dropout_reaches_activations_that_were_kept(tmp_path):
    losses = {}
    for augment in ("none", "light", "strong"):
        run = start(tiny_workbench(tmp_path, "text"), augment=augment)
        assert run._cut > 0
        losses[augment] = run.step().train_loss
    assert len(set(losses.values())) == 3


def test_training_ends_early_enough_to_be_scored_before_the_deadline(tmp_path, monkeypatch):
    bench = replace(tiny_workbench(tmp_path), deadline=time.monotonic() + 60)
    run = start(bench, epochs=1000)
    run.step()
    monkeypatch.setattr(run, "_evaluation_seconds", 61.0)
    begun = time.process_time()
    run.step()  # one batch, then it is known that no time is left
    assert run.done
    assert time.process_time() - begun < 30


def test_before_the_first_scoring_its_time_is_estimated_from_training(tmp_path):
    run = start(tiny_workbench(tmp_path))
    assert run._seconds_to_evaluate(2.0) == pytest.approx(0.4 * 2.0 * 12)
    run.step()
    assert run._seconds_to_evaluate(math.inf) < 60


def test_a_late_head_sees_the_later_half_as_far_as_it_trains():
    assert head_depths("last", 2, 8) == (8,)
    assert head_depths("late", 2, 8) == (4, 5, 6, 7, 8)
    assert head_depths("late", 6, 8) == (7, 8)
    assert head_depths("late", 0, 1) == (1,)
    assert head_depths("late", 1, 1) == (1,)


@pytest.mark.parametrize("name", ["image", "text"])
def test_a_late_head_starts_from_the_fitted_one_and_reaches_the_model(tmp_path, name):
    bench = tiny_workbench(tmp_path, name)
    run = start(bench, cut=0.34, depths="late", learning_rate=1e-12)
    depths = head_depths("late", run._cut, bench.backbone.depth)
    assert len(depths) > 1
    score = run.step().score
    assert score == pytest.approx(best_head(bench, "logistic", depths)[2])
    model = run.model()
    assert model.depths == depths
    rows = bench.splits.val
    with torch.inference_mode():
        raw = torch.cat([model(bench.frozen.inputs.batch(rows[i : i + 1])) for i in range(len(rows))])
    assert torch.allclose(raw, run.validation_outputs(), atol=1e-2)


def test_the_final_fit_of_a_training_that_the_clock_ended_has_the_epochs_it_came_to(tmp_path, monkeypatch):
    run = start(replace(tiny_workbench(tmp_path), deadline=time.monotonic() + 60), epochs=50)
    run.step()
    run.step()
    assert run.refit_config().get("epochs") == 50
    monkeypatch.setattr(run, "_evaluation_seconds", 61.0)
    run.step()
    assert run.done
    final = run.refit_config()
    assert final.get("epochs") == 3
    assert final.get("stop_epoch") <= 3
    assert run.refit_share == pytest.approx(final.get("stop_epoch") / 3)


def test_the_final_fit_of_a_training_that_was_hurried_ends_at_the_learning_rate_of_its_best_weights(
    tmp_path, monkeypatch
):
    """Two epochs of fifty took half of the time that there was: as a schedule, they are two of four."""
    bench = tiny_workbench(tmp_path)
    run = start(bench, epochs=50)
    run.step()
    monkeypatch.setattr(Schedule, "progress", property(lambda schedule: 0.5))
    run.step()
    assert not run.done
    for training in (run, start(bench, run.state(), epochs=50)):
        final = training.refit_config()
        assert final.get("epochs") == 4
        assert final.get("stop_epoch") <= 2


def test_an_epoch_that_fails_in_its_scoring_leaves_the_run_as_the_one_before_did(tmp_path, monkeypatch):
    run = start(tiny_workbench(tmp_path), epochs=4)
    run.step()
    before = run.refit_config(), run.refit_share
    monkeypatch.setattr(run, "_raw", lambda _: torch.full((12, 3), math.nan))
    with pytest.raises(NonFiniteError):
        run.step()
    assert (run.refit_config(), run.refit_share) == before
    assert before[0].get("epochs") == 4


def test_a_view_that_there_is_no_time_to_compute_gives_way_to_the_plain_one(tmp_path):
    bench = tiny_workbench(tmp_path)
    settings = {"augment": "light", "views": 2}
    run = start(bench, **settings)
    run.step()
    assert run._view() == View(1, "light")
    hurried = start(replace(bench, deadline=time.monotonic() + 30), **settings)
    bench.frozen.seconds_a_row = 1.0
    hurried._epoch = 1
    assert hurried._view() == PLAIN
    bench.frozen.prepare(bench.splits.train, hurried._cut, View(1, "light"))
    assert hurried._view() == View(1, "light"), "what is there costs nothing"


def test_convolutions_train_channels_last_and_leave_as_they_came(tmp_path):
    bench = tiny_workbench(tmp_path)
    run = start(bench, cut=0.0)
    run.step()

    def convolutions(model):
        return [w for w in model.parameters() if w.ndim == 4 and w.shape[1] > 1 and w.shape[2] > 1]

    assert convolutions(run._model)
    assert all(w.is_contiguous(memory_format=torch.channels_last) for w in convolutions(run._model))
    model = run.model()
    assert all(w.is_contiguous() for w in model.parameters())
    with torch.no_grad():
        raw = model(bench.frozen.hidden(bench.splits.val, 0))
    torch.testing.assert_close(raw, run.validation_outputs(), atol=1e-5, rtol=1e-5)


def test_a_paused_training_goes_on_from_where_the_clock_had_driven_it(tmp_path):
    bench = replace(tiny_workbench(tmp_path), deadline=time.monotonic() + 100)
    run = start(bench, epochs=50)
    run.step()
    run._schedule._start -= 100  # half of its time is over
    run.step()
    reached = run._schedule.progress
    assert reached == pytest.approx(0.5, abs=0.05)
    later = replace(bench, deadline=time.monotonic() + 1000)
    resumed = start(later, run.state(), epochs=50)
    assert resumed._schedule.progress == pytest.approx(reached, abs=0.01)
    assert resumed._schedule.factor == pytest.approx(run._schedule.factor, abs=0.05)
