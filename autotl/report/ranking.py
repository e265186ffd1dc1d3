"""The leaderboard and the failures of a run as rows of plain values, from whatever was recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from autotl.config import LEFT_OUT, TrialResult, TrialState
from autotl.leaderboard.selection import OVER_LIMIT
from autotl.report.recorded import mapping, number, plain, sequence, text, whole


@dataclass(frozen=True)
class Row:
    """One trial. Scores are in the metric's own direction; None is not recorded.

    Attributes:
        rank: From 1; None for a trial without a score, or one that may not be delivered.
        trial: Number of the trial.
        backbone, strategy, state, licence: Names.
        score, low, high: Validation score and interval.
        cross_validated: Score in cross-validation, where that decided between heads.
        gain, gain_low, gain_high: Gain over trial 0 on the same rows, positive is better, and interval.
        epochs: Epochs done.
        seconds: Wall-clock seconds of the trial.
        parameters: Number of weights.
        size_bytes: Size of the model.
        latency_ms: Time of one prediction in milliseconds.
        settings: Parameters by name.
        pareto: Whether no other trial is at least as good in score, latency and size, and better in one.
        winner: Whether it was chosen.
        realised_rank: Rank of its backbone by the best trial.
        left_out: Why it may not be delivered although it has a score; empty where it may.
    """

    rank: int | None
    trial: int | None
    backbone: str
    strategy: str
    state: str
    licence: str = ""
    score: float | None = None
    low: float | None = None
    high: float | None = None
    cross_validated: float | None = None
    gain: float | None = None
    gain_low: float | None = None
    gain_high: float | None = None
    epochs: int | None = None
    seconds: float | None = None
    parameters: int | None = None
    size_bytes: int | None = None
    latency_ms: float | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    pareto: bool = False
    winner: bool = False
    realised_rank: int | None = None
    left_out: str = ""


@dataclass(frozen=True)
class Failure:
    """A message with which trials failed, and their numbers."""

    error: str
    trials: tuple[int, ...]


def leaderboard(
    board: object, results: Sequence[TrialResult], winner: int | None, greater_is_better: bool
) -> tuple[Row, ...]:
    """Rows by rank, those without a score last.

    Args:
        board: Content of `leaderboard.json`: a list of rows, or a mapping with the list under "rows".
        results: Trials; they fill in what a row lacks, and are ranked by score where there is no board.
        winner: Number of the chosen trial.
        greater_is_better: Direction of the metric; losses are shown without their sign.
    """
    by_number = {result.number: _fields(result) for result in results}
    recorded = [mapping(row) for row in sequence(mapping(board).get("rows", board))]
    merged = []
    for row in recorded:
        trial = whole(row.get("trial"))
        fields = {} if trial is None else by_number.pop(trial, {})
        merged.append({**fields, **{key: value for key, value in row.items() if value is not None}})
    merged += by_number.values()
    rows = [_row(fields, winner, greater_is_better) for fields in merged]
    rows.sort(key=lambda row: _order(row, greater_is_better))
    return tuple(_ranked(rows))


def failures(results: Sequence[TrialResult]) -> tuple[Failure, ...]:
    """Messages of trials that failed, also after some epochs; the most frequent first."""
    grouped: dict[str, list[int]] = {}
    for result in results:
        if result.state is TrialState.FAILED or result.error:
            grouped.setdefault(text(result.error) or "no message was recorded", []).append(result.number)
    ordered = sorted(grouped.items(), key=lambda item: (-len(item[1]), item[1]))
    return tuple(Failure(error, tuple(numbers)) for error, numbers in ordered)


def _fields(result: TrialResult) -> dict[str, Any]:
    """A result under the names of a leaderboard's row."""
    return {
        **mapping(result.facts),
        "trial": result.number,
        "backbone": result.config.backbone,
        "strategy": result.config.strategy,
        "state": result.state.value,
        "score": result.score,
        "epochs": len(result.curve) or None,
        "seconds": result.seconds,
        "settings": result.config.params,
    }


def _row(fields: Mapping[str, Any], winner: int | None, greater: bool) -> Row:
    def shown(name: str) -> float | None:
        value = number(fields.get(name))
        return value if value is None or greater else abs(value)

    low, high = shown("low"), shown("high")
    if low is not None and high is not None:
        low, high = min(low, high), max(low, high)
    trial = whole(fields.get("trial"))
    state = text(fields.get("state"))
    return Row(
        rank=whole(fields.get("rank")),
        trial=trial,
        backbone=text(fields.get("backbone")),
        strategy=text(fields.get("strategy")),
        state=state,
        licence=text(fields.get("licence")),
        score=None if state == TrialState.FAILED else shown("score"),
        low=low,
        high=high,
        cross_validated=shown("cross_validated"),
        gain=number(fields.get("gain")),
        gain_low=number(fields.get("gain_low")),
        gain_high=number(fields.get("gain_high")),
        epochs=whole(fields.get("epochs")),
        seconds=number(fields.get("seconds")),
        parameters=whole(fields.get("parameters")),
        size_bytes=whole(fields.get("size_bytes")),
        latency_ms=number(fields.get("latency_ms")),
        settings={plain(k): v for k, v in mapping(fields.get("settings")).items()},
        pareto=fields.get("pareto") is True,
        winner=fields.get("winner") is True if winner is None else trial == winner,
        realised_rank=whole(fields.get("realised_rank")),
        left_out=text(fields.get(LEFT_OUT)) or text(fields.get(OVER_LIMIT)),
    )


def _order(row: Row, greater: bool) -> tuple[bool, float, float, int]:
    """Recorded rank first, then score, then number; what may not be delivered comes last."""
    rank = float("inf") if row.rank is None or row.score is None else row.rank
    score = float("inf") if row.score is None else (-row.score if greater else row.score)
    return bool(row.left_out), rank, score, -1 if row.trial is None else row.trial


def _ranked(rows: Sequence[Row]) -> list[Row]:
    """Rows with their recorded rank, or their place where none is recorded."""
    return [
        replace(row, rank=None if row.score is None or row.left_out else row.rank or place)
        for place, row in enumerate(rows, 1)
    ]
