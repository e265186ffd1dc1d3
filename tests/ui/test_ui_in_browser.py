"""The page about runs in a browser: what a person chooses, drops, types and reads there."""

from __future__ import annotations

import json
import re
import zipfile

import pytest
from axe_playwright_python.sync_playwright import Axe
from run_folders import CONFIG, RESULT, begin_run, png
from typer.testing import CliRunner

from autotl.cli import app as command_line
from autotl.config import EpochResult
from autotl.report import words
from autotl.search.events import EpochDone, RunEnded, TrialFinished, TrialStarted

pytestmark = pytest.mark.slow
VIEWS = {"runs": "#/", "run": "#/runs/photos", "texts": "#/runs/letters", "compare": "#/compare/photos/mails"}
#: What a view has when it is complete.
COMPLETE = {
    "runs": "#runs-table tbody tr",
    "run": "#try-drop",
    "texts": "#try-text-1",
    "compare": "#compare-table",
}
#: Gives a file to what is dropped, as a browser does.
DROPPED = """([name, bytes]) => {
  const dropped = new DataTransfer();
  dropped.items.add(new File([new Uint8Array(bytes)], name, {type: "image/png"}));
  return dropped;
}"""


#: Lets the first prediction wait until the page is told to let it go.
FIRST_WAITS = """() => {
  const ask = window.fetch;
  const wait = new Promise((resolve) => { window.letGo = resolve; });
  let isFirst = true;
  window.fetch = (...request) => {
    if (!isFirst || !String(request[0]).endsWith("/predict")) return ask(...request);
    isFirst = false;
    return wait.then(() => ask(...request));
  };
}"""
#: What the page says of values, by the name of the function.
SAID = """async (cases) => {
  const words = await import("/page/words.js");
  return Object.fromEntries(Object.entries(cases).map(([name, values]) => [name, values.map(words[name])]));
}"""


@pytest.fixture
def opened(served, new_page):  # so that pages are closed before the server ends
    """Opens a view of the page; what it complains of is collected in `page.complaints`."""

    def open_view(address="#/", width=1440, **options):
        page = new_page(width, **options)
        page.goto(f"{served}/{address}")
        return page

    return open_view


def predicted(run, *inputs, stdin=None):
    """The label that `autotl predict` gives."""
    command = ["predict", str(run), *map(str, inputs), "--json"]
    return json.loads(CliRunner().invoke(command_line, command, input=stdin).stdout)["label"]


def test_runs_are_listed_newest_first_and_lead_to_their_pages(opened):
    page = opened()
    page.wait_for_selector(COMPLETE["runs"])
    names = page.locator("#runs-table tbody .name a").all_inner_texts()
    assert names == ["mails", "photos", "letters"]
    page.click("text=photos")
    page.wait_for_selector("#score")
    assert page.inner_text("h1") == "photos"
    assert page.inner_text("#score").startswith("0.875")
    assert "Transfer helped." in page.inner_text("#verdict")
    assert page.locator("#leaderboard-table tbody tr.winner").count() == 1
    page.go_back()
    page.wait_for_selector(COMPLETE["runs"])
    assert page.complaints == []


def test_chosen_runs_are_compared(opened):
    page = opened()
    page.check("input[aria-label='compare photos']")
    assert page.is_disabled("#compare-button")
    page.check("input[aria-label='compare mails']")
    page.click("#compare-button")
    page.wait_for_selector("#compare-pairs li")
    assert "on the same 60 test rows" in page.inner_text("#compare-pairs")
    assert page.locator("#compare-table thead a").all_inner_texts() == ["photos", "mails"]
    assert page.complaints == []


@pytest.mark.parametrize("way", ["dropped", "chosen"])
def test_an_image_gets_the_label_that_predict_gives_and_its_reasons(opened, runs, tmp_path, way):
    path = tmp_path / "photo.png"
    path.write_bytes(png(3))
    page = opened(VIEWS["run"])
    if way == "dropped":
        dropped = page.evaluate_handle(DROPPED, ["photo.png", list(png(3))])
        page.wait_for_selector("#try-drop")
        page.dispatch_event("#try-drop", "drop", {"dataTransfer": dropped})
    else:
        page.set_input_files("#try-files", path)
    page.wait_for_selector(".answer")
    assert page.inner_text(".answer") == predicted(runs / "photos", path)
    assert page.locator(".prediction h3").all_inner_texts() == ["photo.png"]
    page.click("button.why")
    explanation = page.frame_locator("iframe.explanation").locator("article")
    explanation.wait_for()
    assert explanation.locator("img").evaluate("image => image.naturalWidth") > 1
    assert "Orange speaks for" in explanation.inner_text()
    assert page.complaints == []


def test_a_text_is_predicted_and_explained_by_keys_alone(opened, runs):
    page = opened(VIEWS["texts"].replace("letters", "mails"))
    page.wait_for_selector("#try-text-0")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "try-text-0":
            break
    page.keyboard.type("card is my where")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector(".answer")
    row = json.dumps({"text": "card is my where"}) + "\n"
    assert page.inner_text(".answer") == predicted(runs / "mails", "-", stdin=row)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.frame_locator("iframe.explanation").locator("article").wait_for()
    assert page.complaints == []


def tab_to(page, selector):
    """Presses Tab until an element has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    pytest.fail(f"no Tab leads to {selector}")


def test_runs_are_chosen_and_compared_by_keys_alone(opened):
    page = opened()
    page.wait_for_selector(COMPLETE["runs"])
    for name in ("mails", "photos"):  # in the order of the table
        tab_to(page, f"input[aria-label='compare {name}']")
        page.keyboard.press("Space")
    tab_to(page, "#compare-button")
    page.keyboard.press("Enter")
    page.wait_for_selector("#compare-pairs li")
    assert page.locator("#compare-table thead a").all_inner_texts() == ["mails", "photos"]
    assert page.evaluate("document.activeElement.id") == "title"
    tab_to(page, "#compare-table a")
    page.keyboard.press("Enter")
    page.wait_for_selector("#score")
    assert page.inner_text("h1") == "mails"
    assert page.complaints == []


def test_a_file_is_chosen_and_explained_by_keys_alone(opened, runs, tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(png(3))
    page = opened(VIEWS["run"])
    page.wait_for_selector("#try-files")
    tab_to(page, "#try-files")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Space")
    chooser.value.set_files(path)
    page.wait_for_selector(".answer")
    assert page.inner_text(".answer") == predicted(runs / "photos", path)
    tab_to(page, "button.why")
    page.keyboard.press("Enter")
    page.frame_locator("iframe.explanation").locator("article").wait_for()
    assert page.complaints == []


def test_the_same_file_can_be_chosen_again(opened, tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(png(3))
    page = opened(VIEWS["run"])
    page.set_input_files("#try-files", path)
    page.wait_for_selector(".answer")
    assert page.input_value("#try-files") == ""  # where it keeps the name, a browser tells of no change


def test_of_two_inputs_the_later_one_is_answered_whichever_answer_comes_first(opened):
    page = opened(VIEWS["texts"].replace("letters", "mails"))
    page.wait_for_selector("#try-text-0")
    page.evaluate(FIRST_WAITS)
    page.fill("#try-text-0", "card is my where")
    page.click("#try-button")
    page.fill("#try-text-0", "late parcel")
    page.click("#try-button")
    page.wait_for_selector(".answer")
    page.evaluate("window.letGo()")
    page.wait_for_timeout(500)
    assert page.locator(".prediction h3").all_inner_texts() == ["late parcel"]
    assert page.locator("#try-results [role=alert]").count() == 0
    assert page.complaints == []


def test_numbers_are_said_as_in_reports(opened):
    page = opened()
    page.wait_for_selector(COMPLETE["runs"])
    cases = {
        "score": [None, 0, 0.9321, 0.00049, 0.0001234, -0.25, 12.345, 1234.6, -98765.4],
        "seconds": [None, 0, 0.44, 9.94, 9.96, 38.2, 59.6, 60, 178, 3599.7, 3840, 90061],
        "gain": [None, 0.0, 0.0311, -0.2, 1e-5],
        "milliseconds": [None, 0.04, 3.14, 99.94, 99.96, 1234.6],
        "label": ["macro_f1", "auroc", "r2", "balanced_accuracy", "neg_log_loss", "rmse"],
    }
    told = page.evaluate(SAID, cases)
    for name, values in cases.items():
        assert told[name] == [getattr(words, name)(value) for value in values], name
    sizes = [None, 0, 512, 999.4, 999.6, 17_400_000, 99_960_000, 4.2e9, 3e15]
    for unit, said in (("B", words.size), ("", words.magnitude)):
        found = page.evaluate("async ([values, unit]) => (w => values.map(v => w.scaled(v, unit)))"
                              "(await import('/page/words.js'))", [sizes, unit])  # fmt: skip
        assert found == [said(value) for value in sizes]


def test_what_cannot_be_predicted_is_told_in_the_words_of_the_server(opened, tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(b"no image")
    page = opened(VIEWS["run"])
    page.set_input_files("#try-files", path)
    page.wait_for_selector("#try-results [role=alert]")
    assert "input 0" in page.inner_text("#try-results")


def test_a_run_is_followed_to_its_end(opened, live_log):
    page = opened("#/runs/live")
    page.wait_for_selector("#live-state")
    assert page.inner_text("#live-state") == "live"
    live_log(TrialStarted(0, CONFIG))
    live_log(EpochDone(0, EpochResult(1, 0.5, 0.5, 1.0)))
    page.wait_for_selector("#live-trials tbody tr.winner")
    assert "linear_probe" in page.inner_text("#live-trials")
    live_log(TrialFinished(RESULT, 0.75))
    page.locator("#live-facts", has_text="0.75").wait_for()
    live_log(RunEnded("finished"))
    page.locator("#live-state", has_text="finished").wait_for()
    assert page.complaints == []


def test_a_run_that_begins_appears_by_itself_and_leaves_what_was_chosen_as_it_is(opened, runs):
    page = opened()
    page.check("input[aria-label='compare photos']")
    begin_run(runs, "newest", "2026-04-01T09:14:07+00:00")
    page.wait_for_selector("#runs-table tr[data-run=newest]")
    assert page.locator("#runs-table tbody tr").first.get_attribute("data-run") == "newest"
    assert page.is_checked("input[aria-label='compare photos']")


def test_a_model_and_the_leaderboard_are_taken_along(opened, runs, tmp_path):
    page = opened(VIEWS["run"])
    with page.expect_download() as model:
        page.click("#model-link")
    model.value.save_as(tmp_path / "model.zip")
    with zipfile.ZipFile(tmp_path / "model.zip") as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("model.onnx")]
        assert archive.read(name) == (runs / "photos" / "model" / "model.onnx").read_bytes()
    with page.expect_download() as table:
        page.click("#table-link")
    assert table.value.suggested_filename.endswith(".csv")
    page.click("#report-link")
    page.wait_for_url(re.compile("report.html$"))
    assert page.title() == "report"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_that_keeps_people_out_of_a_view(opened, view, scheme):
    page = opened(VIEWS[view], color_scheme=scheme)
    page.wait_for_selector(COMPLETE[view])
    if view == "texts":
        page.fill("#try-text-0", "card")
        page.fill("#try-text-1", "parcel")
        page.click("#try-button")
        page.wait_for_selector(".answer")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("view", VIEWS)
def test_a_view_is_never_wider_than_the_window(opened, view, width):
    page = opened(VIEWS[view], width)
    page.wait_for_selector(COMPLETE[view])
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_server_that_is_gone_is_said_and_the_page_stays(opened, served_process):
    page = opened()
    page.wait_for_selector(COMPLETE["runs"])
    served_process.terminate()
    page.wait_for_selector("#trouble:not([hidden])")
    assert "is autotl ui still running?" in page.inner_text("#trouble")
    assert page.locator("#runs-table tbody tr").count() == 3
