"""The learning rate follows the work, or the clock where it runs faster."""

from __future__ import annotations

import math
import time

import pytest

from autotl.training.schedule import Schedule


def factors(steps, warmup=0.1):
    schedule = Schedule(steps, warmup, math.inf)
    values = []
    for step in range(steps):
        schedule.step = step
        values.append(schedule.factor)
    return values


def test_it_warms_up_then_falls_to_nearly_nothing():
    values = factors(100)
    assert 0 < values[0] < 0.2
    assert values[10] == pytest.approx(1.0)
    assert values[99] < 0.01
    assert values[10:] == sorted(values[10:], reverse=True)


def test_even_a_single_step_has_a_learning_rate():
    assert factors(1)[0] > 0


def test_a_deadline_brings_the_end_nearer():
    start = time.monotonic()
    schedule = Schedule(10**6, 0.1, start + 10)
    schedule._start = start - 10  # half of a time of 20 s is over
    assert schedule.progress == pytest.approx(0.5, abs=0.05)
    assert not schedule.out_of_time


def test_past_the_deadline_time_is_out():
    assert Schedule(10, 0.1, time.monotonic() - 1).out_of_time


def test_time_that_is_kept_back_ends_the_training_sooner():
    schedule = Schedule(10, 0.1, time.monotonic() + 10)
    assert not schedule.out_of_time
    schedule.keep_back(11)
    assert schedule.out_of_time


def test_a_training_that_goes_on_starts_where_it_was():
    assert Schedule(100, 0.1, math.inf, step=50, begun=0.5).progress == pytest.approx(0.5)


@pytest.mark.parametrize("deadline", [math.inf, 1000.0])
def test_a_training_that_the_clock_had_driven_on_does_not_fall_back(deadline):
    schedule = Schedule(100, 0.2, time.monotonic() + deadline, step=10, begun=0.6)
    assert schedule.progress == pytest.approx(0.6, abs=1e-3)
    before = schedule.factor
    schedule.step += 45
    assert schedule.progress == pytest.approx(0.8, abs=1e-3)
    assert schedule.factor < before
    schedule.step = 100
    assert schedule.progress == 1.0
