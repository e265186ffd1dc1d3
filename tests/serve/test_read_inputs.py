"""Whatever a person names on the command line becomes named items, or a message that says what is wrong."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from autotl.errors import DataError
from autotl.serve.bundle import read_bundle
from autotl.serve.inputs import read_inputs

NOTHING = io.StringIO("")


@pytest.fixture
def text(text_bundles):
    return read_bundle(text_bundles())


@pytest.fixture
def pair(text_bundles):
    return read_bundle(text_bundles(columns=("a", "b")))


@pytest.fixture
def image(image_bundle):
    return read_bundle(image_bundle)


def _file(folder: Path, name: str, content: str) -> str:
    (folder / name).write_text(content, encoding="utf-8")
    return str(folder / name)


def test_image_files_keep_their_order(image, images):
    chosen = [str(images[3]), str(images[0])]
    assert read_inputs(image, chosen, NOTHING) == (chosen, [images[3], images[0]])


def test_a_folder_is_searched_for_inputs(image, images, tmp_path):
    for place in ("b/2.PNG", "a/1.png", ".hidden/3.png", "a/notes.md"):
        path = tmp_path / "photos" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(images[0].read_bytes())
    names, items = read_inputs(image, [str(tmp_path / "photos")], NOTHING)
    assert items == [tmp_path / "photos" / "a/1.png", tmp_path / "photos" / "b/2.PNG"]
    assert names == [str(item) for item in items]


def test_a_table_of_image_paths_starts_at_its_folder(image, tmp_path):
    table = _file(tmp_path, "list.csv", "id,image\n1,x/a.png\n2,b.png\n")
    names, items = read_inputs(image, [table], NOTHING)
    assert items == [tmp_path / "x/a.png", tmp_path / "b.png"]
    assert names == ["list.csv:2", "list.csv:3"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", 'label,text\nx,"a, b"\ny,c\n'),
        ("t.tsv", "label\ttext\nx\ta, b\ny\tc\n"),
        ("t.jsonl", '{"text": "a, b"}\n\n{"text": "c", "label": "y"}\n'),
    ],
)
def test_tables_of_every_kind_give_the_text_column(text, tmp_path, name, content):
    names, items = read_inputs(text, [_file(tmp_path, name, content)], NOTHING)
    assert items == ["a, b", "c"]
    assert len(set(names)) == 2
    assert all(entry.startswith(f"{name}:") for entry in names)


@pytest.mark.parametrize("content", ["b,a\n2,1\n", "a;b\n1;2\n", '{"b": "2", "a": "1"}\n'])
def test_pairs_come_in_the_order_of_the_bundle_from_standard_input(pair, content):
    names, items = read_inputs(pair, ["-"], io.StringIO(content))
    assert items == [("1", "2")]
    assert names[0].startswith("stdin:")


@pytest.mark.parametrize("content", ["text\nhello\n", '{"text": "hello"}\n'])
def test_a_byte_order_mark_hides_no_table_on_standard_input(text_bundles, content):
    bundle = read_bundle(text_bundles(columns=("text",)))
    stdin = io.TextIOWrapper(io.BytesIO(content.encode("utf-8-sig")), encoding="utf-8")
    assert read_inputs(bundle, ["-"], stdin)[1] == ["hello"]


def test_lines_of_standard_input_are_texts(text):
    names, items = read_inputs(text, ["-"], io.StringIO("good film, really\n\nso sad\r\n"))
    assert items == ["good film, really", "so sad"]
    assert names == ["stdin:1", "stdin:3"]


def test_lines_of_standard_input_are_paths_for_images(image):
    assert read_inputs(image, ["-"], io.StringIO("a.png\n"))[1] == [Path("a.png")]


def test_an_argument_with_a_space_is_itself_the_text(text):
    long = "so sad " * 1000
    assert read_inputs(text, ["a good film", long], NOTHING)[1] == ["a good film", long]


def test_a_text_file_is_one_text_and_so_is_each_of_a_folder(text, tmp_path):
    path = _file(tmp_path, "review.txt", "good\nfilm")
    assert read_inputs(text, [path], NOTHING)[1] == ["good\nfilm"]
    assert read_inputs(text, [str(tmp_path)], NOTHING)[1] == ["good\nfilm"]


def test_arguments_of_several_kinds_add_up(text, tmp_path):
    table = _file(tmp_path, "t.csv", "text\nb\n")
    assert read_inputs(text, ["a film", table, "-"], io.StringIO("c"))[1] == ["a film", "b", "c"]


def test_no_argument(text):
    with pytest.raises(DataError, match="nothing to predict; found no input"):
        read_inputs(text, [], NOTHING)


@pytest.mark.parametrize("name", ["nowhere.jpg", "no where.jpg", "x\0y"])
def test_a_file_that_does_not_exist(image, name):
    with pytest.raises(DataError, match="no such file or folder"):
        read_inputs(image, [name], NOTHING)


@pytest.mark.parametrize("name", ["reviews.csv", "new reviews.csv", "my mails/one mail.txt"])
def test_a_mistyped_file_is_not_taken_for_a_text(text, name):
    with pytest.raises(DataError, match=rf"no such file or folder: {re.escape(name)}.*echo TEXT"):
        read_inputs(text, [name], NOTHING)


def test_a_file_of_another_kind(image, tmp_path):
    with pytest.raises(DataError, match=r"cannot tell what .*a\.docx is; found '\.docx'; expected .*\.jpg"):
        read_inputs(image, [_file(tmp_path, "a.docx", "x")], NOTHING)


def test_a_folder_without_inputs(image, tmp_path):
    _file(tmp_path, "notes.md", "x")
    with pytest.raises(DataError, match="no inputs in the folder"):
        read_inputs(image, [str(tmp_path)], NOTHING)


def test_a_table_without_the_column(text, tmp_path):
    table = _file(tmp_path, "t.csv", "body,label\na,b\n")
    with pytest.raises(DataError, match=r"t\.csv lacks a column; found body, label; expected text"):
        read_inputs(text, [table], NOTHING)


def test_a_table_whose_path_column_cannot_be_told(image, tmp_path):
    table = _file(tmp_path, "t.csv", "front,back\na.png,b.png\n")
    with pytest.raises(DataError, match=r"which column of t\.csv to predict; found front, back"):
        read_inputs(image, [table], NOTHING)


def test_a_row_without_a_value(text, tmp_path):
    table = _file(tmp_path, "t.jsonl", '{"text": "a"}\n{"text": null}\n')
    with pytest.raises(DataError, match=r"t\.jsonl:2 has no value; found nothing in column 'text'"):
        read_inputs(text, [table], NOTHING)


@pytest.mark.parametrize("content", ["", " \n\n"])
def test_empty_standard_input(text, content):
    with pytest.raises(DataError, match="standard input is empty"):
        read_inputs(text, ["-"], io.StringIO(content))


def test_standard_input_that_is_not_utf8(text):
    stream = io.TextIOWrapper(io.BytesIO(b"caf\xe9 au lait"), encoding="utf-8")
    with pytest.raises(DataError, match="standard input is not UTF-8; found byte 3"):
        read_inputs(text, ["-"], stream)


def test_plain_lines_for_a_model_of_pairs(pair):
    with pytest.raises(DataError, match="found the line 'hello'; expected a header or JSON Lines with a, b"):
        read_inputs(pair, ["-"], io.StringIO("hello\n"))


def test_malformed_json_lines_on_standard_input(text):
    with pytest.raises(DataError, match="is not JSON Lines; found line 2"):
        read_inputs(text, ["-"], io.StringIO('{"text": "a"}\n{"text": \n'))
