"""A run folder as one frozen `Summary`: all that a report shows, as plain data.

It reads only the folder's files and takes whatever is there; drawing and markup are left to others.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autotl.report.expected import Expected, expected
from autotl.report.importance import Importance, importance
from autotl.report.landscape import Landscape, landscape
from autotl.report.mistakes import Mistakes, mistakes
from autotl.report.ranking import Failure, Row, failures, leaderboard
from autotl.report.recorded import (
    greater_is_better,
    mapping,
    number,
    plain,
    read_arrays,
    read_json,
    read_log,
    read_results,
    sequence,
    shown,
    text,
    whole,
)
from autotl.report.strategies import StrategyRow, by_strategy
from autotl.report.timeline import Curve, Progress, curves, progress, stages, told
from autotl.task import TaskKind, default_metric
from autotl.trial.run_folder import RunFolder


@dataclass(frozen=True)
class Outcome:
    """The test part, scored once, beside its baselines; every score in the metric's own direction.

    Attributes:
        metric: Name of the metric.
        greater_is_better: Its direction.
        score, low, high: Value and interval.
        n: Test rows.
        metrics: Other metrics by name.
        trivial, from_scratch, ten_lines: The same metric of the baselines.
    """

    metric: str
    greater_is_better: bool
    score: float | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    metrics: Mapping[str, float | None] | None = None
    trivial: float | None = None
    from_scratch: float | None = None
    ten_lines: float | None = None

    def gain(self, value: float) -> float:
        """How much better the winner is than `value`, in units of the metric; 0 without a score."""
        if self.score is None:
            return 0.0
        return self.score - value if self.greater_is_better else value - self.score

    def against(self, value: float) -> str:
        """The comparison with `value` in words, up to its name: "0.120 better than"."""
        gain = self.gain(value)
        if abs(gain) < 5e-4:
            return "the same as"
        return f"{abs(gain):.3f} {'better' if gain > 0 else 'worse'} than"

    @property
    def helped(self) -> bool | None:
        """Whether transfer beat training from scratch; None where unknown or within the interval."""
        if self.score is None or self.from_scratch is None:
            return None
        if self.low is not None and self.high is not None and self.low <= self.from_scratch <= self.high:
            return None
        return self.gain(self.from_scratch) > 0


@dataclass(frozen=True)
class Summary:
    """What the files of a run say.

    Attributes:
        name: Name of the run folder.
        path: The run folder as a command takes it.
        kind: Kind of task, None where it was not recorded.
        classes: Class or label names.
        metric: Name of the metric that selected.
        greater_is_better: Its direction.
        outcome: The test part.
        verdict: Sentences that the run recorded itself.
        winner: `run.json`'s "winner".
        settings: Parameters of the winner by name.
        rows: The leaderboard.
        failures: Failed trials, grouped by message.
        curves: Trials of more than one epoch, best first.
        progress: None where no trial has a score.
        strategies: What each strategy gave, the best first.
        importance: Which choices mattered; None where that cannot be told.
        mistakes: None where no test predictions were recorded.
        landscape: The data as a map; None where none was recorded.
        profile: `profile.json`.
        findings: Audit findings as mappings of plain values.
        backbones: Backbones as mappings with name, included and reason.
        expected: What was expected of the backbones before the search, best first.
        record: All of `run.json`, for the provenance.
        problems: Files that could not be read.
    """

    name: str
    path: str
    kind: TaskKind | None
    classes: tuple[str, ...]
    metric: str
    greater_is_better: bool
    outcome: Outcome
    verdict: tuple[str, ...]
    winner: Mapping[str, Any]
    settings: Mapping[str, Any]
    rows: tuple[Row, ...]
    failures: tuple[Failure, ...]
    curves: tuple[Curve, ...]
    progress: Progress | None
    strategies: tuple[StrategyRow, ...]
    importance: Importance | None
    mistakes: Mistakes | None
    landscape: Landscape | None
    profile: Mapping[str, Any]
    findings: tuple[Mapping[str, Any], ...]
    backbones: tuple[Mapping[str, Any], ...]
    expected: tuple[Expected, ...]
    record: Mapping[str, Any]
    problems: tuple[str, ...]


def summarize(run: RunFolder) -> Summary:
    """Read a run folder; what is missing or malformed is left empty, never an error."""
    problems: list[str] = []
    record = mapping(read_json(run, "run.json", problems))
    profile = mapping(read_json(run, "profile.json", problems))
    board = read_json(run, "leaderboard.json", problems)
    results = read_results(run, problems)
    arrays = read_arrays(run, "test_predictions.npz", problems)
    task = mapping(record.get("task")) or mapping(profile.get("task"))
    kind = _kind(task.get("kind"))
    classes = tuple(plain(name) for name in sequence(task.get("classes")))
    name, greater = _metric(record, task, kind)
    winner = mapping(record.get("winner"))
    chosen = whole(winner.get("trial"))
    best = next((result for result in results if result.number == chosen), None)
    rows = leaderboard(board, results, chosen, greater)
    found = _mistakes(kind, classes, arrays, number(record.get("temperature")))
    return Summary(
        name=plain(run.path.resolve().name),
        path=shlex.quote(plain(str(run.path))),
        kind=kind,
        classes=classes,
        metric=name,
        greater_is_better=greater,
        outcome=_outcome(mapping(record.get("test")), name, kind, greater),
        verdict=tuple(filter(None, map(text, sequence(record.get("verdict"))))),
        winner=winner,
        settings=mapping(best.config.params) if best else {},
        rows=rows,
        failures=failures(results),
        curves=curves(results, greater),
        progress=told(read_log(run), greater) or progress(results, greater, stages(record.get("stages"))),
        strategies=by_strategy(rows, greater),
        importance=importance(results),
        mistakes=found,
        landscape=landscape(
            read_arrays(run, "embedding.npz", problems), () if found is None else found.wrong_names
        ),
        profile=profile,
        findings=tuple(filter(None, map(mapping, sequence(record.get("findings"))))),
        backbones=tuple(filter(None, map(mapping, sequence(record.get("backbones"))))),
        expected=expected(record.get("ranking"), rows),
        record=record,
        problems=tuple(problems),
    )


def _kind(value: object) -> TaskKind | None:
    known = {kind.value: kind for kind in TaskKind}
    return known.get(value) if isinstance(value, str) else None


def _metric(record: Mapping[str, Any], task: Mapping[str, Any], kind: TaskKind | None) -> tuple[str, bool]:
    """Name and direction of the metric that selected."""
    fallback = default_metric(kind) if kind else "score"
    name = text(record.get("metric")) or text(task.get("metric")) or fallback
    return name, greater_is_better(name, kind)


def _outcome(test: Mapping[str, Any], name: str, kind: TaskKind | None, greater: bool) -> Outcome:
    name = text(test.get("metric")) or name
    greater = greater_is_better(name, kind) if kind else greater
    ends = sorted(v for v in (shown(test.get(end), greater) for end in ("low", "high")) if v is not None)
    low, high = ends if len(ends) == 2 else (None, None)
    return Outcome(
        metric=name,
        greater_is_better=greater,
        score=shown(test.get("score"), greater),
        low=low,
        high=high,
        n=whole(test.get("n")),
        metrics={key: number(value) for key, value in mapping(test.get("metrics")).items()},
        trivial=shown(test.get("trivial"), greater),
        from_scratch=shown(test.get("from_scratch"), greater),
        ten_lines=shown(test.get("ten_lines"), greater),
    )


def _mistakes(
    kind: TaskKind | None, classes: Sequence[str], arrays: Mapping[str, Any], temperature: float | None
) -> Mistakes | None:
    if kind is None or "targets" not in arrays or "predictions" not in arrays:
        return None
    names = arrays.get("names")
    return mistakes(kind, classes, arrays["targets"], arrays["predictions"], names, temperature)
