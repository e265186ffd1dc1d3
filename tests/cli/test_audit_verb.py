"""`autotl audit`: exit codes, a table, JSON, a page, and an index that a fit reads."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

from autotl.data.open import open_dataset
from autotl.testing.data import make_texts, write_image_folder
from benchmarks import audit as planting

DATA = Path(__file__).parents[3] / "shared" / "data"


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
def test_rows_that_leak_are_shown_beside_what_they_repeat_though_they_are_left_out(call, plain, tmp_path):
    folder = tmp_path / "leaking"
    folder.mkdir()
    head, *rows = plain.read_text().splitlines()
    (folder / "train.csv").write_text("\n".join([head, *rows[:90], rows[100]]) + "\n")
    (folder / "test.csv").write_text("\n".join([head, *rows[90:]]) + "\n")
    call("audit", folder, "--offline", "--out", tmp_path / "report")
    found = json.loads((tmp_path / "report" / "audit.json").read_text())["findings"]
    leak = next(finding for finding in found if finding["kind"] == "duplicate_across_parts")
    assert leak["groups"] == [["train.csv:92", "test.csv:12"]]
    assert leak["details"] == ["like test.csv:12 of test"]
    page = (tmp_path / "report" / "audit.html").read_text()
    group = page[page.index('<li class="group">') :].partition("</li>")[0]
    assert group.count(rows[100].split(",")[0]) == 2


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
@pytest.mark.parametrize("name", ["neu_defects", "sms_spam"])
def test_of_faults_planted_in_real_data_as_many_are_found_as_are_asked_for(call, tmp_path, name):
    """5 % wrong labels, 3 % changed copies across parts, torn files; in a second copy a mark on one class."""
    if not (DATA / name).is_dir():
        pytest.skip(f"no {name} beside the repository")
    source = open_dataset(DATA / name)
    rows = planting.sampled(source, 360)
    planted, mark = planting.Planted(), planting.Planted(marked=planting.marked_class(source, rows))
    planting.write(source, planting.with_faults(source, rows), tmp_path / "faulty", planted)
    planting.write(source, rows, tmp_path / "marked", mark)
    options = ["--offline", "--json", "--cache-dir", tmp_path / "cache"]
    options += ["--target", "label"] if source.modality == "text" else []
    named: dict[str, set[str]] = {}
    for finding in json.loads(call("audit", tmp_path / "faulty", *options).stdout)["findings"]:
        named.setdefault(finding["kind"], set()).update(finding["rows"])
    copies = set().union(*(rows for kind, rows in named.items() if kind.endswith("across_parts")))
    assert len(copies & planted.copies.keys()) >= 0.9 * len(planted.copies) > 0
    assert len(named.get("corrupt_file", set()) & planted.torn) >= 0.9 * len(planted.torn)
    suspects = named["suspect_label"]
    assert len(suspects & planted.wrong) >= 0.6 * len(planted.wrong) > 0
    assert len(suspects & planted.wrong) >= 0.5 * len(suspects)
    marked = json.loads(call("audit", tmp_path / "marked", *options).stdout)["findings"]
    leaks = [finding["message"] for finding in marked if finding["kind"].startswith("leak_")]
    assert any(f"'{mark.marked}'" in message for message in leaks)


@pytest.mark.slow
def test_torn_files_are_named_with_the_file(call, tmp_path):
    folder = write_image_folder(tmp_path / "photos", classes=2, rows_per_class=20)
    torn = next((folder / "class_1").iterdir())
    torn.write_bytes(torn.read_bytes()[:80])
    result = call("audit", folder, "--offline", "--json", "--rows", 50)
    kinds = {finding["kind"]: finding for finding in json.loads(result.stdout)["findings"]}
    assert result.exit_code == 3
    assert kinds["corrupt_file"]["rows"] == [f"class_1/{torn.name}"]


def test_an_index_that_would_lie_among_the_data_is_refused_before_anything_is_looked_at(call, mails):
    result = call("audit", mails, "--offline", "--fix", mails / "val.csv")
    assert result.exit_code == 2
    assert "a cleaned index changes no data" in result.stderr
    assert "--fix" in result.stderr
    assert sorted(path.name for path in mails.iterdir()) == ["test.csv", "train.csv"]


def test_a_missing_folder_is_an_error(tmp_path):
    import subprocess
    import sys

    command = [sys.executable, "-m", "autotl.cli", "audit", str(tmp_path / "nowhere")]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 2
    assert "no such file or folder" in found.stderr
