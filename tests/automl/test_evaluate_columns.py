"""A bundle is scored on the columns that it was trained on, or on those that are named."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import pytest

from autotl.automl.deliver import _open
from autotl.errors import DataError
from autotl.task import Task, TaskKind

ROWS = {"label": ["yes", "no"] * 6, "text": [f"a text about thing {i}" for i in range(12)]}
OTHER = [f"other words on matter {i}" for i in range(12)]


@pytest.fixture
def predictor():
    spec = SimpleNamespace(modality="text")
    task = Task(TaskKind.BINARY, ("no", "yes"), "accuracy")
    return SimpleNamespace(bundle=SimpleNamespace(spec=spec, columns=("text",)), task=task)


def test_further_columns_are_not_read(predictor):
    table = pd.DataFrame({**ROWS, "remark": OTHER, "text_b": OTHER, "text_a": OTHER})
    assert list(_open(predictor, table).items) == ROWS["text"]


def test_a_table_without_the_column_is_refused_unless_another_is_named(predictor):
    table = pd.DataFrame({"label": ROWS["label"], "headline": ROWS["text"]})
    with pytest.raises(DataError, match=r"no column 'text' .*Name the text column with --text COL"):
        _open(predictor, table)
    assert list(_open(predictor, table, text="headline").items) == ROWS["text"]


def test_lists_have_no_columns(predictor):
    assert list(_open(predictor, ROWS["text"], labels=ROWS["label"]).items) == ROWS["text"]
