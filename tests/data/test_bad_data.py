"""What unusable data are answered with, word for word."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from autotl.data.audit import audit
from autotl.data.open import open_dataset
from autotl.errors import DataError, TargetError
from autotl.modalities.registry import modality

WORDS = ["red lorry", "yellow lorry", "green bus", "blue bus", "old train", "new train"]


def rows(count: int = 20) -> list[str]:
    return [f"{WORDS[i % 6]} number {i},{'ab'[i % 2]}" for i in range(count)]


def table(folder: Path, lines: list[str], name: str = "data.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def good(folder: Path, name: str = "data.csv") -> Path:
    return table(folder, ["text,label", *rows()], name)


def opened(source: Any, **options: Any) -> None:
    dataset = open_dataset(source, **options)
    audit(dataset, modality(dataset.modality))


def image_file(path: Path, value: int = 0) -> Path:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(value).integers(0, 255, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def check_raises(kind: type[Exception], message: str, call: Callable[[], Any]) -> None:
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value) == message


def test_a_path_that_does_not_exist(tmp_path: Path) -> None:
    path = tmp_path / "nowhere"
    message = f"no such file or folder: {path}. Paths are relative to {Path.cwd()}."
    check_raises(DataError, message, lambda: opened(path))


def test_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / ".DS_Store").write_text("x")
    (tmp_path / "set" / "Thumbs.db").write_text("x")
    message = (
        "the folder set/ holds no data; found no files; "
        "expected class folders, train/ val/ test/ of class folders, or a table such as train.csv."
    )
    check_raises(DataError, message, lambda: opened(tmp_path / "set"))


def test_a_folder_of_loose_images(tmp_path: Path) -> None:
    image_file(tmp_path / "set" / "a.png")
    message = (
        "the folder set/ holds no class folders; found 1 file (a.png); "
        "expected class folders, train/ val/ test/ of class folders, or a table such as train.csv. "
        "Put the files of each class into a folder named after it."
    )
    check_raises(DataError, message, lambda: opened(tmp_path / "set"))


def test_class_folders_of_unknown_files(tmp_path: Path) -> None:
    for name in ("x/a.wav", "x/b.wav", "y/c.doc"):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_text("?")
    with pytest.raises(
        DataError, match=r"^no file in set/ is an input of a known kind; found 2 \.wav, 1 \.doc"
    ):
        opened(tmp_path / "set")


def test_one_class_folder(tmp_path: Path) -> None:
    for i in range(12):
        image_file(tmp_path / "set" / "cat" / f"{i}.png", i)
    message = (
        "the target 'label' has one value only, so there is nothing to learn; found 'cat'; "
        "expected two or more classes."
    )
    check_raises(TargetError, message, lambda: opened(tmp_path / "set"))


def test_one_class_in_a_table(tmp_path: Path) -> None:
    path = table(tmp_path, ["text,label", *[f"some text {i},a" for i in range(12)]])
    message = (
        "the target 'label' has one value only, so there is nothing to learn; found 'a'; "
        "expected two or more classes."
    )
    check_raises(TargetError, message, lambda: opened(path))


def test_one_row(tmp_path: Path) -> None:
    path = table(tmp_path, ["text,label", "some text,a"])
    message = "too few rows to train on; found 1 row; expected at least 10."
    check_raises(DataError, message, lambda: opened(path, text="text"))


def test_a_class_for_nearly_each_row(tmp_path: Path) -> None:
    path = table(tmp_path, ["text,label", *[f"some text {i},class {i}" for i in range(12)]])
    message = (
        "too few rows for 12 classes; found 12 rows; expected at least 24, two a class. "
        "Is the target right? Choose another column with --target COL, or --task regression."
    )
    check_raises(DataError, message, lambda: opened(path))


def test_an_unknown_file_type(tmp_path: Path) -> None:
    path = tmp_path / "data.xlsx"
    path.write_bytes(b"PK")
    message = (
        "cannot read data.xlsx: unknown file type; found '.xlsx'; "
        "expected .csv, .tsv, .jsonl, .parquet, or a folder of class folders."
    )
    check_raises(DataError, message, lambda: opened(path))


def test_a_wrong_target_column(tmp_path: Path) -> None:
    message = (
        "no column 'colour' in data.csv; expected one of text, label. "
        "Name the label column with --target COL."
    )
    check_raises(TargetError, message, lambda: opened(good(tmp_path), target="colour"))


def test_no_column_that_is_named_like_a_target(tmp_path: Path) -> None:
    path = table(tmp_path, ["text,colour", *rows()])
    message = (
        "cannot tell which column of data.csv is the target; found text, colour. Name it with --target COL."
    )
    check_raises(TargetError, message, lambda: opened(path))


def test_a_wrong_text_column(tmp_path: Path) -> None:
    message = (
        "no column 'body' in data.csv; expected one of text, label. Name the text column with --text COL."
    )
    check_raises(DataError, message, lambda: opened(good(tmp_path), text="body"))


def test_a_target_that_is_also_the_text(tmp_path: Path) -> None:
    message = "the target column 'text' is also an input. Name another with --target COL."
    check_raises(DataError, message, lambda: opened(good(tmp_path), text="text", target="text"))


def test_a_text_and_an_image_column(tmp_path: Path) -> None:
    message = "columns of two kinds are named as inputs; found text, image; expected one kind."
    check_raises(DataError, message, lambda: opened(good(tmp_path), text="text", image="label"))


def test_a_missing_group_column(tmp_path: Path) -> None:
    message = (
        "no column 'speaker' in data.csv; expected one of text, label. "
        "Name the group column with --group COL."
    )
    check_raises(DataError, message, lambda: opened(good(tmp_path), group="speaker"))


def test_a_table_without_any_input(tmp_path: Path) -> None:
    path = table(tmp_path, ["age,label", *[f"{i},{'ab'[i % 2]}" for i in range(20)]])
    message = (
        "no column of data.csv looks like an input; found age, label; expected a column of image or text. "
        "Name it with --text COL or --image COL."
    )
    check_raises(DataError, message, lambda: opened(path))


def test_many_rows_without_a_label(tmp_path: Path) -> None:
    path = table(tmp_path, ["text,label", *rows(), "no label one,", "no label two,nan", "no label three,NaN"])
    message = (
        "3 rows of 23 have no value in the target 'label'; "
        "found data.csv:22, data.csv:23, data.csv:24; expected fewer than 5%. "
        "Fill in or take out these rows, or choose another column with --target COL."
    )
    check_raises(TargetError, message, lambda: opened(path))


def test_nan_labels_in_a_data_frame() -> None:
    frame = pd.DataFrame({"text": [f"some text {i}" for i in range(12)], "label": [1.0, np.nan] * 6})
    with pytest.raises(TargetError, match=r"^6 rows of 12 have no value in the target 'label'; found row 1,"):
        opened(frame)


def test_a_target_of_mixed_types() -> None:
    labels = ["a", 1, "b"] * 5
    message = (
        "the target 'label' mixes types; found 10 text, 5 number (row item 1 and 4 more); "
        "expected values of one type."
    )
    check_raises(TargetError, message, lambda: opened([f"some text {i}" for i in range(15)], labels=labels))


def test_numbers_with_a_text_among_them(tmp_path: Path) -> None:
    lines = [f"some text {i},{i / 7:.3f}" for i in range(40)]
    path = table(tmp_path, ["text,score", *lines, "some other text,high"])
    message = (
        "the target 'score' of a regression task holds what is no finite number; "
        "found 'high' (data.csv:42); expected numbers. For classes, give --task multiclass."
    )
    check_raises(TargetError, message, lambda: opened(path))


def test_a_table_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(b"text,label\nfine,a\ncaf\xe9,b\n")
    message = (
        "data.csv is not UTF-8; found byte 0xe9 on line 3; expected UTF-8 text. "
        "Save it as UTF-8, for instance: iconv -f latin1 -t utf-8 data.csv > utf8_data.csv"
    )
    check_raises(DataError, message, lambda: opened(path))


def test_two_columns_of_one_name(tmp_path: Path) -> None:
    path = table(tmp_path, ["text,label,text", "a,b,c"])
    message = "data.csv has two columns of one name; found 'text'; expected unique names."
    check_raises(DataError, message, lambda: opened(path))


def test_two_columns_of_one_name_in_a_data_frame() -> None:
    frame = pd.DataFrame([["x", "y"]], columns=["text", "text"])
    message = "the table has two columns of one name; found 'text'; expected unique names."
    check_raises(DataError, message, lambda: opened(frame))


@pytest.mark.parametrize(("line", "fields"), [("three,fields,here", 3), ("one field", 1)])
def test_a_ragged_table(tmp_path: Path, line: str, fields: int) -> None:
    path = table(tmp_path, ["text,label", '"a text\nof two lines",a', line])
    message = (
        f"data.csv is ragged; found {fields} fields on line 4; expected 2 as in the header. "
        "Quote texts that hold the separator, and close every quote."
    )
    check_raises(DataError, message, lambda: opened(path))


def test_an_empty_table(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("")
    message = "data.csv is empty; expected a header and one row for each input."
    check_raises(DataError, message, lambda: opened(path))


def test_a_table_of_a_header_only(tmp_path: Path) -> None:
    path = table(tmp_path, ["text,label"])
    message = "data.csv holds no rows; expected a header and one row for each input."
    check_raises(DataError, message, lambda: opened(path))


def test_a_malformed_line_of_json(tmp_path: Path) -> None:
    path = table(tmp_path, ['{"text": "a", "label": "b"}', '{"text": "a", "label": }'], "data.jsonl")
    message = (
        "data.jsonl is not JSON Lines; found line 2, column 24: Expecting value; "
        "expected one JSON object a line."
    )
    check_raises(DataError, message, lambda: opened(path))


def test_a_line_of_json_that_is_no_object(tmp_path: Path) -> None:
    path = table(tmp_path, ["[1, 2]"], "data.jsonl")
    message = "data.jsonl is not JSON Lines; found line 1: list; expected one JSON object a line."
    check_raises(DataError, message, lambda: opened(path))


def test_a_parquet_file_that_is_none(tmp_path: Path) -> None:
    path = table(tmp_path, ["hello"], "data.parquet")
    with pytest.raises(DataError, match=r"^data\.parquet is not a Parquet file; found "):
        opened(path)


def test_the_name_of_a_column_given_as_labels() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"text": ["a text", "b text"], "topic": ["a", "b"]})
    message = (
        "rows and labels differ in number; found 2 rows and 5 labels; expected one label for each row. "
        "The name of a column is given as target='topic'."
    )
    check_raises(TargetError, message, lambda: opened(frame, labels="topic"))


def test_labels_of_the_wrong_number() -> None:
    message = (
        "items and labels differ in number; found 2 items and 1 label; expected one label for each item."
    )
    check_raises(TargetError, message, lambda: opened(["a text", "b text"], labels=["a"]))


def test_a_list_without_labels() -> None:
    message = "items in a list need labels; expected labels=[...], one for each item."
    check_raises(TargetError, message, lambda: opened(["a text", "b text"]))


def test_an_empty_list() -> None:
    message = "the data set holds no items; found an empty list; expected at least 10."
    check_raises(DataError, message, lambda: opened([], labels=[]))


def test_a_list_of_what_no_modality_takes() -> None:
    message = "cannot tell what the items are; found dict; expected inputs of one kind: image, text."
    check_raises(DataError, message, lambda: opened([{"a": 1}] * 12, labels=["a", "b"] * 6))


def test_data_of_no_known_kind() -> None:
    message = (
        "cannot read this kind of data; found int; "
        "expected a path, a pandas, polars or Arrow table, or a list of inputs with labels."
    )
    check_raises(DataError, message, lambda: opened(7))


def test_an_official_test_part_with_an_unknown_class(tmp_path: Path) -> None:
    good(tmp_path, "train.csv")
    table(tmp_path, ["text,label", "another text,a", "a further text,zebra"], "test.csv")
    message = (
        "the test part has classes that the train part lacks; found 'zebra' (1 row); "
        "expected every class among the training rows. "
        "Add training rows of them, or take them out of test."
    )
    check_raises(TargetError, message, lambda: opened(tmp_path))


def test_a_part_without_the_text_column(tmp_path: Path) -> None:
    good(tmp_path, "train.csv")
    table(tmp_path, ["sentence,label", "another text,a"], "test.csv")
    message = (
        "no column 'text' in test.csv; expected one of sentence, label. "
        "All parts need the columns of the training table."
    )
    check_raises(DataError, message, lambda: opened(tmp_path))


def test_two_tables_for_one_part(tmp_path: Path) -> None:
    for name in ("train.csv", "dev.csv", "val.csv"):
        good(tmp_path, name)
    with pytest.raises(DataError) as caught:
        opened(tmp_path)
    assert str(caught.value) == (
        f"two tables for the part 'val' in {tmp_path.name}/; found dev.csv and val.csv; expected one. "
        "Move one of them away."
    )


def test_several_tables_without_a_train_part(tmp_path: Path) -> None:
    good(tmp_path, "june.csv")
    good(tmp_path, "july.csv")
    message = (
        f"cannot tell which table of {tmp_path.name}/ to train on; found july.csv, june.csv; "
        f"expected train.csv, or a single table. Name one: autotl fit {tmp_path / 'july.csv'}"
    )
    check_raises(DataError, message, lambda: opened(tmp_path))


def test_images_that_do_not_exist(tmp_path: Path) -> None:
    path = table(tmp_path, ["file,label", *[f"img/{i}.jpg,{'ab'[i % 2]}" for i in range(12)]])
    message = (
        f"12 files of 12 named in data.csv do not exist; found {tmp_path.as_posix()}/img/0.jpg (data.csv:2), "
        f"{tmp_path.as_posix()}/img/1.jpg (data.csv:3) and 10 more; "
        "expected paths relative to the folder of data.csv."
    )
    check_raises(DataError, message, lambda: opened(path))


def test_images_of_which_none_can_be_read(tmp_path: Path) -> None:
    for i in range(12):
        path = tmp_path / "ab"[i % 2] / f"{i}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"no image")
    with pytest.raises(DataError, match=r"^no input can be read; found "):
        opened(tmp_path)


def test_an_unknown_task(tmp_path: Path) -> None:
    message = "unknown task; found 'ranking'; expected auto, binary, multiclass, multilabel, regression."
    check_raises(TargetError, message, lambda: opened(good(tmp_path), task="ranking"))


def test_an_unknown_metric(tmp_path: Path) -> None:
    message = (
        "unknown metric for a binary task; found 'speed'; "
        "expected accuracy, balanced_accuracy, macro_f1, f1, auroc, mcc, log_loss."
    )
    check_raises(TargetError, message, lambda: opened(good(tmp_path), metric="speed"))


def test_a_misspelt_metric(tmp_path: Path) -> None:
    message = (
        "unknown metric for a binary task; found 'acuracy'; "
        "expected accuracy, balanced_accuracy, macro_f1, f1, auroc, mcc, log_loss. Did you mean accuracy?"
    )
    check_raises(TargetError, message, lambda: opened(good(tmp_path), metric="acuracy"))


def test_a_binary_task_of_three_classes() -> None:
    message = (
        "the target 'label' does not fit a binary task; found 3 classes (a, b, c); expected 2. "
        "Give --task multiclass."
    )
    texts = [f"some text {i}" for i in range(12)]
    check_raises(TargetError, message, lambda: opened(texts, labels=["a", "b", "c"] * 4, task="binary"))


def test_a_regression_on_names(tmp_path: Path) -> None:
    message = (
        "the target 'label' of a regression task holds what is no finite number; "
        "found 'a' (data.csv:2), 'b' (data.csv:3), 'a' (data.csv:4); expected numbers. "
        "For classes, give --task multiclass."
    )
    check_raises(TargetError, message, lambda: opened(good(tmp_path), task="regression"))


def test_lists_where_one_value_a_row_is_asked_for() -> None:
    texts = [f"some text {i}" for i in range(12)]
    message = "the target 'label' holds lists; expected one value a row for a multiclass task."
    check_raises(TargetError, message, lambda: opened(texts, labels=[["a"], ["b"]] * 6, task="multiclass"))


def test_a_column_named_for_class_folders(tmp_path: Path) -> None:
    image_file(tmp_path / "a" / "0.png")
    message = (
        f"--target names a column, but the data are no table; found 'label' for {tmp_path}; "
        "expected a table: .csv, .tsv, .jsonl, .parquet."
    )
    check_raises(DataError, message, lambda: opened(tmp_path, target="label"))


def test_an_unknown_modality(tmp_path: Path) -> None:
    message = "unknown modality; found 'smell'; expected image, text."
    check_raises(DataError, message, lambda: opened(good(tmp_path), modality="smell"))


def test_a_symlink_loop_is_survived_and_nothing_is_read_twice(tmp_path: Path) -> None:
    for i in range(12):
        image_file(tmp_path / "set" / "ab"[i % 2] / f"{i}.png", i)
    os.symlink("..", tmp_path / "set" / "a" / "up")
    os.symlink("self", tmp_path / "set" / "b" / "self")
    os.symlink(".", tmp_path / "set" / "b" / "here")
    dataset = open_dataset(tmp_path / "set")
    assert sorted(dataset.names) == sorted(f"{'ab'[i % 2]}/{i}.png" for i in range(12))


def test_messages_are_single_lines(tmp_path: Path) -> None:
    with pytest.raises(TargetError) as caught:
        opened(good(tmp_path), target="colour")
    assert not re.search(r"\n", str(caught.value))


def test_official_parts_without_one_to_train_on(tmp_path: Path) -> None:
    for part in ("val", "test"):
        for label in "ab":
            image_file(tmp_path / part / label / "0.png")
    message = (
        f"no training part in {tmp_path.name}/; found test/, val/; "
        "expected train/ beside them, or class folders."
    )
    check_raises(DataError, message, lambda: opened(tmp_path))


def test_groups_of_class_folders(tmp_path: Path) -> None:
    for label in "ab":
        image_file(tmp_path / label / "0.png")
    message = (
        "class folders take no groups; found list; expected a table with a group column. "
        "Write one: autotl audit DATA --fix index.csv, then autotl fit index.csv --group group"
    )
    check_raises(DataError, message, lambda: opened(tmp_path, group=[1, 2]))


def test_two_columns_of_images(tmp_path: Path) -> None:
    path = table(tmp_path, ["a,b,label", *[f"{i}.png,{i}.jpg,{'xy'[i % 2]}" for i in range(12)]])
    message = "several image columns are named; found a, b; expected one."
    check_raises(DataError, message, lambda: opened(path, image="a,b"))
