"""Runs beside each other: rows that both tested decide, and what cannot be compared says why."""

from __future__ import annotations

import numpy as np
import pytest

from autotl.errors import RunError
from autotl.report.comparison import compare
from autotl.task import TaskKind


def rewritten(run, change):
    arrays = dict(np.load(run.path / "test_predictions.npz"))
    change(arrays)
    np.savez(run.path / "test_predictions.npz", **arrays)


def worse(arrays):
    """Every third row becomes wrong."""
    arrays["predictions"][::3] = np.roll(np.eye(6)[arrays["targets"][::3]], 1, axis=1)


def scored(run, score):
    record = run.read_json("run.json")
    record["test"]["score"] = score
    run.write_json("run.json", record)


def test_the_better_run_is_named_with_what_it_gains_on_shared_rows(make_run):
    good, bad = make_run(name="good"), make_run(name="bad")
    rewritten(bad, worse)
    scored(bad, 0.6)
    found = compare([bad.path, good.path])
    assert [run.run for run in found.runs] == [str(bad.path), str(good.path)]
    (pair,) = found.pairs
    assert (pair.run, pair.other, pair.rows) == (str(good.path), str(bad.path), 200)
    assert 0 < pair.low <= pair.gain <= pair.high
    assert pair.gain == pytest.approx(pair.score - pair.other_score)
    assert "is better than" in pair.words
    assert found.to_json()["pairs"][0]["rows"] == 200


def test_the_shared_rows_decide_where_the_own_test_parts_say_otherwise(make_run):
    good, bad = make_run(name="good"), make_run(name="bad")
    rewritten(bad, worse)
    scored(bad, 0.99)
    (pair,) = compare([bad.path, good.path]).pairs
    assert pair.run == str(good.path)
    assert pair.gain > 0


def test_equal_predictions_are_no_clear_difference(make_run):
    (pair,) = compare([make_run(name="one").path, make_run(name="two").path]).pairs
    assert pair.gain == 0
    assert "No clear difference" in pair.words


def test_classes_in_another_order_are_the_same_classes(make_run):
    one, two = make_run(name="one"), make_run(name="two")

    def turned(arrays):
        arrays["targets"] = 5 - arrays["targets"]
        arrays["predictions"] = arrays["predictions"][:, ::-1]

    rewritten(two, turned)
    record = two.read_json("run.json")
    record["task"]["classes"] = record["task"]["classes"][::-1]
    two.write_json("run.json", record)
    (pair,) = compare([one.path, two.path]).pairs
    assert (pair.rows, pair.gain) == (200, 0)


def test_only_rows_of_both_with_one_name_and_the_same_label_count(make_run):
    one, two = make_run(name="one"), make_run(name="two")

    def changed(arrays):
        arrays["names"] = arrays["names"].astype("U40")
        arrays["names"][:50] = [f"elsewhere/{i}.jpg" for i in range(50)]
        arrays["names"][50:52] = arrays["names"][52]
        arrays["targets"][60:70] = (arrays["targets"][60:70] + 1) % 6

    rewritten(two, changed)
    (pair,) = compare([one.path, two.path]).pairs
    assert pair.rows == 200 - 50 - 3 - 10


@pytest.mark.parametrize("kind", [TaskKind.REGRESSION, TaskKind.MULTILABEL])
def test_other_kinds_of_task_are_compared_too(make_run, kind):
    one, two = make_run(kind=kind, name="one"), make_run(kind=kind, name="two")

    def noisy(arrays):
        noise = np.random.default_rng(3).normal(0, 1, arrays["predictions"].shape)
        arrays["predictions"] = (
            np.abs(arrays["predictions"] + noise) % 1
            if kind is TaskKind.MULTILABEL
            else arrays["predictions"] + noise
        )

    rewritten(two, noisy)
    (pair,) = compare([two.path, one.path]).pairs
    assert pair.run == str(one.path)
    assert pair.low > 0


def test_what_cannot_be_compared_says_why(make_run):
    one = make_run(name="one")
    other_task = make_run(kind=TaskKind.REGRESSION, name="values")
    other_classes = make_run(classes=tuple("uvwxyz"), name="classes")
    nothing_shared = make_run(name="elsewhere")
    rewritten(nothing_shared, lambda a: a.update(names=np.array([f"{i}.jpg" for i in range(200)])))
    lost = make_run(name="lost")
    (lost.path / "test_predictions.npz").unlink()
    others = (other_task, other_classes, nothing_shared, lost)
    reasons = ("one task is", "their classes differ", "they share 0 test rows", "no test predictions")
    for other, reason in zip(others, reasons, strict=True):
        (pair,) = compare([one.path, other.path]).pairs
        assert reason in pair.words
        assert (pair.rows, pair.gain) == (0, None)


def test_a_run_without_a_test_score_is_listed_and_not_compared(make_run):
    one, under_way = make_run(name="one"), make_run(name="under-way")
    record = under_way.read_json("run.json")
    del record["test"], record["winner"]
    under_way.write_json("run.json", record)
    found = compare([one.path, under_way.path])
    assert found.runs[1].score is None
    assert found.pairs == ()


def test_one_run_or_the_same_twice_is_refused(make_run, tmp_path):
    run = make_run()
    for paths in ([run.path], [run.path, run.path], []):
        with pytest.raises(RunError, match="nothing to compare"):
            compare(paths)
    with pytest.raises(RunError, match="not a run folder"):
        compare([run.path, tmp_path / "nowhere"])
