"""`autotl audit`: exit codes, a table, JSON, a page, and an index that a fit reads."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

from autotl.testing.data import make_texts, write_image_folder


@pytest.fixture(scope="module")
def mails(tmp_path_factory) -> Path:
    """Texts in two parts: every seventh label is wrong, one training row is a test row in other words."""
    folder = tmp_path_factory.mktemp("mails")
    texts, labels = make_texts(260, classes=2, seed=3)
    classes = sorted(set(labels))
    rng = np.random.default_rng(0)
    wrong = set(rng.permutation(200)[:14].tolist())
    for part, rows in (("train", range(200)), ("test", range(200, 260))):
        with (folder / f"{part}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "label"])
            for row in rows:
                label = labels[row]
                writer.writerow([texts[row], classes[1 - classes.index(label)] if row in wrong else label])
            if part == "train":
                words = texts[200].split()
                writer.writerow([" ".join([*words[3:], *words[:3]]).upper(), labels[200]])
    return folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    """Texts that are in order."""
    path = tmp_path_factory.mktemp("plain") / "plain.csv"
    texts, labels = make_texts(120, classes=2, seed=5)
    rows = [f"{text},{label}" for text, label in zip(texts, labels, strict=True)]
    path.write_text("\n".join(["text,label", *rows]) + "\n")
    return path


@pytest.mark.slow
def test_faults_are_named_and_the_exit_code_tells_of_them(call, mails):
    result = call("audit", mails, "--offline", "--json")
    found = json.loads(result.stdout)
    kinds = {finding["kind"]: finding for finding in found["findings"]}
    assert result.exit_code == 3
    assert (found["rows"], found["rows_compared"]) == (261, 261)
    assert kinds["suspect_label"]["severity"] == "warning"
    assert re.fullmatch(r"labelled \w+, looks like \w+ \(\d\.\d\d\)", kinds["suspect_label"]["details"][0])
    assert any("train.csv:202" in kinds[kind]["rows"] for kind in kinds if kind.endswith("across_parts"))


@pytest.mark.slow
def test_data_in_order_end_with_zero_and_say_what_was_compared(call, plain):
    result = call("audit", plain, "--offline", "--rows", 60)
    assert result.exit_code == 0
    words = " ".join(result.stdout.split())
    assert "Nothing that must be looked at in 120 rows" in words
    assert "Features were compared of 60 of 120 rows" in words


@pytest.mark.slow
def test_the_page_shows_rows_and_needs_nothing_else(call, mails, tmp_path):
    call("audit", mails, "--offline", "--out", tmp_path / "report")
    page = (tmp_path / "report" / "audit.html").read_text()
    record = json.loads((tmp_path / "report" / "audit.json").read_text())
    assert record["findings"]
    assert "looks like" in page
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    first = next(f for f in record["findings"] if f["kind"] == "suspect_label")["rows"][0]
    assert first in page
    assert 'class="preview"' in page


@pytest.mark.slow
def test_the_index_can_be_fitted_and_leaves_the_data_alone(call, mails, tmp_path):
    before = (mails / "train.csv").read_text()
    index = tmp_path / "index.csv"
    result = call("audit", mails, "--offline", "--fix", index, "--drop-suspects", "--json")
    told = json.loads(result.stdout)["cleaned"]
    assert told["path"] == str(index)
    assert any("doubtful labels" in reason for reason in told["left_out"])
    assert (mails / "train.csv").read_text() == before
    profile = json.loads(call("profile", index, "--group", "group", "--offline", "--json").stdout)
    assert sum(profile["rows"].values()) == told["rows"]
    assert profile["rows"]["test"] == 60


@pytest.mark.slow
def test_torn_files_are_named_with_the_file(call, tmp_path):
    folder = write_image_folder(tmp_path / "photos", classes=2, rows_per_class=20)
    torn = next((folder / "class_1").iterdir())
    torn.write_bytes(torn.read_bytes()[:80])
    result = call("audit", folder, "--offline", "--json", "--rows", 50)
    kinds = {finding["kind"]: finding for finding in json.loads(result.stdout)["findings"]}
    assert result.exit_code == 3
    assert kinds["corrupt_file"]["rows"] == [f"class_1/{torn.name}"]


def test_a_missing_folder_is_an_error(tmp_path):
    import subprocess
    import sys

    command = [sys.executable, "-m", "autotl.cli", "audit", str(tmp_path / "nowhere")]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 2
    assert "no such file or folder" in found.stderr
