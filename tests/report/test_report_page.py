"""The page itself: complete, self-contained, safe and small."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from autotl.data.dataset import Finding
from autotl.errors import StorageError
from autotl.modalities.registry import modality
from autotl.report.html import render, write_report
from autotl.report.landscape import typical
from autotl.report.plots import charts
from autotl.report.summarize import summarize
from autotl.task import TaskKind
from autotl.trial.run_folder import RunFolder

BACKBONES = ("tf_efficientnet_lite0", "tf_efficientnet_lite2", "all-MiniLM-L6-v2")
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


ALWAYS = {
    *("outcome", "curves", "progress", "strategies", "importance", "map-errors", "ranks"),
    *("pareto-latency", "pareto-size", "pareto-time"),
}
CLASSES = ALWAYS | {"balance", "reliability"}
KINDS = [
    (TaskKind.MULTICLASS, tuple("abcdef"), CLASSES | {"confusion", "map-classes"}),
    (TaskKind.BINARY, ("no", "yes"), CLASSES | {"confusion", "map-classes", "thresholds"}),
    (TaskKind.MULTILABEL, ("joy", "anger", "fear"), CLASSES | {"labels", "thresholds", "label-thresholds"}),
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


def thumbnails() -> Callable[[str], str]:
    """A preview that shrinks and writes a picture of noise for every row, as that of a photo does."""
    pixels = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    kind = modality("image")
    return lambda name: kind.preview(np.roll(pixels, len(name), axis=1))


def found_in_ten_thousand_rows() -> list[dict[str, Any]]:
    """Findings of every form, each with as many rows as one may name."""
    names = [f"train/photo_{i:04d}.jpg" for i in range(1000)]
    pairs = tuple(zip(names[::2], names[1::2], strict=True))
    said = tuple(
        f"labelled a_rather_long_intent_name_{i % 77}, looks like another (0.93)" for i in range(1000)
    )
    lone = ("suspect_label", "outlier", "leak_region", "empty_input", "corrupt_file")
    together = ("duplicate", "near_duplicate", "conflicting_labels", "copy", "copy_across_parts")
    return [
        *(
            Finding(kind, "warning", f"1,000 rows: {kind}.", tuple(names), None, said).to_json()
            for kind in lone
        ),
        *(
            Finding(kind, "info", f"500 {kind}.", tuple(names), None, said, pairs).to_json()
            for kind in together
        ),
    ]


def test_ten_thousand_rows_with_pictures_of_all_that_was_found_stay_quick_and_small(make_run: Any) -> None:
    classes = tuple(f"a_rather_long_intent_name_{i}" for i in range(77))
    run = make_run(classes=classes, trials=300, rows=10_000)
    run.write_json("run.json", {**run.read_json("run.json"), "findings": found_in_ten_thousand_rows()})
    preview = thumbnails()
    explained = {
        miss.name: f'<img src="data:,{"x" * 15_000}">{preview(miss.name) * 2}'
        for miss in summarize(run).mistakes.misses
    }
    begun = time.perf_counter()
    path = write_report(run, preview, explained)
    assert time.perf_counter() - begun < 10
    assert path.stat().st_size < 5_000_000
    page = Page(path.read_text(encoding="utf-8"))
    assert "show all 300 trials" in page.text
    assert "57 others are left out" in page.text
    assert "24 of 77 classes" in page.text
    assert [tag for tag, _ in page.tags].count("img") > 200


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


def test_every_chart_that_there_is_is_drawn_for_some_kind_of_task(make_run: Any) -> None:
    runs = [make_run(kind=kind, classes=classes, name=kind.value) for kind, classes, _ in KINDS]
    known = {name for run in runs for name in charts(summarize(run))}
    assert known == set().union(*(figures for *_, figures in KINDS))


def test_a_chart_that_fails_costs_no_other(make_run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> str:
        raise ValueError("no <b>such</b> colour")

    monkeypatch.setattr("autotl.report.plots.errors.confusion", fail)
    page = page_of(make_run())
    assert page.open == []
    assert {i.removesuffix("-title") for i in page.ids() if i.endswith("-title")} == KINDS[0][2] - {
        "confusion"
    }
    assert "This figure could not be drawn: ValueError: no <b>such</b> colour" in page.text


def test_commands_take_the_run_from_where_it_was_made(make_run: Any, monkeypatch: Any) -> None:
    run = make_run(name="two words")
    monkeypatch.chdir(run.path.parent.parent)
    given = RunFolder(run.path.relative_to(run.path.parent.parent))
    page = render(summarize(given))
    assert f"autotl predict &#39;{given.path}&#39;/model INPUT..." in page
    assert f"autotl export &#39;{given.path}&#39; --trial N" in page


def test_the_gain_over_trial_0_stands_beside_the_score_where_it_is_known(make_run: Any) -> None:
    run = make_run()
    page = page_of(run)
    assert page.text.count("+0.030") == len(run.read_json("leaderboard.json")["rows"]) - 1
    assert "-0.010 to 0.070" in page.text
    assert "the gain over it" in page.text
    board = run.read_json("leaderboard.json")
    rows = [{key: value for key, value in row.items() if "gain" not in key} for row in board["rows"]]
    run.write_json("leaderboard.json", {**board, "rows": rows})
    assert "gain over it" not in page_of(run).text


def test_backbones_are_shown_with_their_predicted_and_realised_rank(make_run: Any) -> None:
    run = make_run()
    realised = {row["backbone"]: row["realised_rank"] for row in run.read_json("leaderboard.json")["rows"]}
    found = summarize(run).expected
    assert [(e.backbone, e.predicted_rank, e.realised_rank) for e in found] == [
        (name, place, realised[name]) for place, name in enumerate(reversed(BACKBONES), 1)
    ]
    page = render(summarize(run))
    assert "Which backbone" in page
    assert "0.811" in page
    record = run.read_json("run.json")
    run.write_json("run.json", {**record, "ranking": ["nonsense", {"backbone": None, "fused": "x"}]})
    assert render(summarize(run))
    run.write_json("run.json", {**record, "ranking": []})
    assert "Which backbone" not in render(summarize(run))


@pytest.mark.parametrize(
    ("audit", "said"),
    [
        ({"rows_compared": 60, "rows": 200, "not_examined": [], "reason": ""},
         ["The audit found nothing to remark on.", "60 of 200 rows were compared by features."]),
        ({"rows_compared": 60, "rows": 200, "not_examined": ["outliers", "leaks"],
          "reason": "no time was left"},
         ["Nothing to remark on was found in what was looked at.",
          "Not looked for by features: outliers, leaks, because no time was left."]),
        (None, ["The audit found nothing to remark on."]),
        ("nonsense", ["The audit found nothing to remark on."]),
    ],
)  # fmt: skip
def test_what_was_not_looked_for_is_said_and_why(make_run, audit, said):
    run = make_run()
    run.write_json("run.json", {**run.read_json("run.json"), "findings": [], "audit": audit})
    text = page_of(run).text
    assert all(sentence in text for sentence in said)
    assert ("Not looked for" in text) == (len(said) == 2 and "Not looked for" in said[1])


def test_rows_that_went_wrong_are_shown_by_what_they_are(make_run):
    run = make_run()
    names = [miss.name for miss in summarize(run).mistakes.misses]
    assert names
    page = write_report(run, lambda name: f"<b>{name}</b>", {names[0]: "<mark>here</mark>"}).read_text()
    assert all(f'<td class="preview"><b>{name}</b></td>' in page for name in names)
    assert page.count("<mark>here</mark>") == 1
    assert 'preview">' not in write_report(run).read_text()


@pytest.mark.parametrize("error", [KeyError, ValueError, ZeroDivisionError])
def test_rows_that_cannot_be_shown_are_left_out_of_the_page(make_run, error):
    def preview(name):
        raise error(name)

    page = Page(write_report(make_run(), preview).read_text())
    assert page.open == []
    assert "Wrong with most confidence" in page.text
    assert not [a for _, a in page.tags if a.get("class") == "preview"]


def test_a_row_that_cannot_be_shown_costs_its_own_picture_only(make_run):
    run = make_run()
    first, *others = [miss.name for miss in summarize(run).mistakes.misses]

    def preview(name):
        if name == first:
            raise ValueError("a plug-in's fault")
        return f"<b>{name}</b>"

    page = write_report(run, preview).read_text()
    assert f"<b>{first}</b>" not in page
    assert all(f"<b>{name}</b>" in page for name in others)


def test_every_label_is_shown_by_typical_training_rows_and_the_rest_is_counted(make_run):
    run = make_run(kind=TaskKind.MULTILABEL, classes=tuple(f"label {i}" for i in range(30)))
    page = Page(write_report(run, lambda name: f"<b>{name}</b>").read_text())
    arrays = np.load(run.path / "embedding.npz")
    places = {name: row for row, name in enumerate(arrays["names"].tolist())}
    found = typical(summarize(run).landscape, summarize(run).classes)
    assert len(found) == 24
    assert "Typical rows of each label" in page.text
    assert "24 of 30 labels, the most frequent ones." in page.text
    for label, names in found:
        assert all(arrays["targets"][places[name], int(label.split()[1])] == 1 for name in names)
        assert all(name in page.text for name in names)


def test_how_many_of_many_classes_are_shown_by_examples_is_said(make_run):
    run = make_run(classes=tuple(f"class {i}" for i in range(30)))
    assert "24 of 30 classes." in Page(write_report(run, lambda name: f"<b>{name}</b>").read_text()).text
    few = Page(write_report(make_run(name="few"), lambda name: f"<b>{name}</b>").read_text()).text
    assert "6 of 6" not in few


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
