"""The demo's data are written once, complete, and with the held-out part apart."""

from __future__ import annotations

import csv
from collections import Counter

import pytest

from autotl.console.demo_data import write_images, write_texts
from autotl.errors import StorageError
from autotl.trial.run_folder import free_folder


def test_photos_are_class_folders_and_some_are_held_out(tmp_path):
    pytest.importorskip("conformal_clip_data", reason="the demo's photos are not installed")
    data = write_images(tmp_path)
    counts = {folder.name: len(list(folder.iterdir())) for folder in data.train.iterdir()}
    assert counts == {"global": 497, "local": 497, "nominal": 997}
    assert Counter(data.labels) == {"global": 3, "local": 3, "nominal": 3}
    assert [path.parent.name for path in data.held_out] == list(data.labels)
    assert not any((data.train / path.parent.name / path.name).exists() for path in data.held_out)


def test_messages_are_distinct_balanced_and_repeatable(tmp_path):
    data = write_texts(tmp_path)
    written = data.train.read_text()
    rows = list(csv.DictReader(written.splitlines()))
    assert set(Counter(row["topic"] for row in rows).values()) == {60}
    assert len({row["text"] for row in rows}) == len(rows) == 300
    assert write_texts(tmp_path).train.read_text() == written


def test_every_held_out_message_has_a_label_that_is_known(tmp_path):
    data = write_texts(tmp_path)
    topics = {row["topic"] for row in csv.DictReader(data.train.read_text().splitlines())}
    rows = list(csv.DictReader(data.held_out[0].read_text().splitlines()))
    assert len(rows) == len(data.labels)
    assert set(data.labels) == topics


def test_an_unwritable_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"cannot write the demo's data; found .*file"):
        write_texts(tmp_path / "file")


def test_a_demo_never_takes_a_folder_that_is_there(tmp_path):
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo-2").mkdir()
    assert free_folder(tmp_path / "demo") == tmp_path / "demo-3"
    assert free_folder(tmp_path / "other") == tmp_path / "other"
