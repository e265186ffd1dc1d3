"""How a run divides its time."""

from __future__ import annotations

import math
import time

import pytest

from autotl.automl.time_plan import TimePlan
from autotl.config import TrialConfig


@pytest.fixture
def plan():
    return TimePlan(100.0, None, time.monotonic())


def test_the_search_ends_early_enough_for_what_follows(plan):
    left = plan.search_deadline() - time.monotonic()
    assert 60 < left < 80


def test_measured_times_replace_the_guess(plan):
    before = plan.search_deadline()
    plan.measured(export_seconds=1.0, test_seconds=1.0)
    assert plan.search_deadline() > before
    plan.measured(export_seconds=20.0, test_seconds=30.0)
    assert plan.search_deadline() < before


def test_a_final_fit_keeps_back_what_it_takes_and_nothing_where_it_takes_too_long(plan):
    guessed = plan.search_deadline()
    plan.refit_takes(50.0)
    nothing = plan.search_deadline()
    plan.refit_takes(1.0)
    short = plan.search_deadline()
    assert guessed < short < nothing
    plan.refit_takes(50.0)
    assert plan.search_deadline() == short, "the earlier trial may still win by its final fit"


def test_a_refit_must_leave_time_for_export_and_test(plan):
    plan.measured(export_seconds=10.0, test_seconds=10.0)
    assert plan.allows_refit(50.0)
    assert not plan.allows_refit(80.0)


def test_a_short_refit_is_made_even_where_the_baseline_has_used_up_the_time():
    late = TimePlan(100.0, None, time.monotonic() - 120)
    assert late.allows_refit(5.0)
    assert not late.allows_refit(7.0)
    late.budget.cancel()
    assert not late.allows_refit(5.0)


def test_the_control_has_a_share_of_its_own(plan):
    assert plan.control_deadline() - time.monotonic() == pytest.approx(10.0, abs=0.5)
    late = TimePlan(100.0, None, time.monotonic() - 90)
    assert late.control_deadline() is None


def test_what_the_winner_does_not_need_goes_to_the_control():
    plan = TimePlan(100.0, None, time.monotonic() - 83.5)
    plan.measured(export_seconds=1.0, test_seconds=1.0)
    assert plan.control_deadline() is None
    plan.exported(2.0, is_measured=True)
    assert plan.control_deadline() - time.monotonic() == pytest.approx(10.0, abs=0.5)
    slow = TimePlan(100.0, None, time.monotonic() - 75)
    slow.measured(export_seconds=1.0, test_seconds=10.0)
    assert slow.control_deadline() is None
    slow.exported(1.0, is_measured=False)
    assert slow.control_deadline() is not None


def test_the_choice_takes_the_time_kept_for_measuring_and_none_that_the_export_needs(plan):
    assert plan.choice_deadline() - time.monotonic() == pytest.approx(4.0, abs=0.5)
    late = TimePlan(100.0, None, time.monotonic() - 95)
    assert late.choice_deadline() <= time.monotonic()


def test_without_a_limit_of_time_nothing_has_a_deadline():
    plan = TimePlan(None, 3, time.monotonic())
    assert math.isinf(plan.search_deadline())
    assert math.isinf(plan.control_deadline())
    assert math.isinf(plan.choice_deadline())
    assert math.isinf(plan.measure_deadline())
    assert plan.allows_refit(1e9)


@pytest.mark.parametrize(("rows", "epochs"), [(100, 5), (650, 3), (50_000, 1)])
def test_without_a_limit_of_time_the_control_sees_a_bounded_number_of_rows(plan, rows, epochs):
    control = TrialConfig("net", "from_scratch", {"epochs": 5, "learning_rate": 1e-3})
    assert TimePlan(None, 3, time.monotonic()).bounded(control, rows).epochs == epochs
    assert plan.bounded(control, rows) == control


def test_after_an_interrupt_there_is_neither_refit_nor_control(plan):
    plan.budget.cancel()
    assert not plan.allows_refit(0.1)
    assert plan.control_deadline() is None


def test_what_was_kept_for_distillation_is_given_to_it_but_after_an_interrupt():
    plan = TimePlan(100.0, None, time.monotonic(), distills=True)
    kept = plan.search_deadline()
    assert plan.distill() == pytest.approx(kept + 30.0 - time.monotonic(), abs=1.0)
    plan.budget.cancel()
    assert plan.distill() == 0.0


def test_after_an_interrupt_no_control_is_trained_even_without_a_limit_of_time():
    plan = TimePlan(None, 3, time.monotonic())
    plan.budget.cancel()
    assert plan.control_deadline() is None


def test_the_ten_lines_have_a_share_of_the_time_and_no_more(plan):
    plan.measured(export_seconds=1.0, test_seconds=1.0)
    before = plan.search_deadline()
    plan.measured(export_seconds=1.0, test_seconds=1.0, baseline_seconds=2.0)
    assert plan.search_deadline() == pytest.approx(before - 2.4)
    plan.measured(export_seconds=1.0, test_seconds=1.0, baseline_seconds=60.0)
    assert plan.search_deadline() == pytest.approx(before - 6.0)
    plan.exported(1.0, is_measured=True, baseline_seconds=0.0)
    assert plan.search_deadline() > before


def test_the_control_makes_room_for_ten_lines_that_take_longer_than_was_thought(plan):
    plan.measured(export_seconds=1.0, test_seconds=1.0, baseline_seconds=0.5)
    before = plan.search_deadline()
    plan.exported(1.0, is_measured=False, baseline_seconds=2.5)
    assert plan.search_deadline() == pytest.approx(before - 2.4)


def test_the_ten_lines_may_take_the_time_of_measuring_graphs_and_end_at_once_after_an_interrupt(plan):
    assert plan.baseline_deadline() == pytest.approx(plan.measure_deadline())
    assert math.isinf(TimePlan(None, 3, time.monotonic()).baseline_deadline())
    plan.budget.cancel()
    assert plan.baseline_deadline() <= time.monotonic()
