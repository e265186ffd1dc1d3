"""Runs beside each other: what each reached, and which is better on the test rows that they share.

Rows are the same where their content is, whatever they are called: `photos/` and an index of it share theirs.
Reads run folders alone; neither data nor models are needed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
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
        self.data = text(mapping(record["data"]).get("fingerprint"))
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
    def contents(self) -> list[str] | None:
        """What each test row holds, as a hash; None where that was not kept."""
        kept = self.arrays.get("fingerprints")
        if kept is None or kept.dtype.kind != "S" or len(kept) != len(self.arrays["targets"]):
            return None
        return [found.decode("utf-8", "replace") for found in kept.tolist()]

    @property
    def names(self) -> list[str | None]:
        """What each test row is called; None for names that occur twice."""
        names = [plain(name) for name in self.arrays["names"]]
        counts = Counter(names)
        return [name if counts[name] == 1 else None for name in names]


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
    unknown = next((run.facts.run for run in (one, other) if run.contents is None), None)
    if unknown is not None and not _are_of_one_data_set(one, other):
        return (
            f"{unknown} was made before runs kept what identifies a test row, and rows of different data are "
            "not the same because they are called the same; run it again"
        )
    return None


def _are_of_one_data_set(one: _Run, other: _Run) -> bool:
    """Whether two runs read the same rows with the same labels, so that their names mean the same."""
    return bool(one.data) and one.data == other.data


def _shared(one: _Run, other: _Run) -> tuple[Array, Array, Array]:
    """Targets, predictions of `one` and of `other` for inputs of both that have the same label in both.

    Inputs that occur several times in a test part count once.
    """
    targets, predictions = one.arrays["targets"], one.arrays["predictions"]
    theirs, reference = other.arrays["targets"], other.arrays["predictions"]
    if one.task.classes:  # in the order of the first run
        order = np.array([other.task.classes.index(name) for name in one.task.classes])
        reference = reference[:, order]
        theirs = theirs[:, order] if one.task.kind is TaskKind.MULTILABEL else np.argsort(order)[theirs]
    contents, elsewhere = one.contents, other.contents
    if contents is None or elsewhere is None:
        places, others = _places(one.names, targets), _places(other.names, theirs)
    else:
        places, others = _places(contents, targets), _places(elsewhere, theirs)
    both = [(place, others[row]) for row, place in places.items() if row in others]
    rows, same = np.array(both, dtype=np.int64).reshape(-1, 2).T
    return targets[rows], predictions[rows], reference[same]


def _places(rows: Sequence[str | None], targets: Array) -> dict[tuple[str, bytes], int]:
    """The first place of each row with each label; rows that cannot be told apart have none."""
    found: dict[tuple[str, bytes], int] = {}
    for place, (row, target) in enumerate(zip(rows, targets.astype(np.float64) + 0.0, strict=True)):
        if row is not None:
            found.setdefault((row, target.tobytes()), place)
    return found


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
