"""Shows a search as it goes: a live panel on a terminal, plain lines elsewhere, on standard error."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from rich.console import Console, RenderableType
from rich.control import Control
from rich.live import Live
from rich.text import Text

from autotl.config import TrialState
from autotl.console.panel import panel
from autotl.search.events import DataRead, Event, Note, StageStarted, TrialFinished, TrialStarted
from autotl.search.progress import Progress, clock_time

if TYPE_CHECKING:
    from autotl.config import TrialResult

#: Seconds between two drawings of the panel.
_DRAWN_EVERY = 0.25


class Display(Protocol):
    """A listener that is entered before the search and left after it."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Show the last state and stop."""

    def __call__(self, event: Event) -> None:
        """Take in one event."""


def display(time_seconds: float | None, trials: int | None, console: Console | None = None) -> Display:
    """The display that suits standard error: live on a terminal, lines elsewhere.

    Args:
        time_seconds: Budget of time, None for no limit.
        trials: Budget of trials, None for no limit.
        console: Where to write; None for standard error.
    """
    return display_of(Progress(time_seconds, trials), console)


def display_of(progress: Progress, console: Console | None = None) -> Display:
    """The display of what a `Progress` takes in, as `display` chooses it."""
    console = console or Console(stderr=True, highlight=False)
    if console.is_terminal and not console.is_dumb_terminal:
        return LiveDisplay(progress, console)
    return LineDisplay(progress, console)


class LineDisplay:
    """One line a piece of news, for logs and pipes.

    Args:
        progress: Where the search stands.
        console: Where to write.
    """

    def __init__(self, progress: Progress, console: Console) -> None:
        self.progress, self._console = progress, console

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def __call__(self, event: Event) -> None:
        """Write the event's line, if it has one."""
        self.progress.update(event)
        match event:
            case StageStarted():
                self._line(f"{event.name}: {event.detail}" if event.detail else event.name)
            case DataRead():
                self._line(_found(event))
            case TrialStarted():
                self._line(f"trial {event.number}: {event.config.backbone}, {event.config.strategy}")
            case TrialFinished():
                self._line(outcome(event.result, self.progress))
            case Note():
                self._line(f"{'warning: ' if event.warning else ''}{event.message}")
            case _:
                pass

    def _line(self, text: str) -> None:
        stamp = clock_time(self.progress.elapsed)
        self._console.print(f"[{stamp}] {text}", markup=False, soft_wrap=True)


class LiveDisplay:
    """A panel that is redrawn in place, by a thread of its own, so that its clock goes on between events.

    Args:
        progress: Where the run stands.
        console: A terminal.
    """

    def __init__(self, progress: Progress, console: Console) -> None:
        self.progress, self._console = progress, console
        self._lock = threading.Lock()
        self._paints = threading.RLock()
        self._ends = threading.Event()
        self._drawer = threading.Thread(target=self._keep_drawing, name="autotl-display", daemon=True)
        self._warnings: list[Text] = []
        self._width = console.width
        self._live = self._begin()

    def __enter__(self) -> Self:
        self._live.start()
        self._drawer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends.set()
        self._drawer.join()
        self._refresh()
        self._live.stop()

    def __call__(self, event: Event) -> None:
        """Take in one event; warnings also stay above the panel."""
        with self._lock:
            self.progress.update(event)
        if isinstance(event, Note) and event.warning:
            with self._paints:
                self._warnings.append(Text(f"! {event.message}", style="yellow"))
                self._console.print(self._warnings[-1])

    def _begin(self) -> Live:
        return Live(console=self._console, auto_refresh=False, transient=False, get_renderable=self._draw)

    def _keep_drawing(self) -> None:
        while not self._ends.wait(_DRAWN_EVERY):
            self._refresh()

    def _refresh(self) -> None:
        """Draw; on a terminal that became narrower, where old lines are broken, on an empty screen."""
        with self._paints:
            width, self._width = self._width, self._console.width
            if self._width < width:
                self._live.stop()
                self._console.control(Control.clear(), Control.home())
                for warning in self._warnings:
                    self._console.print(warning)
                self._live = self._begin()
                self._live.start()
            self._live.refresh()

    def _draw(self) -> RenderableType:
        with self._lock:
            return panel(self.progress, self._console.width, self._console.height)


def outcome(result: TrialResult, progress: Progress) -> str:
    """How a trial ended, and the best score now, in a line."""
    head = f"trial {result.number}"
    if result.state is TrialState.FAILED:
        return f"{head} failed after {result.seconds:.1f} s: {result.error}"
    score = "no score" if result.score is None else progress.shown(result.score)
    stopped = " (stopped early)" if result.state is TrialState.PRUNED else ""
    if result.error is not None:
        stopped = f" (failed after epoch {len(result.curve)}: {result.error})"
    best_so_far = "" if progress.best is None else f"; best so far {progress.shown(progress.best)}"
    return f"{head}: {score} in {result.seconds:.1f} s{stopped}{best_so_far}"


def _found(data: DataRead) -> str:
    """What was read, in a line."""
    classes = f"{len(data.task.classes)} classes, " if data.task.classes else ""
    return f"{data.rows:,} rows, {classes}{data.task.kind.value}; judged by {data.task.metric}"
