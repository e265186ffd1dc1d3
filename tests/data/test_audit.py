"""What an audit finds and repairs."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from autotl.data import duplicates
from autotl.data.audit import audit
from autotl.data.dataset import Dataset, Finding
from autotl.data.duplicates import near_clusters
from autotl.data.open import open_dataset
from autotl.data.splits import split
from autotl.errors import DataError, DecodeError, TargetError
from autotl.modalities.registry import modality
from autotl.task import Task, TaskKind

DATA = Path(__file__).parents[3] / "shared" / "data"


class Words:
    """A modality of plain words: near where they agree but for digits, unreadable where they are "?"."""

    name = "words"
    extensions: frozenset[str] = frozenset()

    def fingerprint(self, item: str) -> str:
        if item == "?":
            raise DecodeError("cannot read a word", found=repr(item))
        return item

    def near_key(self, item: str) -> NDArray[np.uint64]:
        stem = "".join(c for c in item if not c.isdigit())
        digest = hashlib.sha256(stem.encode()).digest()[:32]
        key = np.frombuffer(digest, np.uint64).copy()
        key[0] ^= np.uint64(len(item) - len(stem))
        return key

    def near_bits(self) -> int:
        return 4

    def is_empty(self, item: str) -> bool:
        return item == ""


def words(count: int) -> list[str]:
    return [f"word {chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(count)]


def make(items: list[str], targets: Any = None, parts: list[str] | None = None, **fields: Any) -> Dataset:
    targets = np.arange(len(items)) % 2 if targets is None else np.asarray(targets)
    task = fields.pop("task", Task(TaskKind.BINARY, ("a", "b"), "accuracy"))
    names = [f"row {i}" for i in range(len(items))]
    return Dataset("words", task, items, targets, names, None if parts is None else np.array(parts), **fields)


def audited(data: Dataset) -> tuple[Dataset, dict[str, Finding]]:
    clean = audit(data, Words())  # type: ignore[arg-type]
    return clean, {finding.kind: finding for finding in clean.findings}


def test_clean_data_have_fingerprints_and_no_findings() -> None:
    clean, found = audited(make(words(20)))
    assert found == {}
    assert list(clean.fingerprints) == words(20)
    assert clean.clusters is not None
    assert len(set(clean.clusters.tolist())) == 20


def test_unreadable_inputs_are_left_out_and_named() -> None:
    clean, found = audited(make(["?", *words(20), "?"]))
    assert list(clean.items) == words(20)
    finding = found["corrupt_file"]
    assert finding.message == "2 inputs of 22 cannot be read; the first: cannot read a word; found '?'."
    assert (finding.rows, finding.repaired) == (("row 0", "row 21"), "rows dropped")
    assert finding.told == f"{finding.message} Rows dropped."
    assert replace(finding, repaired=None).told == finding.message


def test_rows_that_repeat_rows_of_judging_parts_are_dropped() -> None:
    items = [*words(20), words(20)[0], words(20)[1], "new one", words(20)[2], "new one"]
    clean, found = audited(
        make(items, [*([0, 1] * 10), 0, 1, 0, 0, 0], ["train"] * 20 + ["val"] * 3 + ["test"] * 2)
    )
    assert Counter(clean.parts) == {"train": 17, "val": 2, "test": 2}
    messages = [f.message for f in clean.findings if f.kind == "duplicate_across_parts"]
    assert messages == [
        "3 rows of the train part repeat the input of validation or test rows.",
        "1 row of the validation part repeats the input of test rows.",
    ]
    assert found["duplicate_across_parts"].repaired == "rows dropped from validation"


def test_rows_that_leak_are_named_with_what_they_repeat_and_can_still_be_shown() -> None:
    items = [*words(20), words(20)[4], words(20)[7], words(20)[4]]
    clean, _ = audited(make(items, [*([0, 1] * 10), 0, 1, 0], ["train"] * 20 + ["val", "test", "test"]))
    train, val = (finding for finding in clean.findings if finding.kind == "duplicate_across_parts")
    assert train.rows == ("row 4", "row 7")
    assert train.details == ("like row 20 of val", "like row 21 of test")
    assert train.groups == (("row 4", "row 20"), ("row 7", "row 21"))
    assert val.groups == (("row 20", "row 22"),)
    assert dict(clean.left_out) == {"row 4": items[4], "row 7": items[7], "row 20": items[4]}
    assert not set(dict(clean.left_out)) & set(clean.names)


def test_copies_are_named_in_groups_the_first_of_each_first() -> None:
    items = [*words(20), *words(2), words(1)[0], "word ad1"]
    _, found = audited(make(items, [0, 1] * 10 + [0, 1, 0, 1]))
    assert found["duplicate"].groups == (("row 0", "row 20", "row 22"), ("row 1", "row 21"))
    assert found["duplicate"].rows == ("row 0", "row 20", "row 22", "row 1", "row 21")
    assert found["duplicate"].details == (
        *("has 2 copies", "like row 0", "like row 0"),
        *("has 1 copy", "like row 1"),
    )
    assert found["near_duplicate"].groups == (("row 3", "row 23"),)
    assert found["near_duplicate"].details == ("has 1 copy", "like row 3")


def test_a_finding_names_a_thousand_rows_at_most_and_groups_of_as_many() -> None:
    _, found = audited(make(words(400) * 3, [0, 1] * 600))
    finding = found["duplicate"]
    assert len(finding.rows) == len(finding.details) == 1000
    assert len(finding.groups) == 333


@pytest.mark.parametrize("kind", ["duplicate", "corrupt_file", "imbalance"])
def test_a_finding_survives_json(kind: str) -> None:
    _, found = audited(make(["?", *words(40), *words(1)], [0] * 40 + [1, 0]))
    value = json.loads(json.dumps(found[kind].to_json()))
    assert Finding.from_json(value) == found[kind]
    earlier = {name: value[name] for name in ("kind", "severity", "message")}
    assert Finding.from_json(earlier) == Finding(kind, found[kind].severity, found[kind].message)


def test_free_duplicates_are_kept_and_stay_together() -> None:
    clean, found = audited(make([*words(20), *words(3)], [0, 1] * 10 + [0, 1, 0]))
    assert len(clean) == 23
    assert found["duplicate"].message == "3 rows repeat the input of another row."
    assert found["duplicate"].repaired == "kept together when parts are drawn"
    for seed in range(10):
        splits = split(clean, seed=seed)
        for rows in (splits.train, splits.val, splits.test):
            for i in range(3):
                assert (i in rows) == (i + 20 in rows)


def test_near_duplicates_become_clusters_that_stay_together() -> None:
    clean, found = audited(make([*words(20), *(f"{word}1" for word in words(4))]))
    assert found["near_duplicate"].message == "4 sets of near duplicates (8 rows in all)."
    for seed in range(10):
        test = split(clean, seed=seed).test
        assert all((i in test) == (i + 20 in test) for i in range(4))


def test_near_duplicates_across_official_parts_are_reported_not_dropped() -> None:
    items = [*words(20), "word aa7", "word ab7"]
    clean, found = audited(make(items, parts=["train"] * 20 + ["test"] * 2))
    assert len(clean) == 22
    finding = found["near_duplicate_across_parts"]
    assert finding.message == (
        "2 training rows nearly repeat an input of the validation or test part; "
        "scores on these parts may be too good."
    )
    assert finding.rows == ("row 0", "row 1")
    assert finding.groups == (("row 0", "row 20"), ("row 1", "row 21"))
    assert finding.details == ("like row 20 of test", "like row 21 of test")


def test_near_duplicates_of_validation_and_test_are_reported() -> None:
    items = [*words(20), "word za1", "word za2"]
    _, found = audited(make(items, parts=["train"] * 20 + ["val", "test"]))
    finding = found["near_duplicate_across_parts"]
    assert finding.message == (
        "1 validation row nearly repeats an input of the test part; scores on these parts may be too good."
    )
    assert finding.rows == ("row 20",)


def test_conflicting_labels_are_reported() -> None:
    _, found = audited(make([*words(20), "word aa"], [0, 1] * 10 + [1]))
    assert found["conflicting_labels"].message == (
        "1 input has different targets in different rows (2 rows in all)."
    )
    assert found["conflicting_labels"].rows == ("row 0", "row 20")
    assert found["conflicting_labels"].groups == (("row 0", "row 20"),)
    assert found["conflicting_labels"].details == ("labelled 'a'", "labelled 'b'")


def test_empty_inputs_are_reported_and_are_no_near_duplicates() -> None:
    clean, found = audited(make([*words(20), ""]))
    assert found["empty_input"].message == (
        "1 input is empty or constant; kept, since such inputs may come again."
    )
    assert "near_duplicate" not in found
    assert len(clean) == 21


def test_rare_classes_and_imbalance_are_reported() -> None:
    task = Task(TaskKind.MULTICLASS, ("a", "b", "c"), "accuracy")
    _, found = audited(make(words(40), [0] * 30 + [1] * 9 + [2], task=task))
    assert found["rare_class"].message == "1 class has a single training row: c; kept in train."
    assert found["imbalance"].message == (
        "Classes are unbalanced, 30 to 1: a has 30 rows, c 1; consider --metric balanced_accuracy."
    )


def test_groups_in_several_official_parts_are_reported() -> None:
    groups = np.array([*range(20), 0, 20])
    _, found = audited(make([*words(22)], parts=["train"] * 20 + ["test"] * 2, groups=groups))
    assert found["group_across_parts"].message == "1 group is in several official parts."


def test_labels_that_only_judging_parts_have_are_reported() -> None:
    task = Task(TaskKind.MULTILABEL, ("a", "b"), "macro_f1")
    targets = np.array([[1, 0], [0, 0]] * 10 + [[0, 1]], dtype=np.float32)
    _, found = audited(make(words(21), targets, ["train"] * 20 + ["test"], task=task))
    assert found["absent_class"].message == "1 label has no training row: b; not to be learnt from this."


def test_a_training_part_that_is_a_copy_of_the_test_part_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        audited(make(words(20) * 2, parts=["train"] * 20 + ["test"] * 20))
    assert str(caught.value) == (
        "too few rows to train on once unreadable and repeated rows are left out; "
        "found 0 rows; expected at least 10."
    )


def test_a_constant_number_is_nothing_to_learn() -> None:
    task = Task(TaskKind.REGRESSION, (), "r2")
    with pytest.raises(TargetError) as caught:
        audited(make(words(20), np.full(20, 1.5), task=task))
    assert str(caught.value) == (
        "the target 'label' has one value only, so there is nothing to learn; found 1.5; "
        "expected different numbers."
    )


def test_images_are_audited_from_files(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for i in range(24):
        path = tmp_path / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        coarse = Image.fromarray(rng.integers(0, 255, (16, 16, 3), dtype=np.uint8))
        coarse.resize((48, 48), Image.Resampling.BICUBIC).save(path)
    with Image.open(tmp_path / "a" / "0.png") as image:
        image.save(tmp_path / "a" / "same.bmp")
        image.save(tmp_path / "a" / "near.jpg", quality=95)
    Image.new("RGB", (48, 48), (9, 9, 9)).save(tmp_path / "b" / "flat.png")
    (tmp_path / "b" / "broken.png").write_bytes((tmp_path / "b" / "1.png").read_bytes()[:100])
    data = open_dataset(tmp_path)
    clean = audit(data, modality("image"), threads=2)
    rows = {finding.kind: set(finding.rows) for finding in clean.findings}
    assert rows["corrupt_file"] == {"b/broken.png"}
    assert rows["duplicate"] == {"a/0.png", "a/same.bmp"}
    assert rows["near_duplicate"] == {"a/0.png", "a/same.bmp", "a/near.jpg"}
    assert rows["empty_input"] == {"b/flat.png"}


def test_the_number_of_threads_changes_nothing() -> None:
    data = make([*words(300), "?", *words(5)])
    one, two = (audit(data, Words(), threads=k) for k in (1, 2))  # type: ignore[arg-type]
    assert one.findings == two.findings
    assert np.array_equal(one.clusters, two.clusters)  # type: ignore[arg-type]


def brute(keys: NDArray[np.uint64], bits: int) -> NDArray[Any]:
    from scipy.sparse.csgraph import connected_components

    distance = np.bitwise_count(keys[:, None] ^ keys[None]).sum(axis=2, dtype=int)
    return np.asarray(connected_components(distance <= bits)[1])


def same_partition(a: NDArray[Any], b: NDArray[Any]) -> bool:
    pairs = len(set(zip(a.tolist(), b.tolist(), strict=True)))
    return pairs == len(set(a.tolist())) == len(set(b.tolist()))


@pytest.mark.parametrize("bits", [0, 3, 10, 26, 40, 60])
@pytest.mark.parametrize("structured", [False, True])
def test_clusters_are_those_of_comparing_all_pairs(bits: int, structured: bool) -> None:
    rng = np.random.default_rng(bits)
    keys = rng.integers(0, 2**64, (200, 4), dtype=np.uint64)
    if structured:  # most of a key is the same everywhere, so nearly all pairs meet in a piece
        keys[:, 1:] = 0
        keys[:, 0] &= np.uint64(0xFFFF)
        keys[:, 0] *= np.uint64(0x0001_0001_0001_0001)
    near = keys[:60].copy()
    for row in near:
        for bit in rng.choice(256, rng.integers(0, 50), replace=False):
            row[bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    keys = np.concatenate([keys, near, keys[:5]])
    wanted = brute(keys, bits)
    if np.bincount(wanted).max() > 50:
        assert np.bincount(near_clusters(keys, bits)).max() <= 50
    else:
        assert same_partition(near_clusters(keys, bits), wanted)


def test_a_data_set_that_looks_alike_is_no_single_cluster() -> None:
    keys = np.zeros((80, 4), np.uint64)
    for i in range(1, 80):  # a chain: each key differs from the last one in three bits
        keys[i] = keys[i - 1]
        for step in range(3):
            bit = 3 * i + step
            keys[i, bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    assert len(set(near_clusters(keys, 4).tolist())) == 80


def test_no_rows_have_no_clusters() -> None:
    assert near_clusters(np.zeros((0, 4), np.uint64), 10).shape == (0,)


def test_rows_that_are_all_alike_are_compared_in_slices() -> None:
    keys = np.zeros((4_000, 1), np.uint64)
    found = [pairs.shape[1] for pairs in duplicates._dense_pairs(keys, keys, 4)]
    assert max(found) <= duplicates._MAX_PAIRS
    assert sum(found) >= 4_000 * 3_999 // 2


def test_forty_thousand_signatures_are_compared_in_seconds() -> None:
    keys = np.random.default_rng(0).integers(0, 2**64, (40_000, 4), dtype=np.uint64)
    keys[20_000:20_010] = keys[:10] ^ np.uint64(5)
    start = time.process_time()
    codes = near_clusters(keys, 26)
    assert time.process_time() - start < 10
    assert np.array_equal(codes[:10], codes[20_000:20_010])


def test_augmented_copies_of_photos_stay_in_one_part(tmp_path: Path) -> None:
    """Mirrored, turned and recompressed copies of real photos go where the original goes."""
    files = sorted((DATA / "trashnet256" / "train").rglob("*.jpg"))[::60]
    if not files:
        pytest.skip("no trashnet256 beside the repository")
    changes = (None, Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_90, Image.Transpose.TRANSVERSE)
    for number, file in enumerate(files):
        for change in changes:
            with Image.open(file) as image:
                copy = image.convert("RGB") if change is None else image.convert("RGB").transpose(change)
            path = tmp_path / "ab"[number % 2] / f"{number}-{change}.jpg"
            path.parent.mkdir(exist_ok=True)
            copy.save(path, quality=85)
    data = audit(open_dataset(tmp_path), modality("image"))
    splits = split(data)
    original = [name.split("/")[1].split("-")[0] for name in data.names]
    parts = [{original[row] for row in part} for part in (splits.train, splits.val, splits.test)]
    divided = (parts[0] & parts[1]) | (parts[0] & parts[2]) | (parts[1] & parts[2])
    assert len(divided) <= 0.05 * len(files)
    assert data.clusters is not None
    assert len(set(data.clusters.tolist())) >= 0.95 * len(files)
