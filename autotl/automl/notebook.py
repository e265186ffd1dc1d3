"""What a notebook shows: a live table while `fit` runs, and a fitted model as HTML. All text is escaped.

IPython is never imported: in a notebook it is there already, and elsewhere nothing is shown.
"""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from autotl.search.events import Event, Listener, RunEnded
from autotl.search.progress import Progress, clock_time

if TYPE_CHECKING:
    from autotl.leaderboard.leaderboard import Row

#: Least seconds between two drawings.
_DRAWN_EVERY = 0.5
#: Trials of the live table, and rows of a fitted model's leaderboard.
_TRIALS, _ROWS = 6, 8
_WORD, _NUMBER = ' style="text-align: left"', ' style="text-align: right"'


def shown_in_notebook(listener: Listener | None, verbose: bool) -> Listener | None:
    """A listener that also shows a live table, where this is a notebook and that is wanted.

    Args:
        listener: Whom the user wants told; None for nobody.
        verbose: Whether to show anything.
    """
    shell = _notebook() if verbose else None
    if shell is None:
        return listener
    table = LiveTable(shell.display_pub.publish)

    def told(event: Event) -> None:
        table(event)
        if listener is not None:
            listener(event)

    return told


class LiveTable:
    """A listener that draws where a run stands, in one place of a notebook, twice a second at most.

    Args:
        publish: `publish(data, metadata, transient=..., update=...)` of IPython's display publisher.
        clock: A monotonic clock in seconds.
    """

    def __init__(self, publish: Callable[..., object], clock: Callable[[], float] = time.monotonic) -> None:
        self._publish, self._clock = publish, clock
        self._progress = Progress(None, None, clock)
        self._place = {"display_id": f"autotl-{uuid.uuid4().hex}"}
        self._drawn: float | None = None

    def __call__(self, event: Event) -> None:
        """Take in one event, and draw where the last drawing is old; the end is always drawn."""
        self._progress.update(event)
        now = self._clock()
        is_due = self._drawn is None or now - self._drawn >= _DRAWN_EVERY
        if is_due or isinstance(event, RunEnded):
            data = {"text/html": live_html(self._progress), "text/plain": _in_a_line(self._progress)}
            self._publish(data, {}, transient=self._place, update=self._drawn is not None)
            self._drawn = now


def live_html(progress: Progress) -> str:
    """Where a run stands, as HTML."""
    ended = progress.ended
    stage = progress.stage if ended is None else ended.state
    facts = {"stage": " ".join(filter(None, (stage, progress.detail if ended is None else "")))}
    if progress.advanced is not None:
        facts["stage"] += (
            f": {progress.advanced.done:,} of {progress.advanced.total:,} {progress.advanced.unit}"
        )
    if ended is not None and ended.error:
        facts["error"] = ended.error
    budget = "" if progress.trials is None else f" of {progress.trials}"
    failed = f", {progress.failed} failed" if progress.failed else ""
    facts["trials"] = f"{progress.done}{budget} done{failed}"
    facts["time"] = f"{clock_time(progress.elapsed)} passed"
    if progress.expected_left is not None:
        facts["time"] += f", {clock_time(progress.expected_left)} left"
    rows = [
        (
            "running" if line.rank is None else str(line.rank),
            str(line.number),
            line.backbone,
            line.strategy,
            f"{line.epoch} of {line.epochs}",
            "" if line.score is None else f"{line.score:.4f}",
            clock_time(line.seconds),
        )
        for line in progress.lines(_TRIALS)
    ]
    head = ("#", "trial", "backbone", "strategy", "epoch", _score_name(progress), "time")
    notes = "".join(f"<div>{escape(note.message)}</div>" for note in progress.notes)
    return f"<div>{_facts(facts)}{_table(head, rows, {2, 3}) if rows else ''}{notes}</div>"


def fitted_html(run: Path, verdict: Iterable[str], metric: str, rows: Sequence[Row]) -> str:
    """A fitted model: what came of the search, the best trials, where report and model lie.

    Args:
        run: The run folder.
        verdict: Sentences.
        metric: Name of the metric of the rows.
        rows: The leaderboard.
    """
    said = "".join(f"<p>{escape(sentence)}</p>" for sentence in verdict)
    cells = [
        (
            "" if row.rank is None else str(row.rank),
            str(row.trial),
            f"{row.backbone} (winner)" if row.winner else row.backbone,
            row.strategy,
            row.state if row.score is None else f"{row.score:.4f}",
            clock_time(row.seconds),
        )
        for row in rows[:_ROWS]
    ]
    table = _table(("#", "trial", "backbone", "strategy", metric, "time"), cells, {2, 3})
    more = f"<p>... and {len(rows) - _ROWS} more</p>" if len(rows) > _ROWS else ""
    links = " ".join(
        _link(run / name, title) for name, title in (("report.html", "report"), ("model", "model"))
    )
    return f"<div>{said}{table}{more}<p>{links}</p></div>"


def _notebook() -> Any:
    """The shell of a notebook's kernel; None anywhere else."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell if hasattr(shell, "kernel") else None


def _in_a_line(progress: Progress) -> str:
    best = "none yet" if progress.best is None else progress.shown(progress.best)
    return f"{progress.stage}: {progress.done} trials done, best so far {best}"


def _score_name(progress: Progress) -> str:
    return "score" if progress.metric is None else progress.metric.name


def _facts(facts: Mapping[str, str]) -> str:
    rows = "".join(f"<div><b>{escape(name)}</b> {escape(value)}</div>" for name, value in facts.items())
    return f"<div>{rows}</div>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], words: set[int]) -> str:
    """A table; columns that are not `words` stand to the right."""

    def cells(tag: str, texts: Sequence[str]) -> str:
        parts = (
            f"<{tag}{_WORD if i in words else _NUMBER}>{escape(text)}</{tag}>" for i, text in enumerate(texts)
        )
        return f"<tr>{''.join(parts)}</tr>"

    body = "".join(cells("td", row) for row in rows)
    return f"<table><thead>{cells('th', head)}</thead><tbody>{body}</tbody></table>"


def _link(path: Path, title: str) -> str:
    """A link that a notebook follows: relative to its own folder, or to a file."""
    address = path.as_uri() if path.is_absolute() else quote(path.as_posix())
    return f'<a href="{escape(address)}" target="_blank">{escape(title)}</a> <code>{escape(str(path))}</code>'
