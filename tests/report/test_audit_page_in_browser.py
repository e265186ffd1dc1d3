"""The page of an audit in a browser: findings unfold to their rows, by mouse or keys, for everyone."""

from __future__ import annotations

from functools import partial

import pytest
from axe_playwright_python.sync_playwright import Axe

from autotl.data.dataset import Finding
from autotl.report.audited import audit_page

pytestmark = pytest.mark.slow
PHOTO = (
    '<img alt="" width="24" height="24" src="data:image/png;base64,'
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==">'
)
NAMES = tuple(f"train/cat/a_rather_long_name_of_a_photo_{number:04}.jpg" for number in range(60))
FINDINGS = (
    Finding("corrupt_file", "warning", "2 inputs of 60 cannot be read.", NAMES[:2], "rows dropped"),
    Finding(
        "suspect_label",
        "warning",
        "3 labels of 60 seem wrong, the surest first.",
        NAMES[3:6],
        details=("labelled cat, looks like dog (0.97)",) * 3,
    ),
    Finding(
        "copy",
        "warning",
        "1 group of changed copies (12 rows of 60, up to 12 a group).",
        NAMES[10:22],
        details=("has 11 copies", *(f"like {NAMES[10]}",) * 11),
        groups=(NAMES[10:22],),
    ),
    Finding("imbalance", "info", "The largest class has 6 times the rows of the smallest."),
    Finding("duplicate", "info", "58 rows repeat the input of another row.", NAMES[:58]),
)


@pytest.fixture
def opened(tmp_path, open_file):
    """Opens the page; what it complains of, or asks for, is collected in `page.complaints`."""
    record = {"source": "data/pets", "findings": [finding.to_json() for finding in FINDINGS]}
    facts = [("rows", "60"), ("task", "binary, target label"), ("note", "features are those of lite0")]
    path = tmp_path / "audit.html"
    path.write_text(audit_page(record, facts, lambda name: PHOTO), encoding="utf-8")

    return partial(open_file, path)


def test_what_needs_a_look_comes_first_and_every_finding_is_told(opened):
    page = opened()
    assert page.locator("h2").all_inner_texts() == ["Data", "Look at these", "For information"]
    told = page.locator("main").inner_text()
    assert all(finding.message in told for finding in FINDINGS)
    assert page.complaints == []


def test_findings_unfold_by_keys_and_show_rows_with_pictures(opened):
    page = opened()
    finding = page.locator("li", has_text="seem wrong").first
    summary = finding.locator("summary")
    assert not finding.locator("img").first.is_visible()
    summary.focus()
    page.keyboard.press("Enter")
    shown = finding.locator("img")
    assert shown.count() == 3
    assert all(image.is_visible() and image.evaluate("i => i.naturalWidth") == 1 for image in shown.all())
    assert finding.get_by_text("labelled cat, looks like dog (0.97)").count() == 3
    assert page.complaints == []


def test_rows_that_are_copies_are_shown_together(opened):
    page = opened()
    finding = page.locator("main > section > ul > li", has_text="changed copies")
    finding.locator("summary").click()
    assert finding.locator(".group").count() == 1
    assert finding.locator(".group img").count() >= 4


@pytest.mark.parametrize("width", [360, 1440])
def test_the_page_is_never_wider_than_the_window(opened, width):
    page = opened(width)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_axe_finds_nothing_that_keeps_people_out(opened, width, scheme):
    page = opened(width, color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
