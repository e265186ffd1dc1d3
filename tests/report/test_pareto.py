"""The front holds what nothing beats in both; a dot that costs more and scores less is not on it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from autotl.report.plots.pareto import best_at_cost

POINTS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=30)


@given(POINTS, st.booleans())
def test_no_point_of_the_front_is_beaten_and_all_others_are(points, greater):
    sign = 1 if greater else -1
    front = best_at_cost(points, greater)
    for i, (cost, score) in enumerate(points):
        beaten = any(c <= cost and sign * s >= sign * score and (c, s) != (cost, score) for c, s in points)
        twin = any(points[j] == (cost, score) for j in front if j != i)
        assert (i in front) == (not beaten and not twin)


@given(POINTS, st.booleans())
def test_the_front_goes_by_cost_and_each_step_is_better(points, greater):
    front = [points[i] for i in best_at_cost(points, greater)]
    assert front == sorted(front)
    scores = [score for _, score in front]
    assert scores == sorted(set(scores), reverse=not greater)
