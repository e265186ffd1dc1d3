"""One self-contained HTML page from a `Summary`: template, style and figures put together, nothing measured.

Everything that comes from data passes Jinja's escaping; only SVG of `plots` and previews are markup already.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autotl.atomic import replacing
from autotl.errors import MissingExtraError
from autotl.leaderboard.verdict import ON_TEST
from autotl.report import provenance, words
from autotl.report.findings import ShownFinding, pictured, shown_findings
from autotl.report.landscape import typical
from autotl.report.mistakes import ClassScore
from autotl.report.obstacles import obstacles
from autotl.report.previews import Preview, previews
from autotl.report.recorded import mapping, number, said, sequence, settings, text, whole
from autotl.report.summarize import Summary, summarize
from autotl.trial.run_folder import RunFolder
from autotl.versions import install_command

if TYPE_CHECKING:
    from jinja2 import Environment

logger = logging.getLogger(__name__)

REPORT = "report.html"
#: Rows of a finding that are shown as pictures or texts, and of all findings together.
_SHOWN, _MOST_SHOWN = 8, 80


def write_report(
    run: RunFolder, preview: Preview | None = None, explained: Mapping[str, str] | None = None
) -> Path:
    """Write `report.html` into a run folder, from the folder's files.

    Whatever is missing or malformed there is shown as not recorded.

    Args:
        run: The folder.
        preview: Shows a row of the data, by its name, as a short piece of safe HTML; the folder holds names
            alone. Rows that it does not know are left out.
        explained: What predictions rest on, safe HTML by name of the row.

    Returns:
        The path of the report.

    Raises:
        MissingExtraError: jinja2 is not installed.
        StorageError: The file cannot be written.
    """
    page = render(summarize(run), preview, explained)
    path = run.path / REPORT
    with replacing(path) as target:
        target.write_text(page, encoding="utf-8", errors="replace")
    return path


def render(
    summary: Summary, preview: Preview | None = None, explained: Mapping[str, str] | None = None
) -> str:
    """The page; figures are left out where matplotlib is not installed, and previews where there are none."""
    template = environment().get_template("report.html.j2")
    from markupsafe import Markup

    data = mapping(summary.record.get("data"))
    figures = {name: Markup(svg) for name, svg in _figures(summary).items()}
    examples = () if summary.landscape is None else typical(summary.landscape, summary.classes)
    findings = shown_findings(summary.findings)
    return template.render(
        summary=summary,
        outcome=summary.outcome,
        interval=words.interval,
        verdict=_sentences(summary),
        figures=figures,
        facts=_facts(summary),
        inputs=_described(mapping(summary.profile.get("inputs"))),
        shifts=[mapping(shift) for shift in sequence(summary.profile.get("shifts"))],
        findings=findings,
        compared=words.compared(mapping(summary.record.get("audit"))),
        not_examined=words.not_examined(mapping(summary.record.get("audit"))),
        backbones=sorted(({**_BACKBONE, **b} for b in summary.backbones), key=lambda b: not b["included"]),
        provenance=provenance.provenance(summary.record),
        asked=provenance.settings(summary.record),
        command=provenance.command(summary.record),
        resumed=provenance.resumed(summary.record),
        origin=" \u00b7 ".join(
            filter(None, (text(data.get("source")), words.moment(text(summary.record.get("started")))))
        ),
        hardest=_hardest(summary),
        obstacles=obstacles(summary),
        examples=examples if preview is not None else (),
        previews={
            n: Markup(html) for n, html in previews(preview, _shown(summary, examples, findings)).items()
        },
        explained={name: Markup(html) for name, html in (explained or {}).items()},
        notes=[text(note) for note in sequence(summary.record.get("notes"))],
    )


@functools.cache
def environment() -> Environment:
    """The templates, with everything escaped that is not markup by its type, and the filters they use."""
    try:
        import jinja2
    except ImportError as error:
        raise MissingExtraError(
            "a report needs jinja2", found=str(error), hint=f"Type: {install_command('train')}"
        ) from error
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("autotl.report", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    made.filters.update(
        score=words.score,
        gain=words.gain,
        seconds=words.seconds,
        size=words.size,
        magnitude=words.magnitude,
        milliseconds=words.milliseconds,
        count=words.count,
        share=words.share,
        label=words.label,
        text=text,
        number=number,
        whole=whole,
        clip=words.clip,
        settings=_settings,
        said=said,
    )
    return made


_BACKBONE = {"name": "", "included": False, "reason": ""}


def _sentences(summary: Summary) -> Sequence[str]:
    """The verdict, without the score that the headline shows."""
    if not summary.verdict:
        return words.verdict(summary.outcome)
    is_shown = summary.outcome.score is not None
    return [sentence for sentence in summary.verdict if not (is_shown and sentence.startswith(ON_TEST))]


def _figures(summary: Summary) -> dict[str, str]:
    from autotl.report import plots

    try:
        return plots.figures(summary)
    except ImportError as error:
        logger.warning("the report has no figures: %s", error)
        return {}


def _settings(values: Mapping[str, Any]) -> str:
    """Parameters of a trial on one line."""
    return ", ".join(f"{key} {said}" for key, said in settings(values).items())


def _described(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(words.label(key), said(value)) for key, value in values.items()]


def _facts(summary: Summary) -> list[tuple[str, str]]:
    """The data set in words, as pairs of name and value."""
    profile, record = summary.profile, summary.record
    rows = mapping(profile.get("rows")) or mapping(mapping(record.get("data")).get("rows"))
    facts = [
        ("input", text(profile.get("modality"))),
        ("task", _task_in_words(summary)),
        (
            "rows",
            ", ".join(f"{words.count(number(rows[p]))} {p}" for p in ("train", "val", "test") if p in rows),
        ),
    ]
    imbalance = number(profile.get("imbalance"))
    if imbalance is not None and len(summary.classes) > 1:
        facts.append(("balance", _balance_in_words(imbalance)))
    statistics = mapping(profile.get("target_statistics"))
    if statistics:
        facts.append(("target", said(statistics)))
    return [(name, value) for name, value in facts if value]


def _task_in_words(summary: Summary) -> str:
    if summary.kind is None:
        return ""
    if not summary.classes:
        return summary.kind.value
    unit = "labels" if summary.kind.value == "multilabel" else "classes"
    return f"{summary.kind.value}, {len(summary.classes)} {unit}"


def _balance_in_words(imbalance: float) -> str:
    if imbalance < 1.5:
        return "balanced"
    return f"the largest class has {imbalance:.1f} times the rows of the smallest"


def _shown(
    summary: Summary, examples: Sequence[tuple[str, Sequence[str]]], findings: Sequence[ShownFinding]
) -> list[str]:
    """Rows that are shown, by name: single mistakes, typical ones of each class, those of findings."""
    misses = () if summary.mistakes is None else summary.mistakes.misses
    remarked = pictured(findings, each=_SHOWN, most=_MOST_SHOWN)
    return [*(miss.name for miss in misses), *chain(*(names for _, names in examples)), *remarked]


def _hardest(summary: Summary) -> list[ClassScore]:
    """Classes by F1, the worst first; those that never occur last."""
    found = summary.mistakes.classes if summary.mistakes else ()
    return sorted(found, key=lambda row: (row.f1 is None, row.f1 or 0.0, row.name))
