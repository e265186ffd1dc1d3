"""The report in a browser: no error, every chart drawn, tables that sort and filter, for everyone."""

from __future__ import annotations

import functools

import pytest
from axe_playwright_python.sync_playwright import Axe

from autotl.report.html import write_report
from autotl.report.plots import figures
from autotl.report.summarize import summarize
from autotl.task import TaskKind

pytestmark = pytest.mark.slow
#: A yellow square as a photo, of the kind that a modality gives.
PHOTO = (
    '<img alt="a photo" width="24" height="24" src="data:image/png;base64,'
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==">'
)
KINDS = {
    "multiclass": (TaskKind.MULTICLASS, ("cardboard", "glass", "metal", "paper", "plastic", "trash")),
    "many": (TaskKind.MULTICLASS, tuple(f"a_rather_long_intent_{i}" for i in range(40))),
    "binary": (TaskKind.BINARY, ("no", "yes")),
    "multilabel": (TaskKind.MULTILABEL, ("joy", "anger", "fear")),
    "regression": (TaskKind.REGRESSION, ()),
}


@pytest.fixture(scope="module")
def written(make_shared_run):
    """Gives the report of a fake run of a kind, and the names of its charts; written once."""

    @functools.cache
    def write(kind):
        task, classes = KINDS[kind]
        run = make_shared_run(kind=task, classes=classes, trials=30, name=kind)
        path = write_report(run, lambda name: PHOTO, {"test/photo_0000.jpg": PHOTO})
        return path, set(figures(summarize(run)))

    return write


@pytest.fixture
def opened(open_file, written):
    """Opens the report of a fake run; what the page complains of is collected in `page.complaints`."""

    def open_report(kind="multiclass", width=1440, **options):
        path, charts = written(kind)
        page = open_file(path, width, **options)
        page.charts = charts
        return page

    return open_report


@pytest.mark.parametrize("kind", KINDS)
def test_every_chart_is_drawn_with_data_and_nothing_is_complained_of(opened, kind):
    page = opened(kind)
    drawn = page.locator("figure svg").all()
    assert {figure.get_attribute("aria-labelledby").split("-title")[0] for figure in drawn} == page.charts
    for figure in drawn:
        box = figure.bounding_box()
        assert box["width"] > 100
        assert box["height"] > 50
        assert figure.evaluate("f => f.querySelectorAll('path, use').length") > 3
    assert page.complaints == []


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("kind", KINDS)
def test_the_page_is_never_wider_than_the_window(opened, kind, width):
    page = opened(kind, width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", KINDS)
def test_axe_finds_nothing_that_keeps_people_out(opened, kind, scheme):
    found = Axe().run(opened(kind, color_scheme=scheme))
    assert found.violations_count == 0, found.generate_report()


def test_a_table_sorts_by_keyboard_and_says_so(opened):
    page = opened()
    heading = page.locator("#leaderboard th", has_text="time").first
    heading.locator("button").focus()
    page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"
    column = heading.evaluate("h => h.cellIndex")
    read = f"t => [...t.tBodies[0].rows].map(r => parseFloat(r.cells[{column}].dataset.value))"
    seconds = page.locator("#leaderboard table").first.evaluate(read)
    known = [value for value in seconds if value is not None]
    assert known == sorted(known, reverse=True)
    page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending"


def test_the_leaderboard_is_filtered_by_words_also_in_what_is_folded(opened):
    page = opened()
    table = page.locator("#leaderboard table").first
    rows = table.locator("tbody tr")
    assert sum(row.is_visible() for row in rows.all()) == 15
    page.get_by_label("filter trials").fill("lite2 scratch")
    shown = [row.inner_text() for row in rows.all() if row.is_visible()]
    assert shown
    assert all("lite2" in row and "from_scratch" in row for row in shown)
    said = page.locator("#leaderboard output").inner_text()
    assert said == f"{len(shown)} of 30"
    page.get_by_label("filter trials").fill("")
    assert sum(row.is_visible() for row in rows.all()) == 15
    page.get_by_label("show all 30 trials").check()
    assert sum(row.is_visible() for row in rows.all()) == 30


def test_without_scripts_everything_can_be_read(opened):
    page = opened(java_script_enabled=False)
    assert page.get_by_role("heading", name="Leaderboard").is_visible()
    assert page.locator("figure svg").count() >= 9


def test_every_link_and_control_is_reached_with_the_tab_key(opened):
    page = opened()
    wanted = page.evaluate("document.querySelectorAll('a[href], button, input, summary').length")
    reached = set()
    for _ in range(wanted + 60):
        page.keyboard.press("Tab")
        where = "e => [...document.querySelectorAll('a[href], button, input, summary')].indexOf(e)"
        reached.add(page.evaluate(f"({where})(document.activeElement)"))
    assert len(reached - {-1}) == wanted


def rows_shown(page, section):
    return [row.is_visible() for row in page.locator(f"{section} table").last.locator("tbody tr").all()]


@pytest.mark.parametrize("scripts", [True, False])
def test_on_paper_every_row_is_there_and_controls_are_gone(opened, scripts):
    page = opened("many", java_script_enabled=scripts)
    assert [sum(rows_shown(page, section)) for section in ("#leaderboard", "#errors")] == [15, 15]
    if scripts:
        page.get_by_label("filter trials").fill("lite2 scratch")
    page.emulate_media(media="print")
    assert rows_shown(page, "#leaderboard") == [True] * 30
    assert rows_shown(page, "#errors") == [True] * 40
    assert not page.locator(".expander, .filter").locator("visible=true").count()
    assert page.pdf(format="A4")[:5] == b"%PDF-"


def test_on_paper_what_is_folded_is_open(opened):
    page = opened()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 0


def test_axe_finds_nothing_on_a_phone(opened):
    found = Axe().run(opened(width=360))
    assert found.violations_count == 0, found.generate_report()


def test_figures_are_not_shrunk_beyond_reading_on_a_phone(opened):
    page = opened(width=360)
    share = "svg => svg.getBoundingClientRect().width / parseFloat(svg.style.maxWidth)"
    assert 0.6 < min(svg.evaluate(share) for svg in page.locator("figure svg").all()) <= 1
    verdict = page.locator("figure:has(svg[aria-labelledby^='outcome']) .canvas")
    assert verdict.evaluate("canvas => canvas.scrollWidth <= canvas.clientWidth"), "all of it is seen at once"
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_rows_that_belong_together_are_shown_side_by_side(opened):
    page = opened()
    finding = page.locator("#audit li", has_text="repeats the input").first
    finding.locator("summary").click()
    boxes = [example.bounding_box() for example in finding.locator(".group").first.locator(".example").all()]
    assert len(boxes) == 2
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    assert finding.locator(".group img").first.is_visible()


def test_rows_of_findings_are_shown_beside_their_names(opened):
    page = opened()
    finding = page.locator("#audit li", has_text="carries two labels")
    assert not finding.locator("img").first.is_visible()
    finding.locator("summary").click()
    assert finding.locator("tbody tr").count() == 2
    assert finding.locator("td.preview img").all()[1].is_visible()


def test_what_the_colours_of_an_explanation_mean_is_said(opened):
    page = opened()
    keys = page.locator("#errors .key")
    colours = [key.evaluate("k => getComputedStyle(k).backgroundColor") for key in keys.all()]
    assert colours == ["rgb(230, 159, 0)", "rgb(0, 114, 178)"]
    assert "orange speaks for the answer it gave" in page.locator("#errors").inner_text()
