"""How a run went: its stages, the learning curves of its trials, and the best score so far."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from autotl.config import TrialResult
from autotl.report.recorded import mapping, number, plain, shown, whole
from autotl.search.event_log import Entry
from autotl.search.events import EpochDone, RunStarted, StageStarted, TrialFinished

_SEARCH = "search"


@dataclass(frozen=True)
class Stage:
    """A stage of the run, from and to so many seconds after its start."""

    name: str
    start: float
    end: float


@dataclass(frozen=True)
class Curve:
    """Validation score of one trial by epoch, in the metric's direction."""

    trial: int
    name: str
    epochs: tuple[int, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True)
class Progress:
    """Best score so far: `best[i]` holds from `seconds[i]` on; the last point is the end.

    Seconds count from the start of the run where its stages are known, else from that of the search. What
    lies between `processes`, where it was resumed, is not counted.
    """

    seconds: tuple[float, ...]
    best: tuple[float, ...]
    stages: tuple[Stage, ...] = ()
    processes: int = 1


def stages(recorded: object) -> tuple[Stage, ...]:
    """`run.json`'s "stages", seconds by name in their order, one after the other."""
    found, clock = [], 0.0
    for name, value in mapping(recorded).items():
        end = clock + max(number(value) or 0.0, 0.0)
        found.append(Stage(name, clock, end))
        clock = end
    return tuple(found)


def told(entries: Sequence[Entry], greater: bool) -> Progress | None:
    """Progress as the processes of a run told it, one after the other, to the second.

    Args:
        entries: The run's event log; the seconds of each process count from its own start.
        greater: Direction of the metric.

    Returns:
        None where nothing was scored, or no stage can be read.
    """
    moments: list[tuple[float, float | None]] = []
    known: list[Stage] = []
    begun, processes = 0.0, _processes(entries)
    for process in processes:
        end = begun + max(entry.seconds for entry in process)
        known += _stages_told(process, begun, end)
        moments += [(begun + entry.seconds, _score(entry.told)) for entry in process]
        begun = end
    found = _progress(moments, greater, begun, tuple(known)) if known else None
    return None if found is None else replace(found, processes=len(processes))


def _processes(entries: Iterable[Entry]) -> list[list[Entry]]:
    """The entries of each process that worked on a run: each begins with `RunStarted`, if that was kept."""
    found: list[list[Entry]] = []
    for entry in entries:
        if not found or isinstance(entry.told, RunStarted):
            found.append([])
        found[-1].append(entry)
    return found


def _stages_told(process: Sequence[Entry], begun: float, end: float) -> list[Stage]:
    """The stages of one process, which ran from and to so many seconds; empty where none can be read."""
    starts = [(entry.told.name, entry.seconds) for entry in process if isinstance(entry.told, StageStarted)]
    ends = [*(begun + start for _, start in starts), end][1:]
    return [Stage(name, begun + start, stop) for (name, start), stop in zip(starts, ends, strict=True)]


def _score(event: object) -> float | None:
    """The score that an event tells, greater is better."""
    if isinstance(event, EpochDone):
        return number(event.epoch.score)
    return number(event.result.score) if isinstance(event, TrialFinished) else None


def _progress(
    moments: Iterable[tuple[float, float | None]], greater: bool, end: float, known: tuple[Stage, ...]
) -> Progress | None:
    """The moments at which the best score so far rose, up to the end; None without a score."""
    seconds: list[float] = []
    scores: list[float] = []
    best: float | None = None
    for moment, value in moments:
        if value is not None and (best is None or value > best):
            best = value
            seconds.append(moment)
            scores.append(value if greater else abs(value))
    return Progress((*seconds, end), (*scores, scores[-1]), known) if scores else None


def curves(results: Sequence[TrialResult], greater: bool) -> tuple[Curve, ...]:
    """Trials of more than one epoch, the best first."""
    found = []
    ranked = sorted(results, key=lambda r: (r.score is None, -(number(r.score) or 0.0), r.number))
    for result in ranked:
        points = [(whole(point.epoch), shown(point.score, greater)) for point in result.curve]
        kept = [(epoch, score) for epoch, score in points if epoch is not None and score is not None]
        if len(kept) > 1:
            epochs, scores = zip(*kept, strict=True)
            name = plain(f"{result.config.backbone} {result.config.strategy}")
            found.append(Curve(result.number, name, epochs, scores))
    return tuple(found)


def progress(results: Sequence[TrialResult], greater: bool, known: Sequence[Stage] = ()) -> Progress | None:
    """Best score so far against the seconds that trials took, one after the other in their order.

    Args:
        results: Trials by number.
        greater: Direction of the metric.
        known: Stages of the run; the search is one of them.
    """
    start = next((stage.start for stage in known if stage.name == _SEARCH), 0.0)
    clock, moments = start, []
    for result in results:
        begun = clock
        clock += max(number(result.seconds) or 0.0, 0.0)
        # What precedes the first epoch, such as features, is in the trial's seconds alone.
        epochs = sum(max(number(epoch.seconds) or 0.0, 0.0) for epoch in result.curve)
        spent = max(clock - begun - epochs, 0.0)
        for epoch in result.curve:
            spent += max(number(epoch.seconds) or 0.0, 0.0)
            moments.append((min(begun + spent, clock), number(epoch.score)))
        moments.append((clock, number(result.score)))
    return _progress(moments, greater, max(clock, *(stage.end for stage in known), 0.0), tuple(known))
