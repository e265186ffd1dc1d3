"""The page itself: complete, self-contained, safe and small."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from autotl.errors import StorageError
from autotl.report.html import render, write_report
from autotl.report.landscape import typical
from autotl.report.summarize import summarize
from autotl.task import TaskKind
from autotl.trial.run_folder import RunFolder

VOID = {"meta", "br", "input", "link", "img", "hr"}
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "$x^{2$ \\frac",
    "{{ 7 * 7 }}{% raw %}",
    "</title></svg><script>alert(2)</script>",
    "猫 \U0001f408 \u202egnp.exe \x00\x1b[31m \ud800",
    "&amp;&lt;",
    "x" * 400,
)


class Page(HTMLParser):
    """Collects tags, attributes, ids and visible text, and checks that elements nest."""

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1:] == [tag], f"</{tag}> closes nothing"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def ids(self) -> list[str]:
        return [value for _, attributes in self.tags if (value := attributes.get("id"))]


def page_of(run: RunFolder) -> Page:
    return Page(write_report(run).read_text(encoding="utf-8"))


ALWAYS = {"outcome", "curves", "progress", "pareto-time", "strategies", "importance", "map-errors"}
CLASSES = ALWAYS | {"balance", "reliability"}
KINDS = [
    (TaskKind.MULTICLASS, tuple("abcdef"), CLASSES | {"confusion", "map-classes"}),
    (TaskKind.BINARY, ("no", "yes"), CLASSES | {"confusion", "map-classes", "thresholds"}),
    (TaskKind.MULTILABEL, ("joy", "anger", "fear"), CLASSES | {"labels", "thresholds"}),
    (TaskKind.REGRESSION, (), ALWAYS | {"scatter", "residuals", "map-classes"}),
]


@pytest.mark.parametrize(("kind", "classes", "figures"), KINDS)
def test_each_kind_of_task_has_its_sections_and_figures(
    make_run: Any, kind: TaskKind, classes: tuple[str, ...], figures: set[str]
) -> None:
    page = page_of(make_run(kind=kind, classes=classes))
    assert page.open == []
    sections = ["verdict", "leaderboard", "search", "errors", "data", "audit", "backbones", "provenance"]
    assert [a["id"] for tag, a in page.tags if tag == "section"] == sections
    assert {i.removesuffix("-title") for i in page.ids() if i.endswith("-title")} == figures
    within = "0.886 to 0.944" if kind is not TaskKind.REGRESSION else "0.460 to 0.570"
    for said in ("autotl fit data/textiles", within,
                 "far from ImageNet: grey texture", "2 files could not be decoded.", "They were left out.",
                 "licence is not permissive", "loss became NaN at step 12"):  # fmt: skip
        assert said in page.text


def test_ids_are_unique_and_every_reference_within_the_page_is_met(make_run: Any) -> None:
    run = make_run()
    page = page_of(run)
    ids = page.ids()
    assert len(ids) == len(set(ids))
    wanted = set(re.findall(r"url\(#([^)]+)\)", (run.path / "report.html").read_text(encoding="utf-8")))
    for _, attributes in page.tags:
        wanted |= set((attributes.get("aria-labelledby") or "").split())
        wanted |= {str(attributes[key])[1:] for key in ("href", "xlink:href") if key in attributes}
    assert wanted <= set(ids)


def test_the_score_of_the_headline_is_not_said_again(make_run: Any) -> None:
    page = render(summarize(make_run()))
    assert "On the test part:" not in page
    assert "Transfer helped: the same network" in page


def test_nothing_is_fetched_from_anywhere(make_run: Any) -> None:
    markup = write_report(make_run()).read_text(encoding="utf-8")
    page = Page(markup)
    assert not [tag for tag, a in page.tags if "src" in a or tag in ("link", "iframe", "object", "img")]
    assert "@import" not in markup
    addresses = set(re.findall(r"https?://[^\"'\s<>)]+", markup))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_figures_are_well_formed_name_themselves_and_keep_their_text(make_run: Any) -> None:
    markup = write_report(make_run()).read_text(encoding="utf-8")
    figures = re.findall(r"<svg.*?</svg>", markup, flags=re.S)
    assert len(figures) >= 10
    for figure in figures:
        root = ElementTree.fromstring(figure)
        title, description = root[0], root[1]
        assert [title.tag.rpartition("}")[2], description.tag.rpartition("}")[2]] == ["title", "desc"]
        assert title.text
        assert description.text
        assert root.attrib["aria-labelledby"].split() == [title.attrib["id"], description.attrib["id"]]
        assert "#0" not in figure.replace('"#', "").replace("(#", ""), "a placeholder colour is left"
    assert "cardboard</text>" in markup


def test_hostile_names_are_shown_as_text_and_never_become_markup(make_run: Any) -> None:
    run = make_run(classes=HOSTILE, rows=120)
    record = run.read_json("run.json")
    record["findings"] = [
        {"kind": HOSTILE[0], "severity": HOSTILE[1], "message": HOSTILE[4], "rows": list(HOSTILE)}
    ]
    record["backbones"] = [{"name": HOSTILE[1], "included": True, "reason": HOSTILE[0]}]
    for key in ("command", "started"):
        record[key] = HOSTILE[4]
    record["verdict"] = record["notes"] = list(HOSTILE)
    record["versions"] = {HOSTILE[0]: HOSTILE[1]}
    run.write_json("run.json", record)
    result = run.read_json("trials/0006/result.json")
    result["error"] = HOSTILE[0] + HOSTILE[5]
    result["config"] = {"backbone": HOSTILE[1], "strategy": HOSTILE[0], "params": {HOSTILE[0]: HOSTILE[1]}}
    run.write_json("trials/0006/result.json", result)
    page = page_of(run)
    assert page.open == []
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert not [a for _, a in page.tags if any(key.startswith("on") for key in a)]
    assert not [tag for tag, _ in page.tags if tag == "img"]
    for shown in (HOSTILE[0], HOSTILE[1], HOSTILE[2], HOSTILE[3], HOSTILE[6]):
        assert shown in page.text
    markup = (run.path / "report.html").read_text(encoding="utf-8")
    assert not set("\u202e\x00\x1b") & set(markup)
    for figure in re.findall(r"<svg.*?</svg>", markup, flags=re.S):
        ElementTree.fromstring(figure)


def test_an_empty_run_folder_gives_a_page_that_says_so(tmp_path: Path) -> None:
    page = page_of(RunFolder(tmp_path))
    assert page.open == []
    assert page.text.count("not recorded") >= 10
    assert "The test part has not been scored" in page.text


@pytest.mark.parametrize(
    "name", ["run.json", "profile.json", "leaderboard.json", "test_predictions.npz", "trials"]
)
def test_any_piece_may_be_missing(make_run: Any, name: str) -> None:
    run = make_run()
    path = run.path / name
    path.rename(run.path.parent / f"away-{name}")
    page = page_of(run)
    assert page.open == []


def test_a_run_of_failures_only_gives_a_page(make_run: Any) -> None:
    run = make_run()
    for path in run.path.glob("trials/*/result.json"):
        result = json.loads(path.read_text())
        path.write_text(
            json.dumps({**result, "state": "failed", "score": None, "curve": [], "error": "no memory"})
        )
    (run.path / "leaderboard.json").unlink()
    page = page_of(run)
    assert "16 failed" in page.text
    assert "curves" not in {i.removesuffix("-title") for i in page.ids()}


def test_scores_that_are_not_finite_do_not_stop_it(make_run: Any) -> None:
    run = make_run()
    record = run.read_json("run.json")
    record["test"].update(score=float("nan"), low=float("-inf"), trivial="a lot")
    run.write_json("run.json", record)
    arrays = dict(np.load(run.path / "test_predictions.npz"))
    arrays["predictions"][:50] = np.nan
    np.savez(run.path / "test_predictions.npz", **arrays)
    page = page_of(run)
    assert "of 150 test rows are wrong" in page.text


def test_the_same_run_gives_the_same_page(make_run: Any) -> None:
    run = make_run()
    first = write_report(run).read_bytes()
    assert write_report(run).read_bytes() == first


def test_three_hundred_trials_and_seventy_seven_classes_stay_quick_and_small(make_run: Any) -> None:
    classes = tuple(f"a_rather_long_intent_name_{i}" for i in range(77))
    run = make_run(classes=classes, trials=300, rows=3080)
    begun = time.process_time()
    path = write_report(run)
    assert time.process_time() - begun < 10
    assert path.stat().st_size < 5_000_000
    page = Page(path.read_text(encoding="utf-8"))
    assert "show all 300 trials" in page.text
    assert "57 others are left out" in page.text


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    with pytest.raises(StorageError, match=r"cannot write a file; found .*gone/report\.html"):
        write_report(RunFolder(gone))


def test_without_matplotlib_the_page_has_no_figures_and_stands(
    make_run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    page = page_of(make_run())
    assert not [tag for tag, _ in page.tags if tag == "svg"]
    assert "autotl fit data/textiles" in page.text


def test_importing_the_report_imports_neither_matplotlib_nor_jinja2() -> None:
    code = (
        "import sys, autotl.report.html; print(sorted({'matplotlib', 'jinja2', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_backbones_are_shown_with_their_predicted_and_realised_rank(make_run: Any) -> None:
    run = make_run()
    board, record = run.read_json("leaderboard.json"), run.read_json("run.json")
    ranks = {name: rank for rank, name in enumerate(dict.fromkeys(r["backbone"] for r in board["rows"]), 1)}
    board["rows"] = [{**row, "realised_rank": ranks[row["backbone"]]} for row in board["rows"]]
    scores = {"ridge": 0.811, "knn": 0.722, "logme": -1.3, "h_score": 4.2, "fused": 0.808, "prior_rank": 2}
    record["ranking"] = [
        {
            "backbone": name,
            "predicted_rank": place,
            "rows": 250,
            "input_size": 224,
            "depths": depths,
            **scores,
        }
        for place, name in enumerate(reversed(ranks), 1)
        for depths in ("9", "5,9")
    ]
    run.write_json("leaderboard.json", board)
    run.write_json("run.json", record)
    found = summarize(run).expected
    assert [(e.backbone, e.predicted_rank, e.realised_rank) for e in found] == [
        (name, place, ranks[name]) for place, name in enumerate(reversed(ranks), 1)
    ]
    page = render(summarize(run))
    assert "Which backbone" in page
    assert "0.811" in page
    run.write_json("run.json", {**record, "ranking": ["nonsense", {"backbone": None, "fused": "x"}]})
    assert render(summarize(run))
    run.write_json("run.json", {**record, "ranking": []})
    assert "Which backbone" not in render(summarize(run))


def test_rows_that_went_wrong_are_shown_by_what_they_are(make_run):
    run = make_run()
    names = [miss.name for miss in summarize(run).mistakes.misses]
    assert names
    page = write_report(run, lambda name: f"<b>{name}</b>", {names[0]: "<mark>here</mark>"}).read_text()
    assert all(f'<td class="preview"><b>{name}</b></td>' in page for name in names)
    assert page.count("<mark>here</mark>") == 1
    assert 'preview">' not in write_report(run).read_text()


def test_rows_that_cannot_be_shown_are_left_out_of_the_page(make_run):
    def preview(name):
        raise KeyError(name)

    page = Page(write_report(make_run(), preview).read_text())
    assert page.open == []
    assert "Wrong with most confidence" in page.text
    assert not [a for _, a in page.tags if a.get("class") == "preview"]


def test_every_class_is_shown_by_typical_training_rows(make_run):
    run = make_run()
    page = Page(write_report(run, lambda name: f"<b>{name}</b>").read_text())
    arrays = np.load(run.path / "embedding.npz")
    labels = dict(zip(arrays["names"].tolist(), arrays["targets"].tolist(), strict=True))
    found = typical(summarize(run).landscape, summarize(run).classes)
    assert [label for label, _ in found] == list(summarize(run).classes)
    for code, (_, names) in enumerate(found):
        assert len(names) == 4
        assert {labels[name] for name in names} == {code}
        assert all(name.startswith("train/") and name in page.text for name in names)


def test_what_holds_the_score_back_is_said(make_run):
    page = page_of(make_run())
    assert "What holds it back" in page.text
    assert "Rows: " not in page.text
