"""Tables from memory are read as files of their names are."""

from __future__ import annotations

import csv
import io
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotl.data.tables import TableLimits, parse_table, read_table
from autotl.errors import DataError, TooLargeError

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


def test_a_table_of_very_many_columns_is_read():
    names = [f"column {number}" for number in range(200_000)]
    table = parse_table("a.csv", (",".join(names) + "\n" + ",".join(names)).encode())
    assert list(table.columns) == names
    assert table.columns["column 199999"] == ["column 199999"]
    with pytest.raises(DataError, match=r"two columns of one name; found 'a', 'b'; expected unique"):
        parse_table("a.csv", ",".join(["b", "a", "c", "a", "b", *names]).encode())


def test_objects_that_share_no_key_make_a_table_with_gaps():
    lines = [json.dumps({f"k{number}": number, "text": "a"}) for number in range(300)]
    table = parse_table("a.jsonl", "\n".join(lines).encode())
    assert len(table.columns) == 301
    assert table.columns["text"] == ["a"] * 300
    assert table.columns["k7"] == [None] * 7 + [7] + [None] * 292


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (TableLimits(rows=2), "has too many rows; found more than 2; expected at most 2"),
        (TableLimits(columns=1), "has too many columns; found more than 1"),
        (TableLimits(cells=5), "has too many cells; found more than 5"),
    ],
)
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_a_table_over_a_limit_is_refused(name, limits, message):
    content = _three_rows(name)
    with pytest.raises(TooLargeError, match=rf"{name} {message}"):
        parse_table(name, content, limits=limits)
    assert len(parse_table(name, content, limits=TableLimits(rows=3, columns=2, cells=6))) == 3


def _three_rows(name: str) -> bytes:
    if name.endswith(".csv"):
        return b"a,b\n1,2\n3,4\n5,6\n"
    if name.endswith(".jsonl"):
        return b'{"a": 1}\n{"b": 2}\n{"a": 3}\n'
    import pyarrow
    from pyarrow import parquet

    sink = io.BytesIO()
    parquet.write_table(pyarrow.table({"a": [1, 2, 3], "b": [4, 5, 6]}), sink)
    return sink.getvalue()


@pytest.mark.parametrize(
    ("line", "found"),
    [("9" * 5000, "Exceeds the limit"), ("[" * 100_000, "maximum recursion"), ("[]", "list")],
)
def test_a_line_that_is_no_object_is_named(line, found):
    with pytest.raises(DataError, match=rf"a\.jsonl is not JSON Lines; found line 2: {found}"):
        parse_table("a.jsonl", ('{"a": 1}\n' + line).encode())


STRAY_QUOTES = [
    '"Hello he said\tpos',
    "ok film\tneg",
    'he "never" smiled\tneg',
    'so "bad"\tpos',
    '"so" sad\tneg',
]


def test_quotes_that_nobody_doubled_swallow_no_rows():
    lines = ["text\tlabel", *STRAY_QUOTES]
    table = parse_table("a.tsv", "\n".join(lines).encode())
    assert table.columns["text"] == [line.split("\t")[0] for line in STRAY_QUOTES]
    message = r"a\.csv is malformed; found '\t' expected after '\"' in the row on line 2. Double each quote"
    with pytest.raises(DataError, match=message):
        parse_table("a.csv", "\n".join(lines).encode())


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_a_quote_that_nobody_closes_is_no_field_of_many_lines(name):
    content = 'text,label\n"good film,pos\nok film,neg\n'.replace(",", "\t" if name == "a.tsv" else ",")
    if name == "a.tsv":
        assert parse_table(name, content.encode()).columns["text"] == ['"good film', "ok film"]
    else:
        with pytest.raises(DataError, match="unexpected end of data in the row on line 2"):
            parse_table(name, content.encode())


fields = st.text(st.sampled_from('ab,;"\r\n\t \u2028\x0b\x85\u00fc'), max_size=8)


@given(
    rows=st.lists(st.tuples(fields, fields), min_size=1, max_size=6),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_whatever_a_writer_quotes_comes_back(rows, end):
    stream = io.StringIO()
    csv.writer(stream, lineterminator=end, quoting=csv.QUOTE_ALL).writerows([("x", "y"), *rows])
    table = parse_table("a.csv", stream.getvalue().encode())
    assert list(zip(*table.columns.values(), strict=True)) == rows
