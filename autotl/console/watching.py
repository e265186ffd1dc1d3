"""`autotl watch`: shows a run that goes on elsewhere as `autotl fit` shows its own, and how it ended."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from autotl.console.live import display_of
from autotl.errors import RunError
from autotl.search.event_log import EVENTS
from autotl.search.following import Follower, RunState, is_over, resume_command
from autotl.search.progress import Progress, clock_time
from autotl.trial.run_folder import RunFolder

#: Seconds between two looks at the events.
_LOOK_EVERY = 0.5
#: How the verb ends where the run has left no model.
_NOT_FINISHED = 3


def watch(run: Path) -> int:
    """Show a run until it is over, then what came of it.

    Args:
        run: The run folder, of a run that goes on, here or on another machine, or that is over.

    Returns:
        The exit code: 0 after a run that finished, 3 after one that did not.

    Raises:
        RunError: The folder holds no run.
    """
    folder = RunFolder(run)
    if not (run / EVENTS).is_file():
        return _without_events(folder)
    follower = Follower(run)
    state = follow(follower)
    if state is RunState.FINISHED:
        _show_outcome(folder)
        return 0
    typer.echo(_ending(follower, state), err=True)
    typer.echo(f"Go on with it: {resume_command(run, folder.read_json('run.json'))}", err=True)
    return _NOT_FINISHED


def follow(follower: Follower, console: Console | None = None, every: float = _LOOK_EVERY) -> RunState:
    """Show what a run tells until it is over; gives how it ended.

    Args:
        follower: Reads along.
        console: Where to show it; None for standard error.
        every: Seconds between two looks.
    """
    progress = Progress(None, None, clock=follower.elapsed)
    with display_of(progress, console) as shown:
        while True:
            for event in follower.events():
                shown(event)
            if follower.state is not RunState.LIVE:
                return follower.state
            time.sleep(every)


def _without_events(folder: RunFolder) -> int:
    """Show the outcome of a run that told nothing: one of an earlier version."""
    if not is_over(folder.read_json("run.json")):
        raise RunError(
            "this run cannot be followed",
            found=f"no {EVENTS} in {folder.path}: an earlier version of autotl began it",
            hint=f"See what it has so far: autotl leaderboard {folder.path}",
        )
    _show_outcome(folder)
    return 0


def _show_outcome(folder: RunFolder) -> None:
    from autotl.console.fitting import show_outcome
    from autotl.console.runs import read_leaderboard

    record: dict[str, Any] = folder.record("test")
    show_outcome(folder.path, read_leaderboard(folder.path), record["test"], record)


def _ending(follower: Follower, state: RunState) -> str:
    """How a run ended that did not finish."""
    after = f"after {clock_time(follower.elapsed())}"
    if state is RunState.FAILED:
        error = follower.ended.error if follower.ended is not None else None
        return f"The run failed {after}: {error or 'it did not say why.'}"
    return f"The run was interrupted {after}; what it had finished is kept."
