"""What probes expected of each backbone beside what it reached, from whatever was recorded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from autotl.report.ranking import Row
from autotl.report.recorded import mapping, number, sequence, text, whole


@dataclass(frozen=True)
class Expected:
    """The best candidate of one backbone; None is not recorded.

    Attributes:
        backbone: Its name.
        predicted_rank, prior_rank: Rank by probes and prior together, and by the prior alone.
        realised_rank: Rank by its best trial.
        fused: Expected accuracy.
        ridge, knn, logme, h_score: What its features scored.
        rows: Rows that they were scored on.
        input_size: Pixels.
        depths: Depths of the features.
    """

    backbone: str
    predicted_rank: int | None
    prior_rank: int | None
    realised_rank: int | None
    fused: float | None
    ridge: float | None
    knn: float | None
    logme: float | None
    h_score: float | None
    rows: int | None
    input_size: int | None
    depths: str


def expected(ranking: object, rows: Iterable[Row]) -> tuple[Expected, ...]:
    """The first candidate of each backbone, in the recorded order.

    Args:
        ranking: `run.json`'s "ranking".
        rows: The leaderboard.
    """
    realised = {row.backbone: row.realised_rank for row in rows if row.realised_rank is not None}
    found: dict[str, Expected] = {}
    for candidate in filter(None, map(mapping, sequence(ranking))):
        name = text(candidate.get("backbone"))
        found.setdefault(
            name,
            Expected(
                backbone=name,
                predicted_rank=whole(candidate.get("predicted_rank")),
                prior_rank=whole(candidate.get("prior_rank")),
                realised_rank=realised.get(name),
                fused=number(candidate.get("fused")),
                ridge=number(candidate.get("ridge")),
                knn=number(candidate.get("knn")),
                logme=number(candidate.get("logme")),
                h_score=number(candidate.get("h_score")),
                rows=whole(candidate.get("rows")),
                input_size=whole(candidate.get("input_size")),
                depths=text(candidate.get("depths")),
            ),
        )
    return tuple(found.values())
