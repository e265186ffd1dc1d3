"""Candidates that were probed: scores, their fusion with what is published of the networks, and the words.

How they come about is `autotl.search.ranking`'s business.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from autotl.backbones.backbone import BackboneInfo, log_odds, standing
from autotl.config import Value

#: Weight of ridge in the probe's accuracy; the rest is that of nearest neighbours.
_RIDGE_SHARE = 0.75
#: Deviation, in log-odds, of what a network reaches from what its source accuracy lets expect.
_PRIOR_DEVIATION = 0.3


@dataclass(frozen=True)
class Candidate:
    """A backbone at one input size, read at some depths.

    Attributes:
        backbone: Its name.
        input_size: Edge in pixels; None where inputs have no size.
        depths: Depths whose features were scored, "5,6,7"; empty where nothing was.
        rows: Rows that they were scored on; 0 where the time was too short.
        ridge, knn, logme, h_score: See `ProbeScores`; None without rows.
        prior: Published accuracy on the source task.
        octaves: How many times the input's edge was halved against the size of pretraining; never below 0.
        prior_rank: Rank of the backbone by the prior alone, from 1.
        fused: Accuracy expected from probe and prior together; None without rows.
        predicted_rank: Rank of the backbone, from 1.
        seconds: Time that all probes of this backbone and size took.
    """

    backbone: str
    input_size: int | None
    depths: str
    rows: int
    ridge: float | None
    knn: float | None
    logme: float | None
    h_score: float | None
    prior: float
    prior_rank: int
    fused: float | None = None
    predicted_rank: int = 0
    seconds: float = 0.0
    octaves: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return asdict(self)


def fuse(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Fill in `fused` of candidates that were probed on the same rows.

    In log-odds, in which transfer accuracy rises with source accuracy (Kornblith et al. 2019), the prior,
    shifted to the mean of the probes, and the probe are averaged by their precision: the more rows, the less
    the prior counts. Inputs that are smaller than those of pretraining start behind.
    """
    probes = [
        log_odds(_RIDGE_SHARE * (c.ridge or 0.0) + (1 - _RIDGE_SHARE) * (c.knn or 0.0)) for c in candidates
    ]
    known = [c.prior for c in candidates if c.prior > 0]
    middle = 1.0 / (1.0 + math.exp(-sum(map(log_odds, known)) / len(known))) if known else 0.5
    priors = [standing(c.prior or middle, c.octaves) for c in candidates]
    shift = (sum(probes) - sum(priors)) / max(len(candidates), 1)
    fused = []
    for candidate, probe, prior in zip(candidates, probes, priors, strict=True):
        share = 1.0 / (1.0 + math.exp(-probe))
        certainty = candidate.rows * share * (1 - share)
        belief = _PRIOR_DEVIATION**-2
        expected = (certainty * probe + belief * (prior + shift)) / (certainty + belief)
        fused.append(replace(candidate, fused=1.0 / (1.0 + math.exp(-expected))))
    return fused


def backbone_ranks(ranking: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Predicted rank by backbone, from the rows of `run.json`."""
    return {row["backbone"]: row["predicted_rank"] for row in ranking}


@dataclass(frozen=True)
class Probed:
    """What a probe found of a backbone, at its best size and depths.

    Attributes:
        backbone: Its name.
        accuracy: That expected of a head on few rows, from probe and prior together.
        rows: So many.
    """

    backbone: str
    accuracy: float
    rows: int


def probed(ranking: Iterable[Mapping[str, Any]]) -> list[Probed]:
    """The backbones that were probed, best first, from the rows of `run.json`."""
    best: dict[str, Probed] = {}
    for row in ranking:
        if row["rows"]:
            best.setdefault(row["backbone"], Probed(row["backbone"], row["fused"], row["rows"]))
    return list(best.values())


def suited_inputs(
    ranking: Sequence[Candidate], infos: Mapping[str, BackboneInfo]
) -> dict[str, dict[str, Value]]:
    """Backbones, best first, each with the input size of its best candidate where that is not its own."""
    found: dict[str, dict[str, Value]] = {}
    for candidate in ranking:
        own = candidate.input_size == infos[candidate.backbone].input.get("size")
        found.setdefault(candidate.backbone, {} if own else {"input_size": candidate.input_size})
    return found


def expectation(ranking: Sequence[Candidate], default: str) -> str:
    """Which backbone is expected to do best, and why, in a sentence."""
    best = ranking[0]
    rival = next(
        c for c in ranking[1:] if c.backbone != best.backbone and default in (c.backbone, best.backbone)
    )
    against = f"; {rival.backbone} {_probed(rival):.3f}" if rival.rows else ""
    given = f"a probe of {best.rows} rows gives {_probed(best):.3f}"
    return f"time aside, {best.backbone} is expected to do best: {given}{against}"


def _probed(candidate: Candidate) -> float:
    """Accuracy of the better of the two probes."""
    return max(candidate.ridge or 0.0, candidate.knn or 0.0)
