"""What `open_dataset` makes of the forms in which people keep data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from PIL import Image

from autotl.data.dataset import Dataset
from autotl.data.open import open_dataset, source_tables
from autotl.errors import AutotlError
from autotl.task import TaskKind

REAL = Path(__file__).parents[3] / "shared" / "data"
ROWS = [(f"a text about thing number {i}", ("no", "yes")[i % 2]) for i in range(20)]
FRAME = {"text": [text for text, _ in ROWS], "label": [label for _, label in ROWS]}


def write(path: Path, rows: list[tuple[str, ...]], header: str = "text,label") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *(",".join(row) for row in rows)]) + "\n", encoding="utf-8")
    return path


def images(folder: Path, names: list[str]) -> None:
    for i, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (i, 10, 20)).save(path)


def findings(dataset: Dataset) -> dict[str, str]:
    return {finding.kind: finding.message for finding in dataset.findings}


def parts(dataset: Dataset) -> dict[str, int]:
    assert dataset.parts is not None
    return {str(part): int(np.sum(dataset.parts == part)) for part in np.unique(dataset.parts)}


def is_the_sample(dataset: Dataset) -> bool:
    return (
        dataset.modality == "text"
        and dataset.task.kind is TaskKind.BINARY
        and dataset.task.classes == ("no", "yes")
        and list(dataset.items) == FRAME["text"]
        and dataset.targets.tolist() == [0, 1] * 10
        and dataset.parts is None
    )


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_every_table_format_gives_the_same_data(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"data{ending}"
    frame = pd.DataFrame(FRAME)
    if ending == ".parquet":
        frame.to_parquet(path)
    elif ending == ".jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, index=False, sep="\t" if ending == ".tsv" else ",")
    assert is_the_sample(open_dataset(path))


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table])
def test_every_kind_of_frame_gives_the_same_data(make: Any) -> None:
    assert is_the_sample(open_dataset(make(FRAME)))


@pytest.mark.parametrize("as_labels", [list, tuple, np.array, pd.Series])
def test_lists_of_texts_with_labels(as_labels: Any) -> None:
    assert is_the_sample(open_dataset(FRAME["text"], labels=as_labels(FRAME["label"])))


def test_a_frame_with_labels_beside_it() -> None:
    assert is_the_sample(open_dataset(pd.DataFrame({"text": FRAME["text"]}), labels=FRAME["label"]))


@pytest.mark.parametrize("column", ["Label", "target"])
def test_labels_beside_a_frame_go_before_a_target_in_it(column: str) -> None:
    frame = pd.DataFrame({"text": FRAME["text"], column: FRAME["label"][::-1]})
    dataset = open_dataset(frame, labels=FRAME["label"])
    assert is_the_sample(dataset)
    assert dataset.task.target == "label"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_byte_order_marks_are_understood(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "data.csv"
    path.write_text("text;label\n" + "".join(f"caf\u00e9 {t};{y}\n" for t, y in ROWS), encoding=encoding)
    dataset = open_dataset(path)
    assert dataset.items[0] == "caf\u00e9 a text about thing number 0"
    assert dataset.columns == ("text",)


def test_texts_that_look_like_missing_values_stay_texts(tmp_path: Path) -> None:
    path = write(tmp_path / "data.csv", [*ROWS, ("NA", "no"), ("", "yes"), ("null", "no"), ("007", "yes")])
    assert list(open_dataset(path).items)[-4:] == ["NA", "", "null", "007"]


def test_very_long_texts_are_read(tmp_path: Path) -> None:
    long = "word " * 100_000
    assert open_dataset(write(tmp_path / "data.csv", [*ROWS, (long, "no")])).items[-1] == long


def test_rows_are_named_as_a_spreadsheet_counts_them(tmp_path: Path) -> None:
    path = write(tmp_path / "data.csv", [('"two\nlines of it"', "no"), *ROWS])
    assert list(open_dataset(path).names)[:2] == ["data.csv:2", "data.csv:3"]


def test_class_folders_become_paths_with_natural_class_order(tmp_path: Path) -> None:
    images(tmp_path, [f"{k}/{i}.PNG" for k in (10, 9, 1, 0) for i in range(3)])
    (tmp_path / "__MACOSX" / "1").mkdir(parents=True)
    (tmp_path / "1" / ".hidden.png").write_bytes(b"")
    (tmp_path / "1" / "notes.txt").write_text("not an image")
    dataset = open_dataset(tmp_path)
    assert dataset.task.classes == ("0", "1", "9", "10")
    assert list(dataset.names)[:3] == ["0/0.PNG", "0/1.PNG", "0/2.PNG"]
    assert dataset.items[0] == tmp_path / "0" / "0.PNG"
    assert findings(dataset)["ignored_file"] == "1 file of other kinds left aside: 1/notes.txt."


@pytest.mark.parametrize("val", ["val", "valid", "Validation", "dev"])
def test_official_parts_of_class_folders_are_kept(tmp_path: Path, val: str) -> None:
    images(
        tmp_path, [f"{part}/{k}/{i}.png" for part in ("train", val, "test") for k in "ab" for i in range(2)]
    )
    (tmp_path / "masks").mkdir()
    dataset = open_dataset(tmp_path)
    assert parts(dataset) == {"train": 4, "val": 4, "test": 4}
    assert findings(dataset)["unused_folder"] == "1 folder beside the official parts left aside: masks."


@pytest.mark.parametrize("classes", [[str(1001 + 3 * i) for i in range(24)], ["a", "a;b", "b"]])
def test_folders_are_classes_whatever_their_names_look_like(tmp_path: Path, classes: list[str]) -> None:
    images(tmp_path, [f"{name}/{i}.png" for name in classes for i in range(2)])
    assert open_dataset(tmp_path).task.classes == tuple(classes)
    assert open_dataset(tmp_path).task.kind is TaskKind.MULTICLASS


def test_a_lone_wrapping_folder_is_entered(tmp_path: Path) -> None:
    images(tmp_path, [f"archive/{k}/{i}.png" for k in "ab" for i in range(2)])
    assert open_dataset(tmp_path).task.classes == ("a", "b")


def test_a_folder_of_tables_and_what_is_beside_it(tmp_path: Path) -> None:
    for name in ("train.csv", "validation.tsv", "test.csv", "train_small.csv"):
        mark = "\t" if name.endswith("tsv") else ","
        (tmp_path / name).write_text(f"text{mark}label\n" + "".join(f"{t}{mark}{y}\n" for t, y in ROWS))
    dataset = open_dataset(tmp_path)
    assert parts(dataset) == {"train": 20, "val": 20, "test": 20}
    assert dataset.names[0] == "train.csv:2"
    assert findings(dataset)["unused_table"] == "1 table left aside: train_small.csv."


def test_a_test_table_without_labels_is_left_aside(tmp_path: Path) -> None:
    write(tmp_path / "train.csv", list(ROWS))
    write(tmp_path / "test.csv", [(text,) for text, _ in ROWS], "text")
    dataset = open_dataset(tmp_path)
    assert len(dataset) == 20
    message = "test.csv has no labels in 'label', so it is no test part."
    assert findings(dataset)["unlabelled_part"] == message


def test_further_parts_by_path(tmp_path: Path) -> None:
    train = write(tmp_path / "mine.csv", list(ROWS))
    more = write(tmp_path / "elsewhere" / "held_out.csv", list(ROWS[:6]))
    assert parts(open_dataset(train, val=more, test=pd.DataFrame(FRAME))) == {
        "train": 20,
        "val": 6,
        "test": 20,
    }


def test_further_parts_of_class_folders(tmp_path: Path) -> None:
    images(tmp_path, [f"{base}/{k}/{i}.png" for base in ("one", "two") for k in "ab" for i in range(2)])
    dataset = open_dataset(tmp_path / "one", test=tmp_path / "two")
    assert parts(dataset) == {"test": 4, "train": 4}
    assert list(dataset.names)[-1] == "test/b/1.png"


def test_rows_of_files_of_one_name_are_called_after_their_part(tmp_path: Path) -> None:
    train = write(tmp_path / "train" / "data.csv", list(ROWS))
    test = write(tmp_path / "test" / "data.csv", list(ROWS[:6]))
    names = open_dataset(train, test=test).names
    assert (names[0], names[-1]) == ("train/data.csv:2", "test/data.csv:7")
    assert len(set(names)) == 26
    tables = source_tables(train, test=test)
    assert [name for table in tables.values() for name in table.names] == list(names)


def test_image_paths_in_a_column_start_at_the_table(tmp_path: Path) -> None:
    images(tmp_path, [f"img/{i}.png" for i in range(30)])
    write(tmp_path / "list.csv", [(f"img/{i}.png", "ab"[i % 2]) for i in range(31)], "file,label")
    dataset = open_dataset(tmp_path)
    assert dataset.modality == "image"
    assert dataset.items[3] == tmp_path / "img" / "3.png"
    assert findings(dataset)["missing_file"] == "1 file named in list.csv does not exist."
    assert len(dataset) == 30


def test_encoded_images_in_a_parquet_column(tmp_path: Path) -> None:
    images(tmp_path, ["x.png"])
    cell = {"bytes": (tmp_path / "x.png").read_bytes(), "path": None}
    path = tmp_path / "data.parquet"
    pd.DataFrame({"image": [cell] * 12, "label": [0, 1] * 6}).to_parquet(path)
    dataset = open_dataset(path)
    assert (dataset.modality, dataset.items[0]) == ("image", cell["bytes"])


def test_records_that_hold_a_path_name_image_files(tmp_path: Path) -> None:
    images(tmp_path, [f"img/{i}.png" for i in range(12)])
    cells = [{"bytes": None, "path": f"img/{i}.png"} for i in range(12)]
    path = tmp_path / "data.parquet"
    pd.DataFrame({"image": cells, "label": [0, 1] * 6}).to_parquet(path)
    dataset = open_dataset(path)
    assert (dataset.modality, dataset.items[3]) == ("image", tmp_path / "img" / "3.png")


@pytest.mark.parametrize("cell", [{"bounding box": "of the dog"}, ["a dog", "and a cat"]])
def test_records_and_lists_are_no_texts(cell: Any) -> None:
    cells = [type(cell)(cell) for _ in range(20)]
    dataset = open_dataset(pd.DataFrame({"notes": cells, **FRAME}))
    assert dataset.columns == ("text",)
    with pytest.raises(AutotlError, match="no column of the table looks like an input"):
        open_dataset(pd.DataFrame({"notes": cells, "label": FRAME["label"]}))


def test_arrays_of_images() -> None:
    dataset = open_dataset(np.zeros((12, 8, 8, 3), np.uint8), labels=[0, 1] * 6)
    assert (dataset.modality, len(dataset), dataset.task.classes) == ("image", 12, ("0", "1"))


def test_a_pair_of_texts_is_one_input() -> None:
    frame = pd.DataFrame({
        "sentence1": FRAME["text"], "sentence2": FRAME["text"][::-1], "genre": ["a", "b"] * 10,
        "score": np.linspace(0, 5, 20),
    })  # fmt: skip
    dataset = open_dataset(frame)
    assert dataset.columns == ("sentence1", "sentence2")
    assert dataset.items[0] == (FRAME["text"][0], FRAME["text"][19])
    assert dataset.task.kind is TaskKind.REGRESSION


def test_text_columns_by_name_keep_their_order() -> None:
    frame = pd.DataFrame({"a": FRAME["text"], "b": FRAME["text"], "label": FRAME["label"]})
    assert open_dataset(frame, text="b,a").columns == ("b", "a")
    assert open_dataset(frame, text=["b"]).columns == ("b",)


def test_columns_that_restate_the_target_are_no_input() -> None:
    frame = pd.DataFrame({
        "comment": FRAME["text"],
        "answer": ["the answer is yes" if y == "yes" else "the answer is no" for y in FRAME["label"]],
        "label_text": [f"label in words {y}" for y in FRAME["label"]],
        "label": FRAME["label"],
    })  # fmt: skip
    dataset = open_dataset(frame)
    assert dataset.columns == ("comment",)
    assert findings(dataset)["unused_column"] == "2 columns not used as input: answer, label_text."


def test_groups_become_codes_and_rows_without_one_stand_alone() -> None:
    frame = pd.DataFrame({**FRAME, "speaker": (["x", "y", None, ""] * 5)})
    groups = open_dataset(frame, group="speaker").groups
    assert groups is not None
    assert groups[:8].tolist() == [0, 1, 2, 3, 0, 1, 4, 5]


@pytest.mark.parametrize("column", ["part", "Split"])
def test_a_column_may_name_the_official_parts(column: str) -> None:
    named = ["train", "Training", "valid", "test", ""] * 4
    dataset = open_dataset(pd.DataFrame({**FRAME, column: named}))
    assert parts(dataset) == {"train": 8, "val": 4, "test": 4, "": 4}
    assert column in findings(dataset)["official_parts"]
    assert "unused_column" not in findings(dataset)


def test_a_column_of_parts_holds_beside_a_test_part_of_its_own(tmp_path: Path) -> None:
    """No row that was set aside for the test is trained on."""
    named = ["train", "Training", "valid", "test", ""] * 4
    other = pd.DataFrame({"text": ["some other text here", "and one more text"], "label": ["no", "yes"]})
    table = pd.DataFrame({**FRAME, "part": named})
    assert "of the val and test part" in findings(open_dataset(table, val=other, test=other))["replaced_part"]
    without_val = table[table["part"] != "valid"]
    told = findings(open_dataset(without_val, val=other, test=other))["replaced_part"]
    assert told.startswith("4 rows of the test part"), "those that there are"
    dataset = open_dataset(table, test=other)
    assert parts(dataset) == {"train": 12, "val": 4, "test": 2}
    message = "4 rows of the test part in the data give way to those that were named."
    assert findings(dataset)["replaced_part"] == message


def test_a_column_of_parts_holds_in_the_training_table_of_a_folder(tmp_path: Path) -> None:
    marked = [(*row, ("train", "val", "test")[i % 3]) for i, row in enumerate(ROWS)]
    write(tmp_path / "train.csv", marked, "text,label,split")
    further = [("some other text here", "no", "train"), ("and one more text", "yes", "train")]
    write(tmp_path / "test.csv", further, "text,label,split")
    assert parts(open_dataset(tmp_path)) == {"train": 7, "val": 7, "test": 6 + 2}


@pytest.mark.parametrize("as_pillow", [True, False])
def test_images_in_a_column_of_a_data_frame(as_pillow: bool) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), np.uint8)
    column = [Image.fromarray(image) for image in pixels] if as_pillow else list(pixels)
    dataset = open_dataset(pd.DataFrame({"photo": column, "label": FRAME["label"]}))
    assert (dataset.modality, dataset.columns) == ("image", ("photo",))
    assert all(given is kept for given, kept in zip(column, dataset.items, strict=True))


@pytest.mark.parametrize("values", [["wheel", "door"], ["test", "val"], ["train", "other"], ["", ""]])
def test_a_column_of_other_parts_says_nothing_of_official_ones(values: list[str]) -> None:
    dataset = open_dataset(pd.DataFrame({**FRAME, "part": values * 10}))
    assert dataset.parts is None
    assert "official_parts" not in findings(dataset)


def test_a_column_of_parts_with_an_unknown_one_is_told_of() -> None:
    dataset = open_dataset(pd.DataFrame({**FRAME, "split": ["train", "train", "test", "unlabeled"] * 5}))
    finding = next(finding for finding in dataset.findings if finding.kind == "unknown_part")
    message = "The column 'split' is not used for official parts: unlabeled is not among train, val, test."
    assert (finding.severity, finding.message) == ("warning", message)


def test_a_target_called_part_stays_the_target() -> None:
    frame = pd.DataFrame({"text": FRAME["text"], "part": ["train", "test"] * 10})
    dataset = open_dataset(frame, target="part")
    assert (dataset.parts, dataset.task.classes) == (None, ("test", "train"))


def test_few_rows_without_a_label_are_dropped_and_named(tmp_path: Path) -> None:
    path = write(tmp_path / "data.csv", [*ROWS, ("nobody knows this", ""), *ROWS])
    dataset = open_dataset(path)
    assert len(dataset) == 40
    finding = next(f for f in dataset.findings if f.kind == "missing_label")
    assert (finding.message, finding.rows) == ("1 row of 41 without a label (2.4%).", ("data.csv:22",))


def test_json_lines_with_lists_are_multilabel(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    rows = [{"text": f"a text {i}", "labels": [["a", "b"], ["b"], []][i % 3]} for i in range(12)]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    dataset = open_dataset(path)
    assert dataset.task.kind is TaskKind.MULTILABEL
    assert dataset.targets[:3].tolist() == [[1, 1], [0, 1], [0, 0]]


@pytest.mark.parametrize(
    ("name", "kind", "classes", "rows"),
    [
        ("banking77", "multiclass", 77, {"train": 10003, "test": 3080}),
        ("clinc150", "multiclass", 150, {"train": 15000, "val": 3000, "test": 4500}),
        ("goemotions", "multilabel", 28, {"train": 43410, "val": 5426, "test": 5427}),
        ("stsb_en", "regression", 0, {"train": 5749, "val": 1500, "test": 1379}),
        ("sst2", "binary", 2, {"train": 6920, "val": 872, "test": 1821}),
        ("trashnet256", "multiclass", 6, {"train": 1768, "val": 328, "test": 431}),
    ],
)
def test_real_data_are_understood_without_a_word(
    name: str, kind: str, classes: int, rows: dict[str, int]
) -> None:
    if not (REAL / name).exists():
        pytest.skip(f"the data set {name} is not here")
    dataset = open_dataset(REAL / name)
    assert (dataset.task.kind.value, len(dataset.task.classes), parts(dataset)) == (kind, classes, rows)


def test_a_table_of_measurements_is_refused_with_its_columns() -> None:
    if not (REAL / "credit_g").exists():
        pytest.skip("the data set credit_g is not here")
    with pytest.raises(
        AutotlError, match=r"^no column of data\.csv looks like an input; found checking_balance,"
    ):
        open_dataset(REAL / "credit_g", target="default")
