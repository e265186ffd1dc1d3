"""Runs beside each other: inputs that both tested decide, and what cannot be compared says why."""

from __future__ import annotations

import numpy as np
import pytest

from autotl.data.audit import audit
from autotl.data.open import open_dataset
from autotl.errors import RunError
from autotl.modalities.registry import modality
from autotl.report.comparison import compare
from autotl.task import TaskKind
from autotl.testing.data import write_image_folder


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


def test_only_inputs_of_both_with_the_same_label_count_and_each_once(make_run):
    one, two = make_run(name="one"), make_run(name="two")

    def changed(arrays):
        arrays["fingerprints"][:50] = [b"%d" % row for row in range(50)]
        arrays["fingerprints"][50:52], arrays["targets"][50:53] = arrays["fingerprints"][52], 0
        arrays["targets"][60:70] = (arrays["targets"][60:70] + 1) % 6

    rewritten(one, lambda arrays: arrays["targets"].__setitem__(slice(50, 53), 0))
    rewritten(two, changed)
    (pair,) = compare([one.path, two.path]).pairs
    assert pair.rows == 200 - 50 - 2 - 10


def test_inputs_are_known_by_what_they_hold_whatever_they_are_called(make_run):
    photos, index = make_run(name="photos"), make_run(name="index")

    def renamed(arrays):
        order = np.random.default_rng(0).permutation(200)
        arrays.update({name: values[order] for name, values in arrays.items()})
        arrays["names"] = np.array([f"photos.csv:{row}" for row in range(200)])

    rewritten(index, renamed)
    (pair,) = compare([photos.path, index.path]).pairs
    assert (pair.rows, pair.gain) == (200, 0)


def test_rows_of_different_data_that_are_called_the_same_are_not_the_same(make_run):
    one, two = make_run(name="one"), make_run(name="two")
    rewritten(two, lambda a: a.update(fingerprints=np.array([b"other %d" % i for i in range(200)])))
    (pair,) = compare([one.path, two.path]).pairs
    assert "they share 0 test rows" in pair.words


def without_contents(run, data):
    """A run of a version that kept no fingerprints of test rows, on data of some fingerprint."""
    rewritten(run, lambda arrays: arrays.pop("fingerprints"))
    record = run.read_json("run.json")
    record["data"]["fingerprint"] = data
    run.write_json("run.json", record)


def test_earlier_runs_are_compared_by_name_where_their_data_are_the_same(make_run):
    one, two, three = make_run(name="one"), make_run(name="two"), make_run(name="three")
    for run in (one, two):
        without_contents(run, "9f2c" * 8)
    rewritten(two, lambda arrays: arrays["names"].__setitem__(slice(2), arrays["names"][2]))
    assert compare([one.path, two.path]).pairs[0].rows == 200 - 3
    assert compare([three.path, one.path]).pairs[0].rows == 200


@pytest.mark.parametrize("data", ["another", ""])
def test_earlier_runs_on_other_data_say_that_their_rows_cannot_be_paired(make_run, data):
    old, new = make_run(name="old"), make_run(name="new")
    without_contents(old, data)
    (pair,) = compare([new.path, old.path]).pairs
    assert (pair.rows, pair.gain) == (0, None)
    assert f"{old.path} was made before runs kept what identifies a test row" in pair.words


def test_a_folder_and_an_index_of_it_share_their_rows(make_run, tmp_path):
    data = write_image_folder(tmp_path / "photos", classes=3, rows_per_class=8)
    index = tmp_path / "photos.csv"
    files = sorted(data.glob("*/*.png"))
    rows = "".join(f"{path.relative_to(tmp_path)},{path.parent.name}\n" for path in reversed(files))
    index.write_text(f"path,label\n{rows}")
    runs = []
    for source in (data, index):
        dataset = audit(open_dataset(source), modality("image"))
        run = make_run(classes=dataset.task.classes, name=f"of-{source.name}")
        contents = np.array([content.encode() for content in dataset.fingerprints])
        run.write_arrays(
            "test_predictions.npz",
            targets=dataset.targets,
            predictions=np.eye(3)[dataset.targets],
            names=np.array(dataset.names),
            fingerprints=contents,
        )
        runs.append(run.path)
    (pair,) = compare(runs).pairs
    assert pair.rows == len(files)


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
    rewritten(nothing_shared, lambda a: a.update(fingerprints=np.array([b"%d" % i for i in range(200)])))
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
