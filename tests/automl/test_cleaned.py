"""The cleaned index: what it keeps, what it leaves out and says so, and that a fit reads it."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autotl.automl.audit import Audited
from autotl.automl.cleaned import write_cleaned
from autotl.data.audit import audit
from autotl.data.open import open_dataset
from autotl.data.splits import split, units_of
from autotl.errors import DataError
from autotl.modalities.registry import modality
from autotl.testing.data import write_image_folder


def audited(source, *, suspects=(), alike=(), **options) -> Audited:
    """A data set as if some rows, by number, had been found to be suspects, and pairs of them copies."""
    dataset = open_dataset(source, **options)
    dataset = audit(dataset, modality(dataset.modality))
    copies = units_of(replace(dataset, groups=None))
    for one, other in alike:
        copies[copies == copies[other]] = copies[one]
    doubted = np.array(suspects, np.int64)
    return Audited(dataset, np.arange(len(dataset)), copies, doubted, "tiny", ())


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def folder(tmp_path) -> Path:
    return write_image_folder(tmp_path / "photos", parts=("train", "test"), rows_per_class=8)


@pytest.fixture
def table(tmp_path) -> Path:
    path = tmp_path / "mails.csv"
    rows = [
        f"{n},message {n} about {('rain', 'snow')[n % 2]} number {n * 7},{n % 2},u{n // 2}" for n in range(30)
    ]
    path.write_text("\n".join(["id,text,label,user", *rows]) + "\n")
    return path


def test_class_folders_become_paths_from_the_index_on_with_their_parts(folder, tmp_path):
    found = audited(folder)
    cleaned = write_cleaned(found, folder, tmp_path / "lists" / "index.csv")
    rows = read(cleaned.path)
    assert list(rows[0]) == ["path", "label", "part", "group"]
    assert (cleaned.path.parent / rows[0]["path"]).is_file()
    assert not Path(rows[0]["path"]).is_absolute()
    assert {row["part"] for row in rows} == {"train", "test"}
    assert cleaned.left_out == ()
    again = open_dataset(cleaned.path, target=cleaned.target, group=cleaned.group)
    assert sorted(map(str, (item.resolve() for item in again.items))) == sorted(
        map(str, (item.resolve() for item in found.dataset.items))
    )
    assert again.task.classes == found.dataset.task.classes
    assert sorted(again.parts.tolist()) == sorted(found.dataset.parts.tolist())


def test_unreadable_files_are_left_out_with_the_reason(folder, tmp_path):
    torn = next((folder / "train" / "class_0").iterdir())
    torn.write_bytes(torn.read_bytes()[:60])
    cleaned = write_cleaned(audited(folder), folder, tmp_path / "index.csv")
    assert torn.name not in {
        Path(row["path"]).name for row in read(cleaned.path) if "train/class_0" in row["path"]
    }
    assert "1 input of 48 cannot be read" in cleaned.left_out[0]
    assert torn.is_file()


def test_training_rows_like_test_rows_are_left_out(folder, tmp_path):
    found = audited(folder)
    train = int(np.flatnonzero(found.dataset.parts == "train")[3])
    test = int(np.flatnonzero(found.dataset.parts == "test")[0])
    found = audited(folder, alike=[(train, test)])
    cleaned = write_cleaned(found, folder, tmp_path / "index.csv")
    assert cleaned.rows == len(found.dataset) - 1
    assert cleaned.left_out == ("1 training row like rows of the validation or test part.",)


def test_validation_rows_like_test_rows_are_left_out_too(tmp_path):
    folder = write_image_folder(tmp_path / "photos", parts=("train", "val", "test"), rows_per_class=8)
    found = audited(folder)
    train, val, test = (
        int(np.flatnonzero(found.dataset.parts == part)[2]) for part in ("train", "val", "test")
    )
    other = int(np.flatnonzero(found.dataset.parts == "train")[5])
    judge = int(np.flatnonzero(found.dataset.parts == "val")[6])
    found = audited(folder, alike=[(val, test), (train, val), (other, judge)])
    cleaned = write_cleaned(found, folder, tmp_path / "index.csv")
    assert cleaned.left_out == (
        "2 training rows like rows of the validation or test part.",
        "1 validation row like rows of the test part.",
    )
    left = {Path(row["path"]).relative_to("photos").as_posix() for row in read(cleaned.path)}
    assert set(found.dataset.names) - left == {found.dataset.names[row] for row in (train, val, other)}


def test_tables_keep_their_columns_and_copies_one_group(table, tmp_path):
    found = audited(table, alike=[(0, 9), (9, 20)])
    cleaned = write_cleaned(found, table, tmp_path / "clean.csv")
    rows = read(cleaned.path)
    assert list(rows[0]) == ["id", "text", "label", "user", "part", "group"]
    assert len(rows) == 30
    assert rows[0]["group"] == rows[9]["group"] == rows[20]["group"] != ""
    assert rows[1]["group"] == ""
    again = open_dataset(cleaned.path, target="label", group="group")
    splits = split(again)
    parts = [{0, 9, 20} <= set(part.tolist()) for part in (splits.train, splits.val, splits.test)]
    assert any(parts)


def test_groups_of_the_user_are_kept_together_with_copies(table, tmp_path):
    found = audited(table, alike=[(0, 9)], group="user")
    rows = read(write_cleaned(found, table, tmp_path / "clean.csv", group="user").path)
    assert len({rows[i]["group"] for i in (0, 1, 8, 9)}) == 1
    assert rows[2]["group"] != rows[0]["group"]


def test_suspects_are_left_out_only_where_that_is_asked_for(table, tmp_path):
    found = audited(table, suspects=[4, 7])
    assert write_cleaned(found, table, tmp_path / "all.csv").rows == 30
    cleaned = write_cleaned(found, table, tmp_path / "few.csv", drop_suspects=True)
    assert cleaned.left_out == ("2 rows with doubtful labels.",)
    assert {row["id"] for row in read(cleaned.path)} == {str(n) for n in range(30) if n not in (4, 7)}


def test_a_column_called_group_that_was_not_named_stays_what_it_is(table, tmp_path):
    table.write_text(table.read_text().replace("user", "group"))
    cleaned = write_cleaned(audited(table), table, tmp_path / "clean.csv")
    assert cleaned.group == "audit_group"
    assert read(cleaned.path)[4]["group"] == "u2"
    assert cleaned.command == f"autotl fit {cleaned.path} --target label --group audit_group"


def test_classes_that_look_like_quantities_stay_classes_in_the_command(folder, tmp_path):
    for part in ("train", "test"):
        for number, place in enumerate(sorted((folder / part).iterdir())):
            place.rename(place.with_name(f"{number}.5"))
    cleaned = write_cleaned(audited(folder), folder, tmp_path / "index.csv")
    assert cleaned.command.endswith("--target label --task multiclass --group group")
    again = open_dataset(cleaned.path, target=cleaned.target, task=cleaned.task, group=cleaned.group)
    assert again.task.classes == ("0.5", "1.5", "2.5")


def test_tables_of_several_parts_become_one_index_with_the_same_parts(tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    for part, seed in (("train", 0), ("test", 1)):
        numbers = np.random.default_rng(seed).integers(10_000, size=(20, 8)).tolist()
        rows = [
            json.dumps({"text": " ".join(f"w{n}" for n in row), "label": "ab"[i % 2]})
            for i, row in enumerate(numbers)
        ]
        (folder / f"{part}.jsonl").write_text("\n".join(rows))
    cleaned = write_cleaned(audited(folder), folder, tmp_path / "out" / "clean.csv")
    again = open_dataset(cleaned.path)
    assert again.parts.tolist() == ["train"] * 20 + ["test"] * 20


def test_tables_of_one_name_keep_the_rows_of_their_parts(table, tmp_path):
    test = tmp_path / "test" / table.name
    test.parent.mkdir()
    lines = [
        f"{n},quite another text {n} on {('rain', 'snow')[n % 2]} and {n * 3},{n % 2},v" for n in range(9)
    ]
    test.write_text("\n".join(["id,text,label,user", *lines]))
    rows = read(write_cleaned(audited(table, test=test), table, tmp_path / "clean.csv", test=test).path)
    assert [row["part"] for row in rows] == ["train"] * 30 + ["test"] * 9
    assert all(("another" in row["text"]) == (row["part"] == "test") for row in rows)


def test_lone_surrogates_are_written_as_they_are_read(table, tmp_path):
    source = tmp_path / "mails.jsonl"
    rows = [{"text": f"mail {n} \ud83d about {n * 7} things", "label": n % 2} for n in range(30)]
    source.write_text("\n".join(map(json.dumps, rows)))
    found = read(write_cleaned(audited(source), source, tmp_path / "clean.csv").path)
    assert found[4]["text"] == "mail 4 ? about 28 things"


def test_a_file_that_no_table_can_name_is_refused(folder, tmp_path):
    file = min(folder.rglob("*.png"))
    found = audited(folder)
    odd = file.rename(file.with_name("caf\udce9.png"))
    found = replace(found, dataset=replace(found.dataset, items=[odd, *found.dataset.items[1:]]))
    with pytest.raises(DataError, match=r"names files in UTF-8; found '.*caf\\udce9\.png'. Rename the file"):
        write_cleaned(found, folder, tmp_path / "clean.csv")


def test_records_of_paths_are_written_as_paths(folder, tmp_path):
    files = sorted(folder.rglob("*.png"))
    source = tmp_path / "photos.jsonl"
    rows = [{"image": {"bytes": None, "path": str(path)}, "label": path.parent.name} for path in files]
    source.write_text("\n".join(map(json.dumps, rows)))
    found = read(write_cleaned(audited(source), source, tmp_path / "clean.csv").path)
    assert all((tmp_path / row["image"]).is_file() for row in found)


@pytest.mark.parametrize("name", ["mails.csv", "index.txt"])
def test_data_are_not_replaced_and_other_endings_are_refused(table, tmp_path, name):
    before = table.read_text()
    with pytest.raises(DataError):
        write_cleaned(audited(table), table, tmp_path / name)
    assert table.read_text() == before


@pytest.mark.parametrize("name", ["train/meta.csv", "index.csv", "train.csv"])
def test_nothing_is_written_into_a_folder_of_data(folder, tmp_path, name):
    (folder / "train" / "meta.csv").write_text("made by hand\n")
    with pytest.raises(DataError, match="changes no data"):
        write_cleaned(audited(folder), folder, folder / name)
    assert (folder / "train" / "meta.csv").read_text() == "made by hand\n"
    assert not (folder / name).exists() or name == "train/meta.csv"


@pytest.mark.parametrize(
    "content", ["id,price\n1,2\n", "path,label,part,group\na.png,class_0,train,north\n", "\0\xff"]
)
def test_a_file_that_is_no_earlier_index_of_the_data_is_not_replaced(folder, tmp_path, content):
    path = tmp_path / "prices.csv"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(DataError, match="replaces nothing but an earlier one"):
        write_cleaned(audited(folder), folder, path)
    assert path.read_text(encoding="latin-1") == content


def test_an_earlier_index_of_the_same_data_is_replaced(folder, table, tmp_path):
    for source, options in ((folder, {}), (table, {"group": "user"})):
        path = tmp_path / f"of-{source.stem}.csv"
        first = write_cleaned(audited(source, suspects=[1], **options), source, path, **options)
        again = write_cleaned(
            audited(source, suspects=[1], **options), source, path, drop_suspects=True, **options
        )
        assert again.rows == first.rows - 1 == len(read(path))
