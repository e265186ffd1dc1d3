"""`Leaderboard`: the trials of a run, ranked, for the console, CSV and JSON."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autotl.atomic import replacing
from autotl.config import TrialResult, TrialState, Value
from autotl.errors import RunError
from autotl.leaderboard.interval import Interval
from autotl.leaderboard.selection import OVER_LIMIT, cost, is_candidate, order

if TYPE_CHECKING:
    from rich.table import Table

#: Costs within so much of each other (in logarithms) are told apart by nobody who measures again.
_ALIKE = 0.05


@dataclass(frozen=True)
class Row:
    """One trial. Scores are in the metric's own direction; None is not known.

    Attributes:
        rank: From 1; None for a trial without a score.
        trial: Number of the trial.
        backbone, strategy: What was tried.
        score: Validation score.
        low, high: Its interval.
        cross_validated: Score by repeated cross-validation on training and validation rows, where the trial
            stood for choice by it.
        gain: What it gains over the default recipe, trial 0, on the same rows; positive is better.
        gain_low, gain_high: Interval of the gain, by paired bootstrap.
        epochs: Epochs done.
        seconds: Wall-clock seconds of the trial.
        parameters: Number of weights.
        size_bytes: Size of the exported model.
        latency_ms: Time of one prediction of the exported model.
        batch_latency_ms: Time of one batch, where more than one input are a batch.
        batch: Inputs of that.
        licence: Licence of the backbone.
        state: How the trial ended.
        pareto: Whether no other trial is at least as good in score, latency and size, and better in one.
        winner: Whether it was chosen.
        error: What failed, or why the trial may not be deployed.
        settings: Parameters by name.
        predicted_rank: Rank of the trial's backbone that was expected before the search, from 1.
        realised_rank: Rank of the backbone by its best trial, among those that have a score.
    """

    rank: int | None
    trial: int
    backbone: str
    strategy: str
    score: float | None
    low: float | None
    high: float | None
    cross_validated: float | None
    gain: float | None
    gain_low: float | None
    gain_high: float | None
    epochs: int
    seconds: float
    parameters: int | None
    size_bytes: int | None
    latency_ms: float | None
    licence: str
    state: str
    pareto: bool
    winner: bool
    error: str | None
    settings: Mapping[str, Value] = field(default_factory=dict)
    predicted_rank: int | None = None
    realised_rank: int | None = None
    batch_latency_ms: float | None = None
    batch: int = 1


@dataclass(frozen=True)
class Leaderboard:
    """Ranked trials; those without a score come last.

    Attributes:
        rows: The rows by rank.
        metric: Name of the metric.
    """

    rows: tuple[Row, ...]
    metric: str = "score"

    @classmethod
    def from_results(
        cls,
        results: Sequence[TrialResult],
        *,
        metric: str = "score",
        greater_is_better: bool = True,
        intervals: Mapping[int, Interval] | None = None,
        gains: Mapping[int, Interval] | None = None,
        winner: int | None = None,
        predicted: Mapping[str, int] | None = None,
    ) -> Leaderboard:
        """Rank trials: by score, of equals the winner first.

        Args:
            results: Trials in any order. `facts` gives `parameters`, `size_bytes`, `latency_ms`, `licence`.
            metric: Name of the metric.
            greater_is_better: Its direction; scores of losses lose the sign that the search gave them.
            intervals: Validation intervals by trial number, in the metric's own direction.
            gains: Gains over the default recipe by trial number, positive where better.
            winner: Number of the chosen trial.
            predicted: Rank of each backbone that was expected before the search.
        """
        scored = sorted(
            filter(is_candidate, results), key=lambda r: (-(r.score or 0.0), r.number != winner, order(r))
        )
        rest = sorted((r for r in results if not is_candidate(r)), key=lambda r: r.number)
        front = pareto_front(scored)
        realised = {name: r for r, name in enumerate(dict.fromkeys(r.config.backbone for r in scored), 1)}
        sign = 1.0 if greater_is_better else -1.0
        rows = []
        for rank, result in enumerate([*scored, *rest], 1):
            is_ranked = rank <= len(scored)
            interval = (intervals or {}).get(result.number) if is_ranked else None
            rows.append(
                _row(
                    result,
                    rank=rank if is_ranked else None,
                    score=sign * result.score if is_ranked and result.score is not None else None,
                    interval=interval,
                    sign=sign,
                    gain=(gains or {}).get(result.number),
                    pareto=result.number in front,
                    winner=result.number == winner,
                    predicted_rank=(predicted or {}).get(result.config.backbone),
                    realised_rank=realised.get(result.config.backbone),
                )
            )
        return cls(tuple(rows), metric)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def to_rows(self) -> list[dict[str, Any]]:
        """One JSON-ready dictionary a row."""
        return [{**asdict(row), "settings": dict(row.settings)} for row in self.rows]

    def to_json(self, path: Path) -> None:
        """Write {"metric", "rows"} to a JSON file.

        Raises:
            StorageError: The file cannot be written.
        """
        with replacing(Path(path)) as temporary:
            content = {"metric": self.metric, "rows": self.to_rows()}
            temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    def to_csv(self, path: Path) -> None:
        """Write one line a trial to a CSV file; settings are a JSON object in one cell.

        Raises:
            StorageError: The file cannot be written.
        """
        with (
            replacing(Path(path)) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(file, [column.name for column in fields(Row)])
            writer.writeheader()
            for row in self.to_rows():
                writer.writerow({**row, "settings": json.dumps(row["settings"], sort_keys=True)})

    @classmethod
    def read(cls, path: Path) -> Leaderboard:
        """The leaderboard that `to_json` wrote."""
        return cls.from_json(json.loads(Path(path).read_text(encoding="utf-8")))

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Leaderboard:
        """Rebuild a leaderboard from the object in a file of `to_json`.

        Raises:
            RunError: The object is something else.
        """
        try:
            return cls(tuple(Row(**row) for row in content["rows"]), content["metric"])
        except (KeyError, TypeError) as error:
            raise RunError(
                "leaderboard.json holds no leaderboard", found=f"{type(error).__name__}: {error}"
            ) from error

    def render(self, *, limit: int | None = None, width: int = 80) -> Table:
        """A Rich table, readable at 80 columns; `*` marks the winner, `+` the Pareto front.

        Args:
            limit: Most rows shown.
            width: Columns of the console.
        """
        from autotl.leaderboard.table import table

        return table(self.rows[:limit], self.metric, width)

    def __str__(self) -> str:
        """The table that the console shows, at 120 columns."""
        from rich.console import Console

        console = Console(width=120, color_system=None)
        with console.capture() as captured:
            console.print(self.render(width=120))
        return captured.get()


def pareto_front(results: Sequence[TrialResult]) -> frozenset[int]:
    """Numbers of the trials that no other one dominates in score, latency and size.

    Unknown latency and size count as infinite, so that they never dominate and rarely survive.
    """
    points = {r.number: _point(r) for r in results if r.score is not None}
    return frozenset(
        number
        for number, own in points.items()
        if not any(_dominates(other, own) for key, other in points.items() if key != number)
    )


def _point(result: TrialResult) -> tuple[float, ...]:
    """Figures of which less is better; costs that differ by a few per cent, as measurements do, are alike."""
    latency, size, *_ = cost(result)
    return (-(result.score or 0.0), *(_coarse(value) for value in (latency, size)))


def _coarse(value: float) -> float:
    return round(math.log(value) / _ALIKE) if 0 < value < math.inf else value


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    pairs: list[tuple[float, float]] = list(zip(one, other, strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def _row(
    result: TrialResult,
    *,
    rank: int | None,
    score: float | None,
    interval: Interval | None,
    sign: float,
    gain: Interval | None,
    pareto: bool,
    winner: bool,
    predicted_rank: int | None,
    realised_rank: int | None,
) -> Row:
    facts: Callable[[str], Any] = result.facts.get
    is_failed = result.state is TrialState.FAILED
    reason = result.error or result.left_out or facts(OVER_LIMIT)
    cross_validated = facts("cross_validated")
    return Row(
        rank=rank,
        trial=result.number,
        backbone=result.config.backbone,
        strategy=result.config.strategy,
        score=score,
        low=None if interval is None else interval.low,
        high=None if interval is None else interval.high,
        cross_validated=None if cross_validated is None else sign * cross_validated,
        gain=None if gain is None else gain.value,
        gain_low=None if gain is None else gain.low,
        gain_high=None if gain is None else gain.high,
        epochs=len(result.curve),
        seconds=round(result.seconds, 3),
        parameters=facts("parameters"),
        size_bytes=facts("size_bytes"),
        latency_ms=facts("latency_ms"),
        licence=str(facts("licence") or ""),
        state=result.state.value,
        pareto=pareto,
        winner=winner,
        error=reason or "no message was recorded" if is_failed else reason,
        settings=dict(result.config.params),
        predicted_rank=predicted_rank,
        realised_rank=realised_rank,
        batch_latency_ms=facts("batch_latency_ms"),
        batch=facts("batch") or 1,
    )
