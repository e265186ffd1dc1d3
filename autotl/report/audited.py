"""The page of `autotl audit`: the findings, with pictures or texts of their rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autotl.errors import AutotlError
from autotl.report.findings import previewed_rows
from autotl.report.html import Preview, _environment
from autotl.report.recorded import mapping, sequence, text


def audit_page(record: Mapping[str, Any], facts: Sequence[tuple[str, str]], preview: Preview | None) -> str:
    """One self-contained page.

    Args:
        record: What `autotl audit --json` prints.
        facts: The data set in words, as pairs of name and value.
        preview: Shows a row by its name, as safe HTML.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    from markupsafe import Markup

    findings = [{"repaired": None, **mapping(finding)} for finding in sequence(record.get("findings"))]
    shown = {} if preview is None else _previews(preview, previewed_rows(findings))
    sections = {
        "Look at these": [finding for finding in findings if finding["severity"] != "info"],
        "For information": [finding for finding in findings if finding["severity"] == "info"],
    }
    return (
        _environment()
        .get_template("audit.html.j2")
        .render(
            source=text(record.get("source")),
            facts=facts,
            sections=[(title, listed) for title, listed in sections.items() if listed],
            previews={name: Markup(html) for name, html in shown.items()},
        )
    )


def _previews(preview: Preview, names: Sequence[str]) -> dict[str, str]:
    """What can be shown of rows; those that were left out of the data cannot."""
    found = {}
    for name in names:
        try:
            found[name] = preview(name)
        except (KeyError, AutotlError):
            continue
    return found
