"""Budgets and the ways of writing a duration."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from search_fakes import FakeClock

from autotl.errors import BudgetError
from autotl.search.budget import Budget, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("10m", 600),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("600", 600),
        (" 2 H ", 7200),
        ("1d", 86400),
        (45, 45),
        (0.5, 0.5),
    ],
)
def test_durations_are_read_in_the_usual_forms(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "ten minutes", "10x", "m10", "-5m", "0", "-1", "nan", "inf", "1h30"])
def test_what_is_no_duration_is_named_in_the_error(text):
    with pytest.raises(BudgetError, match="90s, 10m, 1h30m") as caught:
        parse_duration(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("text", ["5", "59.9", " 2 "])
def test_a_small_number_without_a_unit_is_asked_about(text):
    with pytest.raises(BudgetError, match=rf"without a unit; .* expected {text.strip()}m for minutes, or"):
        parse_duration(text)
    assert parse_duration("60") == 60, "nobody means an hour"


@given(st.integers(0, 99), st.integers(0, 59), st.integers(1, 59))
def test_parts_of_a_duration_add_up(hours, minutes, seconds):
    assert parse_duration(f"{hours}h{minutes}m{seconds}s") == hours * 3600 + minutes * 60 + seconds


def test_the_search_ends_before_what_is_kept_back():
    clock = FakeClock()
    budget = Budget(60, start=clock() - 10, clock=clock)
    budget.keep_back(20)
    assert budget.remaining() == 30
    budget.keep_back(5)
    assert budget.remaining() == 45
    clock.sleep(45)
    assert budget.exhausted


def test_without_a_time_limit_only_cancelling_ends_the_search():
    budget = Budget(trials=2)
    assert math.isinf(budget.remaining())
    assert not budget.timed
    assert budget.admits(1)
    assert not budget.admits(2)
    budget.cancel()
    assert budget.exhausted


@pytest.mark.parametrize("limits", [{"time_seconds": 0}, {"time_seconds": -3}, {"trials": 0}])
def test_a_budget_that_leaves_nothing_to_do_is_refused(limits):
    with pytest.raises(BudgetError, match="more than 0"):
        Budget(**limits)
