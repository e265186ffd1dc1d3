"""Findings on a page: which rows belong together, and which are pictured."""

from __future__ import annotations

from autotl.data.dataset import Finding
from autotl.report.audited import audit_page
from autotl.report.findings import Group, NamedRow, pictured, shown_findings
from autotl.report.html import write_report

EVIL = "<script>alert(1)</script>"


def copies(count, size=2, kind="duplicate"):
    groups = tuple(tuple(f"{kind} {i}.{k}" for k in range(size)) for i in range(count))
    names = tuple(name for group in groups for name in group)
    said = tuple("like" if name.endswith(".1") else "has 1 copy" for name in names)
    return Finding(kind, "info", f"{count} groups", names, None, said, groups).to_json()


def test_rows_that_belong_together_are_shown_together_with_what_is_said_of_them():
    (found,) = shown_findings([copies(2)])
    assert found.groups == (
        Group((NamedRow("duplicate 0.0", "has 1 copy"), NamedRow("duplicate 0.1", "like")), 0),
        Group((NamedRow("duplicate 1.0", "has 1 copy"), NamedRow("duplicate 1.1", "like")), 0),
    )
    assert (found.count, found.rows) == (4, ())


def test_of_many_groups_and_of_large_ones_the_first_are_shown_and_the_rest_is_counted():
    (found,) = shown_findings([copies(30, size=8)])
    assert (len(found.groups), found.groups_left_out) == (24, 6)
    assert all((len(group.rows), group.left_out) == (6, 2) for group in found.groups)


def test_what_a_row_repeats_is_named_though_it_is_no_row_of_the_finding():
    finding = Finding(
        *("duplicate_across_parts", "warning", "1 row", ("train/a",), "dropped", ("like test/b of test",)),
        (("train/a", "test/b"),),
    )
    (found,) = shown_findings([finding.to_json()])
    assert found.groups[0].rows == (NamedRow("train/a", "like test/b of test"), NamedRow("test/b", ""))
    assert pictured([found], each=8, most=80) == ["train/a", "test/b"]


def test_groups_are_pictured_whole():
    findings = shown_findings([copies(10, size=3), {"kind": "outlier", "rows": list("abcdefghij")}])
    names = pictured(findings, each=8, most=80)
    assert names[:6] == [f"duplicate {i}.{k}" for i in range(2) for k in range(3)]
    assert names[6:] == list("abcdefgh")
    assert len(pictured(findings, each=8, most=5)) == 5


def test_a_first_group_that_is_larger_than_the_share_of_a_finding_is_pictured():
    assert len(pictured(shown_findings([copies(1, size=6)]), each=2, most=80)) == 6


def test_what_is_malformed_is_left_out():
    odd = [
        None,
        "nonsense",
        {},
        {"rows": 3, "groups": [4, [], ["a", None]], "details": ["x"], "message": None},
    ]
    (found,) = shown_findings(odd)
    assert found.groups == (Group((NamedRow("a", ""), NamedRow("", "")), 0),)
    assert (found.severity, found.message, found.count) == ("info", "", 0)


def test_both_pages_show_the_rows_of_a_group_beside_each_other(make_run):
    finding = {**copies(1), "groups": [["one", EVIL]], "rows": ["one"], "details": ["has 1 copy"]}
    run = make_run()
    record = run.read_json("run.json")
    run.write_json("run.json", {**record, "findings": [finding]})

    def preview(name):
        return f"<b>{len(name)}</b>"

    report = write_report(run, preview).read_text()
    page = audit_page({"source": "data", "findings": [finding]}, [], preview)
    for markup in (report, page):
        group = markup[markup.index('<li class="group">') :].partition("</li>")[0]
        assert "<b>3</b>" in group
        assert f"<b>{len(EVIL)}</b>" in group
        assert "has 1 copy" in group
        assert EVIL not in markup


def test_a_page_without_findings_says_so():
    assert "Nothing was found." in audit_page({"source": "data", "findings": []}, [], None)
