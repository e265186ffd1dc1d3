"""Shows a search as it goes: a live panel on a terminal, plain lines elsewhere, on standard error."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from autotl.config import TrialConfig, TrialState
from autotl.console.progress import Progress, Running, clock_time
from autotl.search.events import DataRead, Event, Note, StageStarted, TrialFinished, TrialStarted

if TYPE_CHECKING:
    from autotl.config import TrialResult

_BARS = "▁▂▃▄▅▆▇█"
#: Epochs of a running trial's curve that are drawn.
_CURVE = 24


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
    console = console or Console(stderr=True, highlight=False)
    progress = Progress(time_seconds, trials)
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
    """A panel that is redrawn in place: stage, trials, best so far, running trials, time left, notes.

    Args:
        progress: Where the search stands.
        console: A terminal.
    """

    def __init__(self, progress: Progress, console: Console) -> None:
        self.progress = progress
        self._live = Live(console=console, refresh_per_second=4, get_renderable=self._draw)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def __call__(self, event: Event) -> None:
        """Take in one event; warnings also stay above the panel."""
        self.progress.update(event)
        if isinstance(event, Note) and event.warning:
            self._live.console.print(Text(f"! {event.message}", style="yellow"))

    def _draw(self) -> RenderableType:
        return panel(self.progress)


def panel(progress: Progress) -> RenderableType:
    """The panel of a search as it stands."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    grid.add_row("stage", _stage(progress))
    grid.add_row("trials", _trials(progress))
    grid.add_row("best so far", _best(progress))
    for running in list(progress.running.values())[:4]:
        grid.add_row(f"trial {running.number}", _running(running, progress))
    grid.add_row("time", _time(progress))
    notes = [Text(note.message, style="yellow" if note.warning else "dim") for note in progress.notes]
    return Panel(Group(grid, *notes), title="autotl", title_align="left", border_style="cyan")


def outcome(result: TrialResult, progress: Progress) -> str:
    """How a trial ended, and the best score now, in a line."""
    head = f"trial {result.number}"
    if result.state is TrialState.FAILED:
        return f"{head} failed after {result.seconds:.1f} s: {result.error}"
    score = "no score" if result.score is None else progress.shown(result.score)
    stopped = " (stopped early)" if result.state is TrialState.PRUNED else ""
    best_so_far = "" if progress.best is None else f"; best so far {progress.shown(progress.best)}"
    return f"{head}: {score} in {result.seconds:.1f} s{stopped}{best_so_far}"


def curve(scores: list[float]) -> str:
    """A learning curve as a row of bars, lowest to highest of what is shown."""
    shown = scores[-_CURVE:]
    if len(shown) < 2:
        return ""
    low, high = min(shown), max(shown)
    span = (high - low) or 1.0
    return "".join(_BARS[round((score - low) / span * (len(_BARS) - 1))] for score in shown)


def _found(data: DataRead) -> str:
    """What was read, in a line."""
    classes = f"{len(data.task.classes)} classes, " if data.task.classes else ""
    return f"{data.rows:,} rows, {classes}{data.task.kind.value}; judged by {data.task.metric}"


def _stage(progress: Progress) -> Text:
    text = Text(progress.stage, style="bold")
    if progress.detail:
        text.append(f"  {progress.detail}", style="not bold")
    if progress.advanced is not None:
        a = progress.advanced
        text.append(f"  {a.done:,} of {a.total:,} {a.unit}", style="not bold dim")
    return text


def _trials(progress: Progress) -> str:
    text = f"{progress.done} done"
    if progress.trials is not None:
        text = f"{progress.done} of {progress.trials} done"
    return f"{text}, {progress.failed} failed" if progress.failed else text


def _best(progress: Progress) -> Text:
    if progress.best is None:
        return Text("none yet", style="dim")
    text = Text(progress.shown(progress.best), style="bold green")
    if progress.metric is not None:
        text.append(f" {progress.metric.name}", style="not bold")
    if progress.best_trial is not None:
        number, config = progress.best_trial
        text.append(f"  trial {number}, {named(config)}", style="not bold default")
    return text


def _running(running: Running, progress: Progress) -> Text:
    text = Text(named(running.config))
    if running.curve:
        text.append(
            f"  epoch {len(running.curve)} of {running.config.epochs}  {progress.shown(running.curve[-1])}"
        )
        text.append(f"  {curve(running.curve)}", style="cyan")
    return text


def _time(progress: Progress) -> str:
    passed = f"{clock_time(progress.elapsed)} passed"
    return passed if progress.left is None else f"{clock_time(progress.left)} left, {passed}"


def named(config: TrialConfig) -> str:
    """Backbone and strategy of a trial."""
    return f"{config.backbone}, {config.strategy}"
