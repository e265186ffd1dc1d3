"""Runs beside each other: what each reached, and which is better on the test rows that they share.

Reads run folders alone; neither data nor models are needed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotl.errors import RunError
from autotl.leaderboard.interval import Interval
from autotl.leaderboard.paired import paired_gain
from autotl.report import words
from autotl.report.recorded import mapping, number, plain, read_arrays, shown, text, whole
from autotl.task import Metric, Task, TaskKind, metric
from autotl.trial.run_folder import RunFolder

Array = NDArray[Any]
#: Shared rows below which nothing is said.
_FEWEST_ROWS = 10


@dataclass(frozen=True)
class RunFacts:
    """One run; scores are of its own test part, in the metric's own direction.

    Attributes:
        run: Path of the folder.
        data: Where its data came from.
        metric: Name of its metric.
        score, low, high: On the test part, with a 95 % interval; None where it was not scored.
        rows: Test rows.
        backbone, strategy: Of the winner.
        trials: Trials with a result.
        seconds: What the run took.
        started: When, ISO 8601.
    """

    run: str
    data: str
    metric: str
    score: float | None
    low: float | None
    high: float | None
    rows: int | None
    backbone: str
    strategy: str
    trials: int
    seconds: float | None
    started: str


@dataclass(frozen=True)
class Pair:
    """Two runs on the test rows of both, which neither has seen in training.

    Attributes:
        run, other: Their paths; `run` is the better one.
        rows: Shared rows; 0 where they cannot be compared.
        score, other_score: On these rows.
        gain, low, high: What `run` gains, positive is better, with a 95 % interval by paired bootstrap.
        words: That in a sentence.
    """

    run: str
    other: str
    rows: int
    score: float | None
    other_score: float | None
    gain: float | None
    low: float | None
    high: float | None
    words: str


@dataclass(frozen=True)
class Comparison:
    """Runs in the order in which they were named, and the best one against each other one."""

    runs: tuple[RunFacts, ...]
    pairs: tuple[Pair, ...]

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return asdict(self)


def compare(paths: Sequence[str | Path]) -> Comparison:
    """Put finished runs beside each other.

    Args:
        paths: Run folders, two at least.

    Raises:
        RunError: A folder holds no run, or one folder is named twice.
    """
    runs = [_Run(Path(path)) for path in paths]
    if len({run.folder.path.resolve() for run in runs}) < max(len(runs), 2):
        raise RunError(
            "nothing to compare",
            found=", ".join(str(path) for path in paths) or "no run",
            expected="two different run folders at least",
            hint="autotl compare runs/first runs/second",
        )
    facts = tuple(run.facts for run in runs)
    scored = [run for run in runs if run.goodness is not None]
    if len(scored) < 2:
        return Comparison(facts, ())
    best = max(scored, key=lambda run: run.goodness or 0.0)
    return Comparison(facts, tuple(_pair(best, run) for run in scored if run is not best))


class _Run:
    """One run folder, read."""

    def __init__(self, path: Path) -> None:
        self.folder = RunFolder(path)
        record = self.folder.record("task", "data")
        self.task = Task.from_json(record["task"])
        test, winner = mapping(record.get("test")), mapping(record.get("winner"))
        self.metric: Metric = metric(self.task.metric, self.task.kind)
        greater = self.metric.greater_is_better
        self.arrays = read_arrays(self.folder, "test_predictions.npz", [])
        self.facts = RunFacts(
            run=str(path),
            data=text(mapping(record["data"]).get("source")),
            metric=self.task.metric,
            score=shown(test.get("score"), greater),
            low=shown(test.get("low"), greater),
            high=shown(test.get("high"), greater),
            rows=whole(test.get("n")),
            backbone=text(winner.get("backbone")),
            strategy=text(winner.get("strategy")),
            trials=sum(1 for _ in path.glob("trials/*/result.json")),
            seconds=number(record.get("seconds")),
            started=text(record.get("started")),
        )

    @property
    def goodness(self) -> float | None:
        """The test score, greater is better; None without one."""
        score = self.facts.score
        return score if score is None or self.metric.greater_is_better else -score

    @property
    def rows(self) -> Mapping[str, int]:
        """Place of each test row by its name; names that occur twice are left out."""
        names = [plain(name) for name in self.arrays.get("names", ())]
        repeated = {name for name, count in Counter(names).items() if count > 1}
        return {name: place for place, name in enumerate(names) if name not in repeated}


def _pair(best: _Run, other: _Run) -> Pair:
    """The best run and another one, on the rows of both."""
    reason = _hindrance(best, other)
    shared = None if reason else _shared(best, other)
    if shared is None or len(shared[0]) < _FEWEST_ROWS:
        count = 0 if shared is None else len(shared[0])
        reason = reason or (
            f"they share {count} test rows with the same label, too few: split the data alike, with the "
            "same --seed, or hold one test part out with --test"
        )
        said = f"{best.facts.run} and {other.facts.run} cannot be compared row by row: {reason}."
        return Pair(best.facts.run, other.facts.run, 0, None, None, None, None, None, said)
    targets, predictions, reference = shared
    gain = paired_gain(best.metric, targets, predictions, reference, repeats=1000)
    own, theirs = best.metric(targets, predictions), best.metric(targets, reference)
    if gain.value < 0:  # the one with the better score on its own test part is worse on the shared rows
        best, other, own, theirs = other, best, theirs, own
        gain = Interval(-gain.value, -gain.high, -gain.low, gain.standard_error)
    said = _sentence(best.facts.run, other.facts.run, best.metric, len(targets), gain, own, theirs)
    return Pair(
        best.facts.run, other.facts.run, len(targets), own, theirs, gain.value, gain.low, gain.high, said
    )


def _hindrance(one: _Run, other: _Run) -> str | None:
    """Why two runs cannot be compared row by row; None where they can."""
    if one.task.kind is not other.task.kind:
        return f"one task is {one.task.kind.value}, the other {other.task.kind.value}"
    if set(one.task.classes) != set(other.task.classes):
        return "their classes differ"
    for run in (one, other):
        if not {"targets", "predictions", "names"} <= set(run.arrays):
            return f"{run.facts.run} holds no test predictions"
    return None


def _shared(one: _Run, other: _Run) -> tuple[Array, Array, Array]:
    """Targets, predictions of `one` and of `other` for rows of both that have the same label in both."""
    places, elsewhere = one.rows, other.rows
    names = [name for name in places if name in elsewhere]
    rows = np.array([places[name] for name in names], dtype=np.int64)
    others = np.array([elsewhere[name] for name in names], dtype=np.int64)
    targets, predictions = one.arrays["targets"][rows], one.arrays["predictions"][rows]
    theirs, reference = other.arrays["targets"][others], other.arrays["predictions"][others]
    if one.task.classes:  # in the order of the first run
        order = np.array([other.task.classes.index(name) for name in one.task.classes])
        reference = reference[:, order]
        theirs = theirs[:, order] if one.task.kind is TaskKind.MULTILABEL else np.argsort(order)[theirs]
    same = (targets == theirs).all(axis=tuple(range(1, targets.ndim)))
    return targets[same], predictions[same], reference[same]


def _sentence(
    run: str, other: str, chosen: Metric, rows: int, gain: Interval, own: float, theirs: float
) -> str:
    """What the paired bootstrap says."""
    figures = f"{words.score(own)} against {words.score(theirs)} {chosen.name}"
    where = f"on the {words.count(rows)} test rows of both"
    within = f"a difference of {words.score(gain.value)} ({words.interval(gain.low, gain.high)})"
    if gain.low > 0:
        return f"{run} is better than {other} {where}: {figures}, {within}."
    return f"No clear difference between {run} and {other} {where}: {figures}, {within}, is within the noise."
