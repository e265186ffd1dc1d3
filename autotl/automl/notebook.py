"""What a notebook shows: a live table while `fit` runs, and a fitted model as HTML. All text is escaped.

IPython is never imported: in a notebook it is there already, and elsewhere nothing is shown.
"""

from __future__ import annotations

import contextvars
import math
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from autotl.search import in_words
from autotl.search.events import Event, Listener, RunEnded
from autotl.search.progress import Progress, clock_time

if TYPE_CHECKING:
    from autotl.leaderboard.leaderboard import Row

#: Least seconds between two drawings, most where only the clock has changed, and between two looks.
_DRAWN_EVERY, _CLOCK_EVERY, _LOOKED_EVERY = 0.5, 1.0, 0.1
#: Trials of the live table, and rows of a fitted model's leaderboard.
_TRIALS, _ROWS = 6, 8
_WORD, _NUMBER = ' style="text-align: left"', ' style="text-align: right"'


@contextmanager
def shown_in_notebook(listener: Listener | None, verbose: bool) -> Iterator[Listener | None]:
    """Give a listener that also shows a live table, where this is a notebook and that is wanted.

    Args:
        listener: Whom the user wants told; None for nobody.
        verbose: Whether to show anything.
    """
    shell = _notebook() if verbose else None
    if shell is None:
        yield listener
        return
    with LiveTable(shell.display_pub.publish) as table:

        def told(event: Event) -> None:
            table(event)
            if listener is not None:
                listener(event)

        yield told


class LiveTable:
    """A listener that draws where a run stands in one place of a notebook, some times a second at most.

    While it is entered a thread of its own draws too, so that the last thing told is always shown, and the
    clock goes on between events.

    Args:
        publish: `publish(data, metadata, transient=..., update=...)` of IPython's display publisher.
        clock: A monotonic clock in seconds.

    Attributes:
        progress: Where the run stands.
    """

    def __init__(self, publish: Callable[..., object], clock: Callable[[], float] = time.monotonic) -> None:
        self._publish, self._clock = publish, clock
        self.progress = Progress(None, None, clock)
        self._place = {"display_id": f"autotl-{uuid.uuid4().hex}"}
        self._drawn: float | None = None
        self._is_behind = False
        self._lock, self._ends = threading.Lock(), threading.Event()
        # In the context of the cell: it says which output the table belongs to.
        run = contextvars.copy_context().run
        self._drawer = threading.Thread(
            target=run, args=(self._keep_drawing,), name="autotl-table", daemon=True
        )

    def __enter__(self) -> Self:
        self._drawer.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop drawing; what was told last is shown."""
        self._ends.set()
        self._drawer.join()
        with self._lock:
            if self._is_behind:
                self._draw()

    def __call__(self, event: Event) -> None:
        """Take in one event, and draw where the last drawing is old; the end is drawn at once."""
        with self._lock:
            self.progress.update(event)
            self._is_behind = True
            if self._age() >= _DRAWN_EVERY or isinstance(event, RunEnded):
                self._draw()

    def _keep_drawing(self) -> None:
        """Draw what was told since the last drawing, and the clock now and then."""
        while not self._ends.wait(_LOOKED_EVERY):
            with self._lock:
                old = _DRAWN_EVERY if self._is_behind else _CLOCK_EVERY
                if self._drawn is not None and self.progress.ended is None and self._age() >= old:
                    self._draw()

    def _age(self) -> float:
        """Seconds since the last drawing; infinite before the first."""
        return math.inf if self._drawn is None else self._clock() - self._drawn

    def _draw(self) -> None:
        data = {"text/html": live_html(self.progress), "text/plain": _in_a_line(self.progress)}
        self._publish(data, {}, transient=self._place, update=self._drawn is not None)
        self._drawn, self._is_behind = self._clock(), False


def live_html(progress: Progress) -> str:
    """Where a run stands, as HTML."""
    ended = progress.ended
    facts = {"stage": _stage(progress)}
    if ended is not None and ended.error:
        facts["error"] = ended.error
    facts["trials"] = in_words.trials(progress)
    facts["best so far"] = " ".join(filter(None, in_words.best(progress)))
    course = in_words.over_time(progress)
    if course is not None:
        facts["over time"] = " ".join(course)
    facts["time"] = in_words.times(progress)[0]
    rows = [
        (
            "running" if line.rank is None else str(line.rank),
            str(line.number),
            line.backbone,
            line.strategy,
            f"{line.epoch} of {line.epochs}",
            "" if line.score is None else f"{line.score:.4f}",
            clock_time(line.seconds),
            in_words.sparkline(line.curve),
        )
        for line in progress.lines(_TRIALS)
    ]
    head = ("#", "trial", "backbone", "strategy", "epoch", _score_name(progress), "time", "curve")
    notes = "".join(f"<div>{escape(note.message)}</div>" for note in progress.notes)
    return f"<div>{_facts(facts)}{_table(head, rows, {2, 3, 7}) if rows else ''}{notes}</div>"


def _stage(progress: Progress) -> str:
    """The stage under way and how far it is, or how the run ended."""
    if progress.ended is not None:
        return progress.ended.state
    stage = " ".join(filter(None, (progress.stage, progress.detail)))
    done = progress.advanced
    return stage if done is None else f"{stage}: {done.done:,} of {done.total:,} {done.unit}"


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
    score, *_ = in_words.best(progress)
    trials, course = in_words.trials(progress), in_words.over_time(progress)
    curve = "" if course is None else f" {course[1]}"
    return f"{_stage(progress)}; trials: {trials}; best so far {score}{curve}; {in_words.times(progress)[0]}"


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
