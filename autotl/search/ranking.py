"""Which backbone to try first, found by probing frozen features.

Successive halving over backbones and input sizes by rows (Karnin et al. 2013): all are looked at on few rows,
the better half on more. What a probe computes is `autotl.trial.probe`'s business, what follows from the order
that of `autotl.space.ranked`.
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from autotl.backbones.backbone import BackboneInfo
from autotl.config import Choice, TrialConfig, Value
from autotl.errors import AutotlError
from autotl.search.budget import Budget
from autotl.search.candidates import Candidate, fuse
from autotl.search.events import Listener, Note, silent
from autotl.space.resolve import BASELINE_STRATEGY
from autotl.space.space import SearchSpace
from autotl.trial.probe import Depths, ProbeScores

#: Share of the time left to search that probing may take.
_SHARE = 0.1
#: Rows of the first look, at least so many a class; their growth, and the most.
_FIRST_ROWS, _ROWS_A_CLASS, _GROWTH, _MOST_ROWS = 250, 3, 3, 2000


class Prober(Protocol):
    """What the ranking needs of `autotl.trial.probe.Prober`; see there."""

    @property
    def rows(self) -> int:
        """Training rows there are."""

    @property
    def classes(self) -> int:
        """Outputs of the task."""

    def seconds(self, config: TrialConfig, rows: int) -> float | None:
        """Predicted seconds of `scores`."""

    def scores(
        self, config: TrialConfig, rows: int, names: Sequence[str], only: Container[Depths] | None = None
    ) -> Mapping[Depths, ProbeScores]:
        """Scores by depths."""


def rank_backbones(
    space: SearchSpace,
    prober: Prober,
    infos: Mapping[str, BackboneInfo],
    budget: Budget,
    tell: Listener = silent,
) -> list[Candidate]:
    """Candidates in the order in which they promise most, those without a probe last, in the prior's order.

    Without a time budget nothing depends on the clock.

    Args:
        space: Its backbones are ranked, at the sizes and depths that its linear probe may take.
        prober: Scores features.
        infos: Facts of the backbones.
        budget: A tenth of the time left may be used.
        tell: Told of backbones that could not be probed.

    Returns:
        The ranking; empty where there is nothing to choose, only one trial to run, or no time for two probes.
    """
    if len(space.backbones) < 2 or budget.trials == 1:
        return []
    if not any(strategy.name == BASELINE_STRATEGY for strategy in space.strategies):
        return []
    halving = _Halving(space, prober, infos, budget, tell)
    halving.run()
    return halving.ranking()


@dataclass(frozen=True)
class _Unit:
    """What one pass over the rows computes features of: a backbone at an input size (0 for its own)."""

    backbone: str
    size: int


class _Halving:
    """The rungs; what was found so far."""

    def __init__(
        self,
        space: SearchSpace,
        prober: Prober,
        infos: Mapping[str, BackboneInfo],
        budget: Budget,
        tell: Listener,
    ) -> None:
        self._space, self._prober, self._infos = space, prober, infos
        self._budget, self._tell = budget, tell
        self._end = budget.elapsed() + _SHARE * budget.remaining()
        self._seconds: dict[_Unit, float] = {}
        self._found: dict[_Unit, dict[Depths, Candidate]] = {}
        self._alive: dict[_Unit, set[Depths]] = {}
        depths = _domain(space, space.backbones[0], "depths")
        self._names = [str(option) for option in depths.options] if depths else ["last"]

    def run(self) -> None:
        """Look at all on few rows, at the better half on more, until one is left or the time is over."""
        rows = min(max(_FIRST_ROWS, _ROWS_A_CLASS * self._prober.classes), _MOST_ROWS, self._prober.rows)
        names = [name for name in self._space.backbones if name in self._carried()]
        field = self._affordable(
            [_Unit(n, 0) for n in sorted(names, key=lambda n: self._infos[n].macs)], rows
        )
        if len(field) < 2:
            return
        field = self._rung(field, rows)
        others = [
            _Unit(unit.backbone, size)
            for unit in field
            for size in other_sizes(self._space, self._infos[unit.backbone])
        ]
        # Without a limit of time there is none to what other sizes may cost beside the trials asked for.
        if self._budget.timed and (others := self._affordable(others, rows)):
            field = self._rung([*field, *others], rows)
        while len(field) > 1 and rows < min(_MOST_ROWS, self._prober.rows):
            rows = min(_GROWTH * rows, _MOST_ROWS, self._prober.rows)
            if len(self._affordable(field, rows)) < len(field):
                return
            field = self._rung(field, rows)

    def ranking(self) -> list[Candidate]:
        """What was found, best first, with the ranks filled in."""
        found = [c for unit in self._found for c in self._found[unit].values()]
        if len({c.backbone for c in found}) < 2:
            return []
        found.sort(key=self._order)
        seen = {c.backbone for c in found}
        found += [self._candidate(_Unit(n, 0), (), 0, None) for n in self._space.backbones if n not in seen]
        ranks = {name: rank for rank, name in enumerate(dict.fromkeys(c.backbone for c in found), 1)}
        return [replace(c, predicted_rank=ranks[c.backbone]) for c in found]

    def _rung(self, field: list[_Unit], rows: int) -> list[_Unit]:
        """Probe what was not yet probed on so many rows; gives the better half, and halves its depths."""
        for unit in field:
            if all(c.rows < rows for c in self._found.get(unit, {}).values()) and self._fits(unit, rows):
                self._probe(unit, rows)
        level = [(u, d) for u in field for d, c in self._found.get(u, {}).items() if c.rows == rows]
        for (unit, depths), candidate in zip(level, fuse([self._found[u][d] for u, d in level]), strict=True):
            self._found[unit][depths] = replace(candidate, seconds=self._seconds[unit])
        best = {
            u: sorted((d for v, d in level if v == u), key=lambda d: self._order(self._found[u][d]))
            for u, _ in level
        }
        self._alive = {unit: set(depths[: math.ceil(len(depths) / 2)]) for unit, depths in best.items()}
        ordered = sorted(best, key=lambda unit: self._order(self._found[unit][best[unit][0]]))
        return ordered[: math.ceil(len(ordered) / 2)]

    def _probe(self, unit: _Unit, rows: int) -> None:
        begun = self._budget.elapsed()
        try:
            scores = self._prober.scores(self._config(unit), rows, self._names, self._alive.get(unit))
        except (
            AutotlError,
            RuntimeError,
            ValueError,
            OSError,
        ) as error:  # a trial of it will fail, and say so
            self._tell(Note(f"{unit.backbone} could not be probed: {error}", warning=True))
            return
        self._seconds[unit] = self._seconds.get(unit, 0.0) + self._budget.elapsed() - begun
        for depths, found in scores.items():
            self._found.setdefault(unit, {})[depths] = self._candidate(unit, depths, rows, found)

    def _candidate(self, unit: _Unit, depths: Depths, rows: int, scores: ProbeScores | None) -> Candidate:
        info = self._infos[unit.backbone]
        own = info.input.get("size")
        size = self._config(unit).get("input_size") or own
        return Candidate(
            backbone=unit.backbone,
            input_size=size,
            octaves=info.octaves_at(size),
            depths=",".join(map(str, depths)),
            rows=rows,
            ridge=None if scores is None else scores.ridge,
            knn=None if scores is None else scores.knn,
            logme=None if scores is None else scores.logme,
            h_score=None if scores is None else scores.h_score,
            prior=info.prior,
            prior_rank=1 + self._space.backbones.index(unit.backbone),
        )

    def _order(self, candidate: Candidate) -> tuple[float, ...]:
        """What got more rows comes first; H-score, LogME and cost settle what is equal to 0.001."""
        info = self._infos[candidate.backbone]
        return (
            -candidate.rows,
            -round(candidate.fused or 0.0, 3),
            -(candidate.h_score or 0.0),
            -(candidate.logme or 0.0),
            info.macs_at(candidate.input_size),
        )

    # --- time -----------------------------------------------------------------------------------------------

    def _affordable(self, units: Sequence[_Unit], rows: int) -> list[_Unit]:
        """The first units that the time left allows together."""
        left, found = self._end - self._budget.elapsed(), []
        for unit in units:
            left -= self._predicted(unit, rows)
            if left >= 0:
                found.append(unit)
        return found

    def _fits(self, unit: _Unit, rows: int) -> bool:
        return bool(self._affordable([unit], rows))

    def _predicted(self, unit: _Unit, rows: int) -> float:
        """Seconds; not asked for where no time is kept."""
        return 0.0 if math.isinf(self._end) else self._prober.seconds(self._config(unit), rows) or 0.0

    # --- the space ------------------------------------------------------------------------------------------

    def _config(self, unit: _Unit) -> TrialConfig:
        params: dict[str, Value] = {"input_size": unit.size} if unit.size else {}
        return self._space.complete(unit.backbone, BASELINE_STRATEGY, params)

    def _carried(self) -> tuple[str, ...]:
        return self._space.strategy(BASELINE_STRATEGY).backbones


def other_sizes(space: SearchSpace, info: BackboneInfo) -> list[int]:
    """Input sizes that a linear probe of a backbone may take beside its usual one."""
    domain = None if info.input.get("fixed_size") else _domain(space, info.name, "input_size")
    if domain is None:
        return []
    usual = (domain.default, 0, info.input.get("size"))
    return [int(size) for size in domain.options if isinstance(size, int) and size not in usual]


def _domain(space: SearchSpace, backbone: str, name: str) -> Choice | None:
    """What the linear probe of a backbone may choose for a parameter; None where it has no choice."""
    strategy = space.strategy(BASELINE_STRATEGY)
    domains = (p.domain for p in strategy.active(backbone, {}) if p.name == name)
    return next((domain for domain in domains if isinstance(domain, Choice)), None)
