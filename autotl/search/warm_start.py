"""What earlier runs teach: configurations to try early, and at which place of the portfolio; and lessons."""

from __future__ import annotations

from collections.abc import Sequence

from autotl.config import TrialConfig, TrialResult, TrialState
from autotl.search.experience import Facts, Past, distance, without_path
from autotl.search.lessons import Lesson, lessons
from autotl.space.space import SearchSpace

#: Data sets farther apart than this teach nothing about each other.
_FAR = 1.5
#: Entries of the portfolio that stay first: the ten-line baseline, and what costs nothing beside it.
_KEPT_FIRST = 2
_MOST = 3


def recommended(past: Sequence[Past], facts: Facts, space: SearchSpace) -> list[TrialConfig]:
    """What won on similar data, the most similar first; at most three configurations of the space.

    A winner counts where it beat the default recipe of its run. Its backbone and parameters must be in the
    space, up to values that are moved to the nearest allowed ones.

    Args:
        past: Earlier runs.
        facts: The data set at hand.
        space: What may be tried.
    """
    found: dict[str, TrialConfig] = {}
    for run in _near(past, facts):
        winner = _winner(run.results)
        config = None if winner is None else _in(space, winner.config)
        if config is not None:
            found.setdefault(config.key, config)
    return list(found.values())[:_MOST]


def lessons_of(past: Sequence[Past], facts: Facts) -> list[Lesson]:
    """What all trials on similar data teach, the most similar last."""
    return [
        lesson
        for run in reversed(_near(past, facts))
        for lesson in lessons((r.config, r.curve) for r in run.results if r.state is not TrialState.FAILED)
    ]


def portfolio_with(
    recommendations: Sequence[TrialConfig], portfolio: Sequence[TrialConfig]
) -> list[TrialConfig]:
    """The portfolio with recommendations after its first entries, each configuration once."""
    ordered = [*portfolio[:_KEPT_FIRST], *recommendations, *portfolio[_KEPT_FIRST:]]
    return list({config.key: config for config in ordered}.values())


def _near(past: Sequence[Past], facts: Facts) -> list[Past]:
    """Runs on similar data, the most similar first."""
    near = [run for run in past if distance(run.facts, facts) < _FAR]
    return sorted(near, key=lambda run: distance(run.facts, facts))


def _winner(results: Sequence[TrialResult]) -> TrialResult | None:
    """The best trial of a run, None where it is the default recipe or nothing has a score."""
    scored = [result for result in results if result.score is not None]
    best = max(scored, key=lambda result: (result.score or 0.0, -result.number), default=None)
    return None if best is None or best.number == 0 else best


def _in(space: SearchSpace, config: TrialConfig) -> TrialConfig | None:
    """The configuration as the space expresses it; None where it lacks the backbone or the strategy."""
    searched = {strategy.name: strategy for strategy in space.strategies if strategy.searched}
    chosen = searched.get(config.strategy)
    names = {} if chosen is None else {without_path(name): name for name in chosen.backbones}
    if config.backbone not in names:
        return None
    return space.complete(names[config.backbone], config.strategy, config.params)
