"""The page of `autotl audit`: the findings, with pictures or texts of their rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autotl.report.findings import pictured, shown_findings
from autotl.report.html import environment
from autotl.report.previews import Preview, previews
from autotl.report.recorded import sequence, text

#: Rows of a finding that are shown as pictures or texts, and of all findings together.
_SHOWN, _MOST_SHOWN = 24, 240


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

    findings = shown_findings(sequence(record.get("findings")))
    shown = previews(preview, pictured(findings, each=_SHOWN, most=_MOST_SHOWN))
    sections = {
        "Look at these": [finding for finding in findings if finding.severity != "info"],
        "For information": [finding for finding in findings if finding.severity == "info"],
    }
    return (
        environment()
        .get_template("audit.html.j2")
        .render(
            source=text(record.get("source")),
            facts=facts,
            sections=[(title, listed) for title, listed in sections.items() if listed],
            previews={name: Markup(html) for name, html in shown.items()},
        )
    )
