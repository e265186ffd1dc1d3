"""Tables from memory are read as files of their names are."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from autotl.data.tables import parse_table, read_table
from autotl.errors import DataError

CONTENTS = {
    "a.csv": b'text,label\n"one, two",x\nthree,y\n',
    "a.tsv": b"text\tlabel\none\tx\n",
    "a.jsonl": b'{"text": "one", "label": "x"}\n',
}


@pytest.mark.parametrize(("name", "content"), CONTENTS.items())
def test_a_table_in_memory_is_that_of_the_file(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert parse_table(name, content, tmp_path) == read_table(tmp_path / name)


def test_fields_longer_than_the_usual_limit_are_read_side_by_side():
    content = b"text\n" + b"a" * 200_000 + b"\n"
    with ThreadPoolExecutor(8) as pool:
        tables = list(pool.map(lambda _: parse_table("a.csv", content), range(64)))
    assert {len(table.columns["text"][0]) for table in tables} == {200_000}


def test_what_is_not_utf8_is_told_with_its_line():
    with pytest.raises(DataError, match=r"a\.csv is not UTF-8; found byte 0xff on line 2"):
        parse_table("a.csv", b"text\n\xff\n")
